"""P9 and W16: bytes of an idle call site, of a span that waits for export, of a series. Prints JSON."""

from __future__ import annotations

import functools
import gc
import time
import tracemalloc
from typing import TYPE_CHECKING, Any

import prometheus_client
from opentelemetry import metrics
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from benchmarks.measure import key, report
from qudag_otel import counter, instrumented
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


def main() -> dict[str, float]:  # noqa: C901, PLR0915 - one thing after the other
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
    metrics.set_meter_provider(MeterProvider([InMemoryMetricReader()]))
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

    many = counter("bench.many", labels={"n": 10 * COUNT, "m": 1})
    counted = meter.create_counter("many")
    children = prometheus_client.Counter("many", "d", ("n", "m"))

    def ours() -> Any:
        """A series with a value."""
        made = many.labels(n=f"n{next(numbers)}", m="m")
        made.add(1)
        return made

    def sdks() -> None:
        """The same of the SDK."""
        counted.add(1, {"n": f"n{next(numbers)}", "m": "m"})

    def child() -> None:
        """The same of prometheus_client."""
        children.labels(f"n{next(numbers)}", "m").inc()

    rows: dict[str, dict[str, Callable[[], Any]]] = {
        "bytes per queued span": {"OpenTelemetry": span, "ours": call},
        "bytes per idle call site": {"OpenTelemetry": by_hand, "ours": site},
        "bytes per series": {"OpenTelemetry": sdks, "ours": ours, "prometheus_client": child},
    }
    found: dict[str, float] = {}
    for what, whom in rows.items():
        for who, make in whom.items():
            make()
            found[key(what, who)] = grown(make)
    return found


if __name__ == "__main__":
    report(main())
