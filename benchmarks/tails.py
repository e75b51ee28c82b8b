"""W17: the tail of a decorated call while its span and its metrics are exported. Prints JSON.

One process measures one of ours, prometheus_client, the SDK, and a bare call; each call is timed by itself,
saturated and at 1,000 calls a second. The figure is the least of some rounds, quantile by quantile: what
else runs on the machine is nobody's tail. Exports are as frequent as by default, metrics every second.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from typing import TYPE_CHECKING

from benchmarks.measure import SHORT, clock, key, pin, report
from benchmarks.rig import EXPORTING

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = 1 if SHORT else 4
SATURATED = {"OpenTelemetry": 100_000}
EACH = 250_000
PACED = 200 if SHORT else 6000
PACE_NS = 1_000_000
QUANTILES = {"p50": 0.5, "p99.9": 0.999, "p99.99": 0.9999, "most": 1.0}


def work() -> None:
    """The function that is measured."""


def ours() -> Callable[[], None]:
    """Ours, by configure()."""
    from qudag_otel import configure, instrumented

    configure(sigterm=False)
    return instrumented(name="work", component="bench")(work)


def prometheus() -> Callable[[], None]:
    """A histogram's timer."""
    import prometheus_client

    timed: Callable[[], None] = prometheus_client.Histogram("timed_seconds", "d").time()(work)
    return timed


def sdk() -> Callable[[], None]:
    """A span and a histogram of the SDK, set up by itself from the environment."""
    from opentelemetry import metrics, trace
    from opentelemetry.sdk._configuration import _OTelSDKConfigurator

    _OTelSDKConfigurator().configure()  # type: ignore[no-untyped-call]
    tracer = trace.get_tracer("bench")
    duration = metrics.get_meter("bench").create_histogram("duration", "s")

    def call() -> None:
        began = time.perf_counter()
        with tracer.start_as_current_span("work"):
            work()
        duration.record(time.perf_counter() - began)

    return call


WHO: dict[str, Callable[[], Callable[[], None]]] = {
    "ours": ours,
    "prometheus_client": prometheus,
    "OpenTelemetry": sdk,
    "bare": lambda: work,
}


def saturated(call: Callable[[], None], count: int) -> list[int]:
    """The duration of each call, one right after the other."""
    took = [0] * count
    for index in range(count):
        began = clock()
        call()
        took[index] = clock() - began
    return took


def paced(call: Callable[[], None], count: int) -> list[int]:
    """The duration of each call, one a millisecond."""
    took = [0] * count
    due = clock()
    for index in range(count):
        due += PACE_NS
        left = due - clock()
        if left > 0:
            time.sleep(left / 1e9)
        began = clock()
        call()
        took[index] = clock() - began
    return took


def quantiles(took: list[int]) -> dict[str, float]:
    """Those of `QUANTILES`, in nanoseconds."""
    took.sort()
    return {
        name: float(took[min(len(took) - 1, int(share * len(took)))])
        for name, share in QUANTILES.items()
    }


def main(who: str) -> dict[str, float]:
    """All quantiles of one."""
    call = WHO[who]()
    found: dict[str, float] = {}
    # The lists of durations must not make the collector run: it is the application's, not theirs.
    gc.freeze()
    each = 2000 if SHORT else SATURATED.get(who, EACH)
    for title, measured, count in (("saturated", saturated, each), ("1,000 calls/s", paced, PACED)):
        measured(call, count // 10)
        rounds = [quantiles(measured(call, count)) for _ in range(ROUNDS)]
        for name in QUANTILES:
            if title == "saturated" or name in {"p50", "p99.9"}:  # too few calls for more
                found[key(f"call {title}, {name}", who)] = min(one[name] for one in rounds)
    return found


if __name__ == "__main__":
    pin()
    os.environ.update({
        **EXPORTING, "OTEL_METRIC_EXPORT_INTERVAL": "1000", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/protobuf",
    })  # fmt: skip
    report(main(sys.argv[1]))
