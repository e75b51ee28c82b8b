"""Bytes of an idle call site, and of a span that waits for export. Prints JSON."""

from __future__ import annotations

import functools
import gc
import json
import os
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from qudag_otel import instrumented
from qudag_otel.sdk.fast.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.trace import ReadableSpan

COUNT = 400
THREE = {"a": "x", "b": "y", "c": "z"}


def grown(make: Callable[[], Any]) -> float:
    """Bytes that one of `COUNT` calls leaves behind."""
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    kept = [make() for _ in range(COUNT)]
    gc.collect()
    size = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    del kept
    return size / COUNT


class Keep(SpanProcessor):
    """Keeps spans, as a queue does."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Keep one."""
        self.spans.append(span)


def main() -> dict[str, float]:
    """Measure."""
    provider, keep = TracerProvider(), Keep()
    provider.add_span_processor(keep)
    tracer = provider.get_tracer("bench")

    def span() -> None:
        with tracer.start_as_current_span("work", attributes=THREE):
            pass

    queued: list[Any] = []
    engine = Engine(TracerProvider(), MeterProvider([InMemoryMetricReader()]), [queued.extend])
    engine.install()
    meter = MeterProvider([InMemoryMetricReader()]).get_meter("bench")
    duration, active = meter.create_histogram("duration"), meter.create_up_down_counter("active")
    call = instrumented(name="work", attributes=THREE)(lambda: None)
    numbers = iter(range(10 * COUNT))

    def site() -> Callable[[], None]:
        """A call site that was called once, with nothing waiting."""
        made = instrumented(name=f"site {next(numbers)}")(lambda: None)
        made()
        engine.drain_all()
        queued.clear()
        return made

    def by_hand() -> Callable[[], None]:
        """The same as a decorator over the SDK's instruments, without the case of an error."""
        name = f"site {next(numbers)}"
        in_flight = {"operation": name, "component": "bench", "node_id": "n"}
        ended = {**in_flight, "outcome": "ok"}
        described = {"code.function.name": name, "qudag.component": "bench"}

        def decorate(function: Callable[[], None]) -> Callable[[], None]:
            @functools.wraps(function)
            def wrapper(*args: Any, **kwargs: Any) -> None:
                active.add(1, in_flight)
                began = time.perf_counter()
                try:
                    with tracer.start_as_current_span(name, attributes=described):
                        return function(*args, **kwargs)
                finally:
                    duration.record(time.perf_counter() - began, ended)
                    active.add(-1, in_flight)

            return wrapper

        made = decorate(lambda: None)
        made()
        keep.spans.clear()
        return made

    for once in (span, call, site, by_hand):
        once()
    return {
        "bytes per queued span, SDK": grown(span),
        "bytes per queued span, ours": grown(call),
        "bytes per idle call site, SDK": grown(by_hand),
        "bytes per idle call site, ours": grown(site),
    }


if __name__ == "__main__":
    print(json.dumps(main()), flush=True)
    os._exit(0)
