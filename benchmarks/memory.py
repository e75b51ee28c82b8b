"""Bytes of an idle call site, and of a span that waits for export. Prints JSON."""

from __future__ import annotations

import gc
import json
import os
import tracemalloc
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from qudag_otel import instrumented
from qudag_otel.sdk._fast import Engine

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
    Engine(TracerProvider(), MeterProvider(), [queued.extend]).install()
    call = instrumented(name="work", attributes=THREE)(lambda: None)
    numbers = iter(range(10 * COUNT))
    span()
    call()
    return {
        "bytes per queued span, SDK": grown(span),
        "bytes per queued span, ours": grown(call),
        "bytes per idle call site, ours": grown(
            lambda: instrumented(name=f"site {next(numbers)}")(lambda: None)
        ),
    }


if __name__ == "__main__":
    print(json.dumps(main()), flush=True)
    os._exit(0)
