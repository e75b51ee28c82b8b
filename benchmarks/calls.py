"""Ours, OpenTelemetry and prometheus_client on the same functions. Prints JSON: ns per call."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import prometheus_client
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from benchmarks.measure import CALLS, REPEATS, awaiting, best, pin, stepping, threads

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

THREE = {"a": "x", "b": "y", "c": "z"}
TEN = {f"key{number}": f"value{number}" for number in range(10)}


def work() -> None:
    """The function that is measured."""


async def awork() -> None:
    """The coroutine function that is measured."""


class Nowhere(SpanExporter):
    """Takes everything."""

    def export(self, spans: Any) -> SpanExportResult:
        del spans
        return SpanExportResult.SUCCESS


def reference() -> dict[str, float]:
    """Nothing, two clocks, prometheus_client."""
    clock = time.perf_counter_ns

    def clocks() -> int:
        began = clock()
        work()
        return clock() - began

    timed = prometheus_client.Histogram("timed_seconds", "d").time()(work)
    histogram = prometheus_client.Histogram("red_seconds", "d")
    errors = prometheus_client.Counter("red_errors", "d")
    active = prometheus_client.Gauge("red_active", "d")
    red = active.track_inprogress()(errors.count_exceptions()(histogram.time()(work)))
    return {
        "bare function": best(work),
        "two clock readings": best(clocks),
        "prometheus_client Histogram.time()": best(timed),
        "prometheus_client RED": best(red),
        "prometheus_client RED, 8 threads": threads(red, 8),
    }


def opentelemetry() -> dict[str, float]:
    """The SDK's instruments and spans, composed naively."""
    meter = MeterProvider([InMemoryMetricReader()]).get_meter("bench")
    histogram = meter.create_histogram("duration", "s")
    counter = meter.create_counter("calls")
    active = meter.create_up_down_counter("active")
    sampled = TracerProvider()
    processor = BatchSpanProcessor(Nowhere(), max_queue_size=1 << 16)
    sampled.add_span_processor(processor)
    tracer, unsampled = sampled.get_tracer("bench"), TracerProvider(ALWAYS_OFF).get_tracer("bench")

    def span(of: trace.Tracer) -> Callable[[], None]:
        def call() -> None:
            with of.start_as_current_span("bench", attributes=THREE):
                work()

        return call

    @contextmanager
    def observed(attributes: dict[str, str]) -> Iterator[None]:
        active.add(1, attributes)
        began = time.perf_counter()
        try:
            with tracer.start_as_current_span("bench", attributes=attributes):
                yield
        finally:
            histogram.record(time.perf_counter() - began, attributes)
            counter.add(1, attributes)
            active.add(-1, attributes)

    def red(attributes: dict[str, str]) -> Callable[[], None]:
        def call() -> None:
            with observed(attributes):
                work()

        return call

    async def ared() -> None:
        with observed(THREE):
            await awork()

    flush = processor.force_flush
    return {
        "OpenTelemetry histogram.record, 3 attributes": best(lambda: histogram.record(0.1, THREE)),
        "OpenTelemetry counter.add, 3 attributes": best(lambda: counter.add(1, THREE)),
        "OpenTelemetry span, sampled": best(span(tracer), between=flush),
        "OpenTelemetry span, unsampled": best(span(unsampled)),
        "OpenTelemetry RED + span": best(red({}), between=flush),
        "OpenTelemetry RED + span, 3 attributes": best(red(THREE), between=flush),
        "OpenTelemetry RED + span, 10 attributes": best(red(TEN), between=flush),
        "OpenTelemetry RED + span, coroutine function": awaiting(ared, between=flush),
        "OpenTelemetry RED + span, 8 threads": threads(red(THREE), 8, between=flush),
    }


