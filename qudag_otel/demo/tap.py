"""A tap on this process's spans and log records, for the live view; it exports nothing."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry.sdk._logs import LogRecordProcessor
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import StatusCode

from qudag_otel.catalogue.spans import COMPONENT, NODE, SWARM

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from opentelemetry.sdk._logs import ReadWriteLogRecord
    from opentelemetry.sdk.trace import ReadableSpan

MAX_TRACES: Final = 400
MAX_SPANS: Final = 200
"""How many spans of one trace are kept; the view shows far fewer."""
MAX_WAITING: Final = 20_000
MAX_LINES: Final = 200


@dataclass(frozen=True, slots=True)
class SpanLine:
    """What the view needs of a span; times in nanoseconds since 1970."""

    trace_id: int
    span_id: int
    parent_id: int
    name: str
    where: str
    start: int
    end: int
    failed: bool


@dataclass(frozen=True, slots=True)
class LogLine:
    """What the view needs of a log record; the time in nanoseconds since 1970."""

    time: int
    severity: str
    where: str
    text: str


class Tap(SpanProcessor):
    """Takes this process's spans and log records. Hand it, and its `logs`, to `configure`."""

    def __init__(self) -> None:
        # Appending to a deque is all that happens on the application's threads.
        self._ended: deque[ReadableSpan] = deque(maxlen=MAX_WAITING)
        self.logs = LogTap()

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span that ended."""
        self._ended.append(span)

    def spans(self) -> Iterator[SpanLine]:
        """The spans that ended since the last time."""
        while self._ended:
            line = _span_line(self._ended.popleft())
            if line is not None:
                yield line


class Recent:
    """The latest traces and log lines, from the taps of one or more processes."""

    def __init__(self) -> None:
        self._traces: OrderedDict[int, list[SpanLine]] = OrderedDict()
        self.lines: deque[LogLine] = deque(maxlen=MAX_LINES)

    def add(self, spans: Iterable[SpanLine], lines: Iterable[LogLine]) -> None:
        """Remember what is new."""
        for span in spans:
            known = self._traces.setdefault(span.trace_id, [])
            if len(known) < MAX_SPANS:
                known.append(span)
            self._traces.move_to_end(span.trace_id)
        while len(self._traces) > MAX_TRACES:
            self._traces.popitem(last=False)
        self.lines.extend(lines)

    def slowest(self, count: int) -> list[list[SpanLine]]:
        """The traces kept that took longest, each by start; only those whose first span ended."""
        whole = [
            sorted(spans, key=lambda span: span.start)
            for spans in self._traces.values()
            if any(span.parent_id == 0 for span in spans)
        ]
        return sorted(whole, key=trace_seconds, reverse=True)[:count]


class LogTap(LogRecordProcessor):
    """Takes log records."""

    def __init__(self) -> None:
        self._emitted: deque[LogLine] = deque(maxlen=MAX_LINES)

    def lines(self) -> Iterator[LogLine]:
        """The records since the last time."""
        while self._emitted:
            yield self._emitted.popleft()

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Take a record."""
        record = log_record.log_record
        attributes = cast("Mapping[str, Any]", record.attributes or {})
        where = attributes.get(NODE.key, "")
        component = attributes.get(COMPONENT.key, "")
        details = " ".join(
            f"{key}={_short(value)}"
            for key, value in attributes.items()
            if not key.startswith(("code.", "qudag.")) and value is not None
        )
        self._emitted.append(
            LogLine(
                record.timestamp or record.observed_timestamp or 0,
                record.severity_text or "INFO",
                "/".join(part for part in (where, component) if part),
                f"{record.body!s} {details}".rstrip(),
            )
        )

    def shutdown(self) -> None:
        """Nothing to end."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002  # the interface's name
        """Nothing waits."""
        return True


def trace_seconds(spans: list[SpanLine]) -> float:
    """From the first start to the last end of a trace, in seconds."""
    return (max(span.end for span in spans) - min(span.start for span in spans)) / 1e9


def _span_line(span: ReadableSpan) -> SpanLine | None:
    context = span.context
    if context is None or span.start_time is None or span.end_time is None:
        return None
    attributes = span.attributes or {}
    where = next((attributes[k] for k in (NODE.key, "node_id", SWARM.key) if k in attributes), "")
    return SpanLine(
        context.trace_id,
        context.span_id,
        span.parent.span_id if span.parent else 0,
        span.name,
        str(where),
        span.start_time,
        span.end_time,
        span.status.status_code is StatusCode.ERROR,
    )


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else f"{value!s:.60}"
