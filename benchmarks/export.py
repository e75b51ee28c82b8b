"""P5, W10 and W11: CPU of a span or a log record from the call to the sink. Prints JSON.

One process measures one of ours, the SDK and fastotel; the sink runs in another.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from benchmarks.measure import PROFILE, SHORT, key, pin, report
from benchmarks.profile import show
from benchmarks.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable

THREE = {"a": "x", "b": "y", "c": "z"}
BATCH = 1000
ROUNDS = 1 if SHORT else 12


def work() -> None:
    """The function that is measured."""


def failing() -> None:
    """The function that raises."""
    raise ValueError("text")


def caught(call: Callable[[], Any]) -> Callable[[], None]:
    """The same without its error."""

    def catching() -> None:
        with suppress(ValueError):
            call()

    return catching


def ours() -> tuple[dict[str, Callable[[], Any]], Callable[[], Any]]:
    """Ours: decorated functions, and a logger."""
    from opentelemetry import trace

    from qudag_otel import configure, get_logger, instrumented

    telemetry = configure(sigterm=False)
    current = trace.get_current_span

    def setting() -> None:
        span = current()
        span.set_attribute("number", 1)
        span.set_attribute("text", "some text")

    logging.getLogger("qudag").setLevel(logging.INFO)
    log = get_logger("bench")
    calls = {
        "span": instrumented(attributes=THREE)(work),
        "span with 2 values of its own": instrumented(attributes=THREE)(setting),
        "span with an error": caught(instrumented(attributes=THREE)(failing)),
        "log record": lambda: log.info("hello", number=1, text="some text", share=0.5),
    }
    return calls, lambda: telemetry.force_flush(60)


def by_hand(tracer: Any) -> dict[str, Callable[[], Any]]:
    """The same spans by a tracer."""
    described = {**THREE, "code.function.name": "work", "qudag.component": "calls"}

    def span() -> None:
        with tracer.start_as_current_span("work", attributes=described):
            work()

    def valued() -> None:
        with tracer.start_as_current_span("work", attributes=described) as started:
            started.set_attribute("number", 1)
            started.set_attribute("text", "some text")

    def failed() -> None:
        with tracer.start_as_current_span("work", attributes=described):
            failing()

    return {
        "span": span,
        "span with 2 values of its own": valued,
        "span with an error": caught(failed),
    }


def sdk() -> tuple[dict[str, Callable[[], Any]], Callable[[], Any]]:
    """OpenTelemetry's SDK with its exporters over HTTP."""
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
    from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    loggers = LoggerProvider()
    loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
    logger = logging.getLogger("theirs")
    logger.addHandler(LoggingHandler(logger_provider=loggers))
    logger.setLevel(logging.INFO)
    logger.propagate = False
    fields = {"number": 1, "text": "some text", "share": 0.5}

    def flush() -> None:
        provider.force_flush()
        loggers.force_flush()

    calls = by_hand(provider.get_tracer("bench"))
    return {**calls, "log record": lambda: logger.info("hello", extra=fields)}, flush


def fastotel() -> tuple[dict[str, Callable[[], Any]], Callable[[], Any]]:
    """The SDK's spans, exported by fastotel."""
    import importlib

    from opentelemetry.sdk.trace import TracerProvider

    provider = TracerProvider()
    provider.add_span_processor(importlib.import_module("fastotel").OTLPSpanProcessor())
    return by_hand(provider.get_tracer("bench")), provider.force_flush


WHO = {"ours": ours, "OpenTelemetry": sdk, "fastotel": fastotel}
EXPECTED: dict[str, Callable[[dict[str, Any]], bool]] = {
    "span": lambda seen: bool(seen["spans"]),
    "span with 2 values of its own": lambda seen: "text" in seen["spans"][0]["attributes"],
    "span with an error": lambda seen: seen["spans"][0]["events"] == ["exception"],
    "log record": lambda seen: bool(seen["logs"]),
}


def repeat(call: Callable[[], Any]) -> None:
    """Call again and again."""
    for _ in range(BATCH):
        call()


def main(who: str) -> dict[str, float]:
    """CPU nanoseconds of each."""
    calls, flush = WHO[who]()
    found: dict[str, float] = {}
    for what, call in calls.items():
        seen = Sink().witness(call, flush)
        if not EXPECTED[what](seen):
            raise RuntimeError(f"{what} of {who} sends {seen}")
        least, called = float("inf"), float("inf")
        for _ in range(ROUNDS):
            began, of_caller = time.process_time_ns(), time.thread_time_ns()
            repeat(call)
            called = min(called, (time.thread_time_ns() - of_caller) / BATCH)
            flush()
            least = min(least, (time.process_time_ns() - began) / BATCH)
        found[key(f"exported {what}, CPU", who)] = least
        found[key(f"exported {what}, CPU of the call", who)] = called
        if PROFILE and who == "ours":
            show(f"exported {what}", partial(repeat, call))
    return found


if __name__ == "__main__":
    pin()
    os.environ.update({
        "OTEL_EXPORTER_OTLP_ENDPOINT": Sink.url,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_BLRP_SCHEDULE_DELAY": "200",
    })  # fmt: skip
    report(main(sys.argv[1]))