def ours() -> dict[str, float]:
    """Every form under configure(), with metrics read by nobody and spans exported to nowhere."""
    from qudag_otel import instrumented
    from qudag_otel.sdk.fast.engine import Engine

    meters = MeterProvider([InMemoryMetricReader()])
    queue: list[Any] = []

    def install(provider: TracerProvider) -> Engine:
        engine = Engine(provider, meters, [queue.extend])
        engine.install()
        return engine

    found: dict[str, float] = {}
    for title, provider in (
        ("sampled", TracerProvider()),
        ("unsampled", TracerProvider(ALWAYS_OFF)),
    ):
        engine = install(provider)

        def empty(engine: Engine = engine) -> None:
            engine.drain_all()
            queue.clear()

        found[f"ours RED + span, {title}"] = best(instrumented(name="f")(work), between=empty)
        if title == "unsampled":
            continue
        found["ours RED + span, 3 attributes"] = best(
            instrumented(name="f3", attributes=THREE)(work), between=empty
        )
        found["ours RED + span, 10 attributes"] = best(
            instrumented(name="f10", attributes=TEN)(work), between=empty
        )
        found["ours RED alone"] = best(instrumented(name="r", spans=False)(work), between=empty)
        found["ours RED + span, coroutine function"] = awaiting(instrumented(name="a")(awork))
        found["bare coroutine function"] = awaiting(awork)
        inner = instrumented(name="inner")(work)

        def nested(inner: Callable[[], None] = inner) -> None:
            inner()
            inner()

        with instrumented.block("around"):
            found["ours RED + span, nested"] = best(nested, between=empty) / 2

        def block() -> None:
            with instrumented.block("block"):
                work()

        found["ours RED + span, block"] = best(block, between=empty)

        def forever() -> Iterator[int]:
            while True:
                yield 1

        found["ours RED + span, generator step"] = stepping(instrumented(name="g")(forever))
        found["bare generator step"] = stepping(forever)
        found["ours RED + span, 8 threads"] = threads(instrumented(name="t")(work), 8)
        found["bare function, 8 threads"] = threads(work, 8)
    os.environ["OTEL_SDK_DISABLED"] = "true"
    found["ours disabled is the same object"] = float(instrumented(work) is work)
    return found


def export(which: str, endpoint: str) -> dict[str, float]:
    """CPU nanoseconds per exported span, over OTLP/HTTP to a local sink."""
    os.environ.update(OTEL_EXPORTER_OTLP_ENDPOINT=endpoint, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
                      OTEL_METRICS_EXPORTER="none", OTEL_LOGS_EXPORTER="none",
                      OTEL_BSP_SCHEDULE_DELAY="200")  # fmt: skip
    if which == "ours":
        from qudag_otel import configure, instrumented

        call: Callable[[], None] = instrumented(attributes=THREE)(work)
        flush: Callable[[], bool] = configure().force_flush
    else:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        provider = TracerProvider()
        provider.add_span_processor(
            BatchSpanProcessor(OTLPSpanExporter(), schedule_delay_millis=200)
        )
        tracer = provider.get_tracer("bench")
        attributes = {**THREE, "code.function.name": "work", "qudag.component": "calls"}

        def by_hand() -> None:
            with tracer.start_as_current_span("work", attributes=attributes):
                work()

        call, flush = by_hand, provider.force_flush
    call()
    flush()
    least = float("inf")
    for _ in range(max(2, REPEATS // 15)):
        began = time.process_time_ns()
        for _ in range(5):
            for _ in range(CALLS):
                call()
            flush()
        least = min(least, time.process_time_ns() - began)
    return {f"CPU per exported span, {which}": least / CALLS / 5}


def scrape() -> dict[str, float]:
    """Milliseconds of one scrape of 10,000 series."""
    from prometheus_client import CollectorRegistry, Gauge, generate_latest

    from qudag_otel._otel.storage import quicken
    from qudag_otel.sdk.prometheus.reader import PrometheusReader

    series, kinds = 1000, 10
    registry, reader = CollectorRegistry(), PrometheusReader()
    provider = MeterProvider([reader])
    quicken(provider, reader)  # as configure() does
    meter = provider.get_meter("bench")
    for kind in range(kinds):
        gauge = Gauge(f"gauge_{kind}", "d", ("a", "b", "c"), registry=registry)
        own = meter.create_gauge(f"gauge.{kind}", description="d")
        for number in range(series):
            labels = {"a": f"a{number}", "b": f"b{number % 10}", "c": "c"}
            gauge.labels(**labels).set(number)
            own.set(number, labels)
    reference: Callable[[CollectorRegistry], bytes] = generate_latest  # theirs is untyped
    rendered: dict[str, Callable[[], bytes]] = {
        "ours": lambda: reader.scrape(openmetrics=False),
        "prometheus_client": lambda: reference(registry),
    }
    found: dict[str, float] = {}
    for name, render in rendered.items():
        least = float("inf")
        gc.collect()
        gc.disable()  # as for calls: both are measured without the collector's pauses
        for _ in range(max(3, REPEATS // 10)):
            began = time.perf_counter_ns()
            text = render()
            least = min(least, time.perf_counter_ns() - began)
            assert text.count(b"\n") > series * kinds
        found[f"scrape of 10,000 series, {name}"] = least
    return found


GROUPS: dict[str, Callable[..., dict[str, float]]] = {
    "reference": reference,
    "opentelemetry": opentelemetry,
    "ours": ours,
    "export": export,
    "scrape": scrape,
}

if __name__ == "__main__":
    pin()
    print(json.dumps(GROUPS[sys.argv[1]](*sys.argv[2:])))
    sys.stdout.flush()
    os._exit(0)  # no thread has anything to finish
