"""From the SDK's objects to the records that a test reads."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, TypeAlias

from opentelemetry import trace
from opentelemetry.sdk.metrics.export import (
    ExponentialHistogramDataPoint,
    Gauge,
    HistogramDataPoint,
    NumberDataPoint,
    Sum,
)

from qudag_otel.errors import error_type
from qudag_otel.testing._records import Event, Log, Point, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk._logs import ReadWriteLogRecord
    from opentelemetry.sdk.metrics.export import Metric, MetricsData
    from opentelemetry.sdk.trace import ReadableSpan

_DataPoint: TypeAlias = NumberDataPoint | HistogramDataPoint | ExponentialHistogramDataPoint

_NANOSECONDS = 1e9
# What the logging module itself puts into a record; the rest was given as `extra`.
_STANDARD = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# The first severity number of each range of OpenTelemetry's logs data model.
_SEVERITIES = ((21, "critical"), (17, "error"), (13, "warning"), (9, "info"), (1, "debug"))


def span(ended: ReadableSpan, began: int) -> Span:
    """A span of the SDK as a record.

    Args:
        ended: The span.
        began: The start of the capture, in nanoseconds since the epoch.
    """

    def seconds(timestamp: int | None) -> float:
        return ((timestamp or began) - began) / _NANOSECONDS

    context = ended.context
    scope = ended.instrumentation_scope
    return Span(
        name=ended.name,
        kind=ended.kind.name.lower(),
        status=ended.status.status_code.name.lower(),
        description=ended.status.description or "",
        attributes=dict(ended.attributes or {}),
        events=tuple(
            Event(
                name=event.name,
                attributes=dict(event.attributes or {}),
                time=seconds(event.timestamp),
            )
            for event in ended.events
        ),
        links=tuple((link.context.trace_id, link.context.span_id) for link in ended.links),
        trace_id=context.trace_id if context else 0,
        span_id=context.span_id if context else 0,
        parent_id=ended.parent.span_id if ended.parent else None,
        start=seconds(ended.start_time),
        end=seconds(ended.end_time),
        scope=scope.name if scope else "",
    )


def log_of_api(emitted: ReadWriteLogRecord) -> Log:
    """A record of OpenTelemetry's logs API."""
    record = emitted.log_record
    number = record.severity_number.value if record.severity_number else 0
    return Log(
        body=record.body,
        severity=next((name for least, name in _SEVERITIES if number >= least), ""),
        attributes=dict(record.attributes or {}),
        logger=emitted.instrumentation_scope.name if emitted.instrumentation_scope else "",
        trace_id=record.trace_id or 0,
        span_id=record.span_id or 0,
    )


def log_of_logging(record: logging.LogRecord) -> Log:
    """A record of the `logging` module."""
    context = trace.get_current_span().get_span_context()
    attributes = {key: value for key, value in vars(record).items() if key not in _STANDARD}
    error = record.exc_info[1] if record.exc_info else None
    if error is not None:
        attributes |= {"exception.type": error_type(error), "exception.message": str(error)}
    return Log(
        body=record.getMessage(),
        severity=record.levelname.lower(),
        attributes=attributes,
        logger=record.name,
        trace_id=context.trace_id,
        span_id=context.span_id,
    )


def points(data: MetricsData | None) -> Iterator[Point]:
    """Every series of a collection, in the order in which the SDK gives them.

    Distributions of nothing, which are there for receivers to see the first value, are left out.
    """
    for resource in data.resource_metrics if data else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                kind = _kind(metric)
                for point in metric.data.data_points:
                    if getattr(point, "count", True):
                        yield _point(metric, kind, point)


def _kind(metric: Metric) -> str:
    if isinstance(metric.data, Sum):
        return "counter" if metric.data.is_monotonic else "updowncounter"
    return "gauge" if isinstance(metric.data, Gauge) else "histogram"


def _point(metric: Metric, kind: str, point: _DataPoint) -> Point:
    value, total = (
        (point.value, point.value)
        if isinstance(point, NumberDataPoint)
        else (point.count, point.sum)
    )
    return Point(
        metric=metric.name,
        kind=kind,
        unit=metric.unit or "",
        labels=dict(point.attributes or {}),
        value=value,
        sum=total,
        buckets=_buckets(point) if isinstance(point, HistogramDataPoint) else (),
        exemplars=tuple(one.trace_id for one in point.exemplars if one.trace_id),
    )


def _buckets(point: HistogramDataPoint) -> tuple[tuple[float, int], ...]:
    bounds = (*point.explicit_bounds, math.inf)
    totals: list[int] = []
    for count in point.bucket_counts:
        totals.append(count + (totals[-1] if totals else 0))
    return tuple(zip(bounds, totals, strict=True))
