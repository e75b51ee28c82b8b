"""What a test reads: spans, events, logs and metric points as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened during a span.

    Attributes:
        name: Its name; "exception" for a recorded exception.
        attributes: Its attributes.
        time: When it happened, in seconds since the capture began.
    """

    name: str
    attributes: Mapping[str, object] = field(default_factory=dict[str, object])
    time: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Span:
    """A span that ended.

    Attributes:
        name: Its name.
        kind: "internal", "server", "client", "producer" or "consumer".
        status: "unset", "ok" or "error".
        description: The description of the status; empty if there is none.
        attributes: Its attributes.
        events: Its events, oldest first.
        links: Trace id and span id of every span that it links to.
        trace_id: The trace; ids count from 1 in every capture.
        span_id: The span, likewise.
        parent_id: The parent's `span_id`; None in a root span.
        parent: The parent's name; None in a root span, and for a parent that has not ended.
        start: Its start, in seconds since the capture began.
        end: Its end, likewise.
        scope: The name of the tracer.
    """

    name: str
    kind: str = "internal"
    status: str = "unset"
    description: str = ""
    attributes: Mapping[str, object] = field(default_factory=dict[str, object])
    events: tuple[Event, ...] = ()
    links: tuple[tuple[int, int], ...] = ()
    trace_id: int = 0
    span_id: int = 0
    parent_id: int | None = None
    parent: str | None = None
    start: float = 0.0
    end: float = 0.0
    scope: str = ""

    @property
    def duration(self) -> float:
        """The time from start to end, in seconds."""
        return self.end - self.start


@dataclass(frozen=True, kw_only=True)
class Log:
    """A log record, of the `logging` module or of OpenTelemetry's logs API.

    Attributes:
        body: The message.
        severity: "debug", "info", "warning", "error" or "critical".
        attributes: Its attributes; of a `logging` record, those given as `extra`, and
            `exception.type` and `exception.message` where it carries an exception.
        logger: The name of the logger.
        trace_id: The trace that it belongs to; 0 outside of any.
        span_id: The span that was current, likewise.
    """

    body: object
    severity: str = "info"
    attributes: Mapping[str, object] = field(default_factory=dict[str, object])
    logger: str = ""
    trace_id: int = 0
    span_id: int = 0


@dataclass(frozen=True, kw_only=True)
class Point:
    """One series of a metric: its labels, and what it holds.

    Attributes:
        metric: The OpenTelemetry name of the metric.
        kind: "counter", "updowncounter", "gauge" or "histogram".
        unit: The unit of the metric.
        labels: The attributes of the series.
        value: The value; the number of observations in a histogram.
        sum: The sum of all observations in a histogram; `value` elsewhere.
        buckets: Upper bound and number of observations up to it, of a histogram; the last bound
            is infinite.
        exemplars: The trace ids of the exemplars.
    """

    metric: str
    kind: str
    unit: str = ""
    labels: Mapping[str, object] = field(default_factory=dict[str, object])
    value: float = 0.0
    sum: float = 0.0
    buckets: tuple[tuple[float, int], ...] = ()
    exemplars: tuple[int, ...] = ()
