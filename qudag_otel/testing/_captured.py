"""What one capture holds, and the questions that a test asks it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, TypeVar

from qudag_otel.catalogue.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from qudag_otel.testing._records import Log, Point, Span

_OTEL_NAMES = {metric.prometheus_name: metric.name for metric in METRICS}
_SHOWN = 20

T = TypeVar("T")


class Captured:
    """The spans, metrics and logs since the capture began.

    A question that has no answer, or more than one, fails the test with an AssertionError that
    tells what was captured instead.
    """

    def __init__(self, collect: Callable[[], Iterable[Point]]) -> None:
        self._collect = collect
        self._spans: list[Span] = []
        self._logs: list[Log] = []

    def __repr__(self) -> str:
        return f"<Captured: {len(self._spans)} spans, {len(self._logs)} logs>"

    # -- spans

    @property
    def spans(self) -> Sequence[Span]:
        """The spans that have ended, in the order in which they ended."""
        spans = tuple(self._spans)
        names = {span.span_id: span.name for span in spans}
        return [
            dataclasses.replace(span, parent=names.get(span.parent_id))
            if span.parent_id is not None
            else span
            for span in spans
        ]

    def span(self, name: str, **attributes: object) -> Span:
        """The one span of this name, and with these attributes.

        Raises:
            AssertionError: No span fits, or several do.
        """
        __tracebackhide__ = True
        found = [
            span
            for span in self.spans
            if span.name == name and attributes.items() <= span.attributes.items()
        ]
        return _only(found, f"span {_named(name, attributes)}", self.tree)

    def tree(self) -> str:
        """The spans as an indented tree, one a line, in the order in which they started."""
        spans = sorted(self._spans, key=lambda span: (span.start, span.span_id))
        known = {span.span_id for span in spans}
        lines: list[str] = []

        def add(parent_id: int | None, depth: int) -> None:
            for span in spans:
                root = span.parent_id if span.parent_id in known else None
                if root == parent_id:
                    lines.append(f"{'  ' * depth}{_span_line(span)}")
                    add(span.span_id, depth + 1)

        add(None, 0)
        return _listed(lines)

    # -- metrics

    def points(self, metric: str, **labels: object) -> Sequence[Point]:
        """Every series of a metric that carries these labels; none if nothing was recorded.

        Args:
            metric: The OpenTelemetry name, or the Prometheus name of a metric that is
                in the catalogue or declared.
            **labels: Labels and the values that they must have.
        """
        from qudag_otel.instruments import declared  # loads OpenTelemetry

        own = {one.prometheus_name: one.name for one in declared()}
        name = _OTEL_NAMES.get(metric) or own.get(metric, metric)
        return [
            point
            for point in self._collect()
            if point.metric == name and labels.items() <= point.labels.items()
        ]

    def value(self, metric: str, **labels: object) -> float:
        """The value of a metric; the number of observations of a histogram.

        Several series with these labels are added, except those of a gauge.

        Args:
            metric: As in `points`.
            **labels: As in `points`.

        Raises:
            AssertionError: No series fits, or several of a gauge do.
        """
        __tracebackhide__ = True
        points = self._points(metric, labels)
        if points[0].kind == "gauge":
            return _only(points, f"series {_named(metric, labels)}", self._series_lines).value
        return sum(point.value for point in points)

    def histogram(self, metric: str, **labels: object) -> tuple[int, float]:
        """The number and the sum of a histogram's observations.

        Several series with these labels are added.

        Raises:
            AssertionError: No series fits, or the metric is not a histogram.
        """
        __tracebackhide__ = True
        points = self._points(metric, labels)
        if points[0].kind != "histogram":
            raise AssertionError(f"{metric!r} is a {points[0].kind}, not a histogram")
        return int(sum(point.value for point in points)), sum(point.sum for point in points)

    def _points(self, metric: str, labels: Mapping[str, object]) -> Sequence[Point]:
        __tracebackhide__ = True
        points = self.points(metric, **labels)
        if not points:
            raise AssertionError(
                f"no series {_named(metric, labels)}; captured:{self._series_lines()}"
            )
        return points

    def _series_lines(self) -> str:
        return _listed(_point_line(point) for point in self._collect())

    # -- logs

    @property
    def logs(self) -> Sequence[Log]:
        """The log records, oldest first."""
        return tuple(self._logs)

    def log(self, text: str, **attributes: object) -> Log:
        """The one log record whose message contains this text, and with these attributes.

        Raises:
            AssertionError: No record fits, or several do.
        """
        __tracebackhide__ = True
        found = [
            log
            for log in self._logs
            if text in str(log.body) and attributes.items() <= log.attributes.items()
        ]
        lines = (f"{log.severity}: {log.body} {dict(log.attributes)}" for log in self._logs)
        return _only(found, f"log record {_named(text, attributes)}", lambda: _listed(lines))

    # -- for the providers

    def add_span(self, span: Span) -> None:
        """Keep a span that ended; called by the span processor."""
        self._spans.append(span)

    def add_log(self, log: Log) -> None:
        """Keep a log record; called by the log record processor and the logging handler."""
        self._logs.append(log)


def _only(found: Sequence[T], what: str, captured: Callable[[], str]) -> T:
    __tracebackhide__ = True
    if len(found) == 1:
        return found[0]
    count = f"{len(found)} times" if found else "no"
    raise AssertionError(f"{count} {what}; captured:{captured()}")


def _named(name: str, attributes: Mapping[str, object]) -> str:
    return f"{name!r} with {dict(attributes)}" if attributes else repr(name)


def _listed(lines: Iterable[str]) -> str:
    """One line each, indented; "nothing" if there are none."""
    shown = list(lines)
    if len(shown) > _SHOWN:
        shown[_SHOWN:] = [f"... and {len(shown) - _SHOWN} more"]
    return "".join(f"\n  {line}" for line in shown) or " nothing"


def _span_line(span: Span) -> str:
    return f"{span.name} [{span.status}] {dict(span.attributes)}"


def _point_line(point: Point) -> str:
    labels = ", ".join(f"{key}={value!r}" for key, value in sorted(point.labels.items()))
    return f"{point.metric}{{{labels}}} {point.value:g} ({point.kind})"
