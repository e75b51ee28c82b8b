"""Providers that keep everything in memory, lent to OpenTelemetry's globals for a capture.

The tracer and the logger provider live as long as the process and write to the capture that runs,
so a tracer which a module obtained during one test is captured in the next one too. Sums of
metrics cannot be reset, so every capture has a meter provider of its own.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import os
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk.environment_variables import OTEL_SDK_DISABLED
from opentelemetry.sdk.metrics import MeterProvider, TraceBasedExemplarFilter
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON

from qudag_otel import _warnings, instruments
from qudag_otel.testing import _convert, _globals
from qudag_otel.testing._captured import Captured

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    from opentelemetry.context import Context
    from opentelemetry.sdk._logs import ReadWriteLogRecord
    from opentelemetry.sdk.trace import ReadableSpan, Span


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
    reader = InMemoryMetricReader()
    meter_provider = MeterProvider(
        [reader],
        Resource.get_empty(),
        exemplar_filter=TraceBasedExemplarFilter(),
        shutdown_on_exit=False,
    )
    captured = Captured(lambda: _convert.points(reader.get_metrics_data()))
    handler = _Handler()
    with contextlib.ExitStack() as stack:
        stack.callback(instruments.reset)
        stack.enter_context(_globals.replaced(_tracers(), meter_provider, _loggers()))
        _sessions.append(_Session(captured))
        stack.callback(_sessions.pop)
        logging.getLogger().addHandler(handler)
        stack.callback(logging.getLogger().removeHandler, handler)
        _warnings.reset()
        instruments.reset()
        yield captured


@functools.cache
def _tracers() -> TracerProvider:
    provider = TracerProvider(
        sampler=ALWAYS_ON,
        resource=Resource.get_empty(),
        shutdown_on_exit=False,
        id_generator=_Ids(),
    )
    provider.add_span_processor(_Spans())
    return provider


@functools.cache
def _loggers() -> LoggerProvider:
    provider = LoggerProvider(resource=Resource.get_empty(), shutdown_on_exit=False)
    provider.add_log_record_processor(_Logs())
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


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if _sessions:
            _sessions[-1].captured.add_log(_convert.log_of_logging(record))
