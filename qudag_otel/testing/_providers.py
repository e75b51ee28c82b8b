"""Providers that keep everything in memory, lent to OpenTelemetry's globals for a capture.

They live as long as the process and write to the capture that runs, so a tracer or an instrument
which a module obtained during one test is captured in the next one, too. Sums of metrics cannot be
reset, so every capture has a metric reader of its own. Providers that the application has set are
lent, so that what was made of them before is captured as well.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from opentelemetry import _logs as logs
from opentelemetry import metrics, trace
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk.environment_variables import OTEL_SDK_DISABLED
from opentelemetry.sdk.metrics import MeterProvider, TraceBasedExemplarFilter
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from qudag_otel import _warnings, instruments, sdk
from qudag_otel._calls import plain, registry
from qudag_otel._otel import globals as otel_globals
from qudag_otel._otel import lending
from qudag_otel._series import drains, observers
from qudag_otel.catalogue import Group
from qudag_otel.catalogue.metrics import METRICS
from qudag_otel.catalogue.sdk import SDK_METRICS
from qudag_otel.sdk._bridge import Bridge
from qudag_otel.testing import _convert
from qudag_otel.testing._captured import Captured

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Generator, Iterator

    from opentelemetry.context import Context
    from opentelemetry.sdk._logs import ReadWriteLogRecord
    from opentelemetry.sdk.trace import ReadableSpan, Span

    from qudag_otel.testing._records import Point

T = TypeVar("T")

# What a set-up says of itself is nothing that a test recorded.
_OF_ITSELF: Final = {one.name for one in (*METRICS, *SDK_METRICS) if one.group is Group.TELEMETRY}


@dataclass
class _Session:
    """One running capture: where records go, when it began, and its next ids."""

    captured: Captured
    began: int = field(default_factory=time.time_ns)
    trace_ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    span_ids: Iterator[int] = field(default_factory=lambda: itertools.count(1))


_sessions: list[_Session] = []  # the innermost capture last


@contextlib.contextmanager
def installed() -> Generator[Captured]:
    """Capture until the block ends; `qudag_otel.testing.capture` says how."""
    if os.environ.get(OTEL_SDK_DISABLED, "").strip().lower() == "true":
        yield Captured(lambda: ())
        return
    with contextlib.ExitStack() as stack:
        drains.drain_all()  # what was recorded before is not captured
        readers = [stack.enter_context(_reading(meters)) for meters in _all(MeterProvider, _meters)]
        captured = Captured(lambda: _points(readers))
        for tracers in _all(TracerProvider, _tracers)[1:]:
            stack.enter_context(lending.spans(tracers, _spans, ALWAYS_ON, _ids))
        for loggers in _all(LoggerProvider, _loggers)[1:]:
            stack.enter_context(lending.logs(loggers, _logs))
        stack.enter_context(_listening())
        stack.callback(instruments.reset)
        ours = {"traces": _tracers(), "metrics": _meters(), "logs": _loggers()}
        stack.enter_context(otel_globals.replaced(ours))
        stack.enter_context(registry.bound_with(plain.bind))
        _sessions.append(_Session(captured))
        stack.callback(_sessions.pop)
        _warnings.reset()
        instruments.reset()
        yield captured


# Providers of the application's own, which may have been used before a capture.
_met: list[Any] = []


def _all(kind: type[T], ours: Callable[[], T]) -> list[T]:
    """Our provider of a signal first, then all of the SDK's that have been the global one."""
    for get in (trace.get_tracer_provider, metrics.get_meter_provider, logs.get_logger_provider):
        provider = get()
        if provider not in _met:
            _met.append(provider)
    return list({id(one): one for one in (ours(), *_met) if isinstance(one, kind)}.values())


def _points(readers: list[InMemoryMetricReader]) -> list[Point]:
    """Those of our provider, and what others have beside; what is observed is asked for once."""
    ours, *others = readers
    collected = [ours.get_metrics_data()]
    with observers.silenced():
        collected += [reader.get_metrics_data() for reader in others]
    found: list[Point] = []
    for data in collected:
        levels = {_series_of(point) for point in found}
        found += [
            point
            for point in _convert.points(data)
            if point.metric not in _OF_ITSELF
            and (point.kind not in {"gauge", "updowncounter"} or _series_of(point) not in levels)
        ]
    return found


def _series_of(point: Point) -> tuple[str, ...]:
    return point.metric, *sorted(map(str, point.labels.items()))


@contextlib.contextmanager
def _reading(provider: MeterProvider) -> Generator[InMemoryMetricReader]:
    reader = InMemoryMetricReader()
    with lending.measurements(provider, reader):
        yield reader


@contextlib.contextmanager
def _listening() -> Generator[None]:
    """Listen behind the handlers: what a test does to those does not end a capture."""
    live = sdk.current()
    bridge = live.bridge if live else None
    if bridge:
        bridge.remove()
    listener = _Listener(_loggers())
    listener.install()
    try:
        yield
    finally:
        listener.remove()
        if bridge:
            bridge.install()


@functools.cache
def _meters() -> MeterProvider:
    return MeterProvider(
        [], Resource.get_empty(), TraceBasedExemplarFilter(), shutdown_on_exit=False
    )


@functools.cache
def _tracers() -> TracerProvider:
    provider = TracerProvider(
        sampler=ALWAYS_ON,
        resource=Resource.get_empty(),
        shutdown_on_exit=False,
        id_generator=_ids,
    )
    provider.add_span_processor(_spans)
    return provider


@functools.cache
def _loggers() -> LoggerProvider:
    provider = LoggerProvider(resource=Resource.get_empty(), shutdown_on_exit=False)
    provider.add_log_record_processor(_logs)
    return provider


class _Ids(IdGenerator):
    """Ids that count from 1 in every capture; random ones outside of any."""

    def __init__(self) -> None:
        self._random = RandomIdGenerator()

    def generate_trace_id(self) -> int:
        return next(_sessions[-1].trace_ids) if _sessions else self._random.generate_trace_id()

    def generate_span_id(self) -> int:
        return next(_sessions[-1].span_ids) if _sessions else self._random.generate_span_id()


class _Spans(SpanProcessor):
    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Nothing: a span counts when it has ended."""

    def on_end(self, span: ReadableSpan) -> None:
        if _sessions:
            session = _sessions[-1]
            session.captured.add_span(_convert.span(span, session.began))


class _Logs(LogRecordProcessor):
    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        if _sessions:
            _sessions[-1].captured.add_log(_convert.log_of_api(log_record))

    def shutdown(self) -> None:
        """Nothing is held."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002 - the interface's
        return True


class _Listener(Bridge):
    def emit(self, record: logging.LogRecord) -> None:
        if _sessions:
            _sessions[-1].captured.add_log(_convert.log_of_logging(record))


_ids = _Ids()
_spans = _Spans()
_logs = _Logs()
