"""W1 and W2: a value recorded, by a bound series and by a recorder, next to the same by the peers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import prometheus_client

from benchmarks.measure import race

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.rig import Rig

NAMES = ("a", "b", "c")
VALUES = {"a": "x", "b": "y", "c": "z"}


def bound(rig: Rig) -> dict[str, float]:
    """Bound once: a counter, a histogram, a gauge."""
    from qudag_otel import counter, gauge, histogram

    labels = dict.fromkeys(NAMES)
    ours = (
        counter("bench.adds", labels=labels).labels(**VALUES),
        histogram("bench.records", labels=labels).labels(**VALUES),
        gauge("bench.sets", labels=labels).labels(**VALUES),
    )
    theirs = (
        prometheus_client.Counter("bench_adds", "d", NAMES).labels(*VALUES.values()),
        prometheus_client.Histogram("bench_records", "d", NAMES).labels(*VALUES.values()),
        prometheus_client.Gauge("bench_sets", "d", NAMES).labels(*VALUES.values()),
    )
    meter = rig.sdk.meter
    adds, records = meter.create_counter("adds"), meter.create_histogram("records")
    sets = meter.create_gauge("sets")
    record, observe, show, put = ours[1].record, theirs[1].observe, ours[2].set, theirs[2].set
    found = {
        **race("counter add, bound", ours=ours[0].add, prometheus_client=theirs[0].inc,
               OpenTelemetry=lambda: adds.add(1, VALUES)),
        **race("histogram record, bound", ours=lambda: record(0.1),
               prometheus_client=lambda: observe(0.1),
               OpenTelemetry=lambda: records.record(0.1, VALUES)),
        **race("gauge set, bound", ours=lambda: show(0.1), prometheus_client=lambda: put(0.1),
               OpenTelemetry=lambda: sets.set(0.1, VALUES)),
    }  # fmt: skip
    rig.counted("bench.adds", "counter add, bound")
    rig.counted("bench.records", "histogram record, bound")
    return found


def recorders(rig: Rig) -> dict[str, float]:
    """Recorders, next to `labels(...)` of prometheus_client and what it does with the child."""
    import qudag_otel as q

    def counting(name: str, *labels: str) -> Callable[[], None]:
        made = prometheus_client.Counter(name, "d", labels)
        return lambda: made.labels(*labels).inc()

    waits = prometheus_client.Histogram("by_hand_seconds", "d", NAMES)
    memory = prometheus_client.Gauge("by_hand_bytes", "d", NAMES[:2])
    adds = rig.sdk.meter.create_counter("recorded")
    throughput, lookup, error = q.record_throughput, q.record_cache_lookup, q.record_error
    request, evicted = q.record_pool_request, q.record_cache_eviction
    took, held = q.record_operation_time, q.update_cache_memory
    found = {
        **race("record_throughput", ours=lambda: throughput("file", "outbound"),
               prometheus_client=counting("by_hand_messages", *NAMES),
               OpenTelemetry=lambda: adds.add(1, VALUES)),
        **race("record_cache_lookup", ours=lambda: lookup("file", hit=True),
               prometheus_client=counting("by_hand_lookups", *NAMES[:2])),
        **race("record_error", ours=lambda: error(None, "bench", ValueError),
               prometheus_client=counting("by_hand_errors", *NAMES)),
        **race("record_pool_request", ours=lambda: request("peers", hit=True),
               prometheus_client=counting("by_hand_requests", *NAMES[:2])),
        **race("record_cache_eviction", ours=lambda: evicted("file", "capacity"),
               prometheus_client=counting("by_hand_evictions", *NAMES)),
        **race("record_operation_time", ours=lambda: took("load", 0.1, component="bench"),
               prometheus_client=lambda: waits.labels(*NAMES).observe(0.1)),
        **race("update_cache_memory", ours=lambda: held("file", 100),
               prometheus_client=lambda: memory.labels(*NAMES[:2]).set(100)),
    }  # fmt: skip
    for metric, what in (
        ("qudag.message.throughput", "record_throughput"),
        ("qudag.validation.cache.hits", "record_cache_lookup"),
        ("qudag.errors", "record_error"),
        ("qudag.connection.pool.hits", "record_pool_request"),
        ("qudag.cache.evictions", "record_cache_eviction"),
    ):
        rig.counted(metric, what)
    return found
