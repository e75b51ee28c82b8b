"""What one value costs, against prometheus_client in the same run; prints a table.

`python -m benchmarks.values` measures bound series, recorders and growth with the number of
series; with OTEL_SDK_DISABLED=true, what is left of them.
"""

from __future__ import annotations

import gc
import time
import tracemalloc
from typing import TYPE_CHECKING, Any, NamedTuple

import prometheus_client as theirs
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from benchmarks.measure import best, pin
from qudag_otel import configure, counter, recorders
from qudag_otel.catalogue import metrics as m
from qudag_otel.instruments import series

if TYPE_CHECKING:
    from collections.abc import Callable

SERIES = (10, 1_000, 100_000)


class Row(NamedTuple):
    """A figure, what it is compared with, and the most that the ratio may be."""

    name: str
    cost: float
    beside: float
    most: float


def bound() -> list[Row]:
    """Bound series against bound children."""
    add = series(m.POOL_HITS, pool_type="p").add
    record = series(m.CONNECTION_WAIT_TIME, pool_type="p").record
    show = series(m.RESOURCE_USED, resource="r").set
    hits, free = theirs.Counter("hits", "-"), theirs.Gauge("free", "-")
    waits = theirs.Histogram("waits", "-", buckets=m.CONNECTION_WAIT_TIME.bounds)
    return [
        Row("counter add / inc", best(add), best(hits.inc), 0.4),
        Row(
            "histogram record / observe",
            best(lambda: record(0.1)),
            best(lambda: waits.observe(0.1)),
            0.3,
        ),
        Row("gauge set / set", best(lambda: show(0.5)), best(lambda: free.set(0.5)), 0.3),
    ]


def recorded() -> list[Row]:
    """Recorders against labels and inc."""
    counted = theirs.Counter("counted", "-", ["node", "type", "direction"])
    beside = best(lambda: counted.labels("n", "file", "inbound").inc())
    error = ValueError()
    forms: dict[str, Callable[[], None]] = {
        "record_throughput": lambda: recorders.record_throughput("file", "inbound"),
        "record_cache_lookup": lambda: recorders.record_cache_lookup("signature", hit=True),
        "record_error": lambda: recorders.record_error("n", "store", error),
        "record_pool_request": lambda: recorders.record_pool_request("peer", hit=True),
        "update_cache_memory": lambda: recorders.update_cache_memory("validation", 5),
    }
    empty = best(lambda: None)
    return [
        Row(f"{name} / labels().inc()", best(call) - empty, beside - empty, 0.2)
        for name, call in forms.items()
    ]


def growing() -> list[str]:
    """A value's cost, a collection's and a series' memory by the number of series."""
    lines: list[str] = []
    gc.collect()
    tracemalloc.start()
    own = counter("bench.own", labels={"n": 1000})
    kept = [own.labels(n=str(number)) for number in range(1000)]
    ours = tracemalloc.get_traced_memory()[0] / 1000
    theirs_counter = MeterProvider([InMemoryMetricReader()]).get_meter("b").create_counter("c")
    before = tracemalloc.get_traced_memory()[0]
    for number in range(1000):
        theirs_counter.add(1, {"n": str(number)})
    sdk = (tracemalloc.get_traced_memory()[0] - before) / 1000
    lines.append(f"memory a series: {ours:.0f} bytes, beside the SDK's {sdk:.0f}")
    tracemalloc.stop()
    del kept
    many = counter("bench.many", labels={"n": max(SERIES)})
    made: list[Any] = []
    for count in SERIES:
        made += [many.labels(n=str(number)) for number in range(len(made), count)]
        for one in made:
            one.add()
        began = time.perf_counter()
        for one in made:
            one.drain()
        took = (time.perf_counter() - began) / count
        lines.append(
            f"{count:7,} series: add {best(made[-1].add):.0f} ns, drain {took * 1e6:.1f} us each"
        )
    return lines


def main() -> None:
    """Measure and print."""
    pin()
    configure(
        metrics_exporter="prometheus", prometheus_port=0, traces_exporter="none",
        logs_exporter="none", sigterm=False,
    )  # fmt: skip
    print("| value | ns | beside | ratio | at most |\n|---|---:|---:|---:|---:|")
    for row in (*bound(), *recorded()):
        ratio = row.cost / row.beside
        print(f"| {row.name} | {row.cost:.0f} | {row.beside:.0f} | {ratio:.2f} | {row.most} |")
    print(*growing(), sep="\n")


if __name__ == "__main__":
    main()
