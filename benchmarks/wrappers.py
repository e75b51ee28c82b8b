"""W3 to W6: what watching a part adds to it, plain and as coroutine functions.

Each call is measured bare, by ours and by hand; messages and their types vary from call to call.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import prometheus_client

from benchmarks.measure import Run, arace, race
from benchmarks.parts import MESSAGES, TYPES, AsyncParts, ByOpenTelemetry, ByPrometheus, Parts

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.rig import Rig


def watched(parts: Parts, title: str) -> Any:
    """The same parts with all of their wrappers, as one object."""
    from opentelemetry.instrumentation.qudag.cache import MonitoredValidationCache
    from opentelemetry.instrumentation.qudag.chunking import MonitoredChunkProcessor
    from opentelemetry.instrumentation.qudag.messages import MonitoredMessageFlow
    from opentelemetry.instrumentation.qudag.pool import MonitoredConnectionPool
    from opentelemetry.instrumentation.qudag.swarm import MonitoredSwarmCoordinator

    class Watched:
        cache: Any = MonitoredValidationCache(parts, validation_type="file", node_id=title)
        pool: Any = MonitoredConnectionPool(parts, pool_type="peers", node_id=title)
        flow: Any = MonitoredMessageFlow(parts, message_types=TYPES, node_id=title)
        chunker: Any = MonitoredChunkProcessor(parts, compression_type="zstd", node_id=title)
        swarm: Any = MonitoredSwarmCoordinator(parts, swarm_id=title, node_id=title)
        get, put = cache.get, cache.put
        acquire, release = pool.acquire, pool.release
        send, handle = flow.send, flow.handle
        process, submit = chunker.process, swarm.submit

    return Watched


def cache(rig: Rig) -> dict[str, float]:
    """W3."""
    ours, bare = watched(Parts(), "cache"), Parts()
    prom, sdk = ByPrometheus(bare), ByOpenTelemetry(bare, rig.sdk)
    found = {
        **race("cache get", bare=lambda: bare.get("key"), ours=lambda: ours.get("key"),
               prometheus_client=lambda: prom.get("key"), OpenTelemetry=lambda: sdk.get("key")),
        **race("cache put", bare=lambda: bare.put("key", b"v"), ours=lambda: ours.put("key", b"v"),
               prometheus_client=lambda: prom.put("key", b"v")),
    }  # fmt: skip
    rig.counted("qudag.validation.cache.hits", "cache get")
    return found


def calls_of(parts: Any) -> dict[str, tuple[int, Callable[[], Any]]]:
    """Every call of W4 and W5 on parts that are watched or not, with the spans that it makes."""
    messages, types = itertools.cycle(MESSAGES), itertools.cycle(TYPES)
    send, handle, process, submit = parts.send, parts.handle, parts.process, parts.submit

    def nothing() -> None:
        pass

    def pooled() -> None:
        parts.release(parts.acquire())

    return {
        "pool acquire and release": (1, pooled),
        "message send": (1, lambda: send(next(messages), next(types))),
        "message handle": (1, lambda: handle(next(messages), next(types))),
        "chunk processing": (1, lambda: process(next(messages), next(types))),
        "swarm submit to completion": (2, lambda: submit(nothing, task_type=next(types), priority="high")),
    }  # fmt: skip


def acalls_of(parts: Any) -> dict[str, Callable[[], Any]]:
    """The same of coroutine functions."""
    messages, types = itertools.cycle(MESSAGES), itertools.cycle(TYPES)
    send, handle, process, submit = parts.send, parts.handle, parts.process, parts.submit

    async def nothing() -> None:
        pass

    async def pooled() -> None:
        await parts.release(await parts.acquire())

    return {
        "cache get": lambda: parts.get("key"),
        "pool acquire and release": pooled,
        "message send": lambda: send(next(messages), next(types)),
        "message handle": lambda: handle(next(messages), next(types)),
        "chunk processing": lambda: process(next(messages), next(types)),
        "swarm submit to completion": lambda: submit(nothing, task_type=next(types), priority="high"),
    }  # fmt: skip


METRICS = {
    "pool acquire and release": ("qudag.connection.wait.time", "qudag.connection.pool.hits"),
    "message send": ("qudag.message.throughput",),
    "message handle": ("qudag.message.throughput",),
    "chunk processing": ("qudag.chunks.processed", "qudag.chunking.duration"),
    "swarm submit to completion": ("qudag.swarm.tasks.completed", "qudag.swarm.task.latency"),
}


def spans(rig: Rig) -> dict[str, float]:
    """W4 and W5."""
    bare = Parts()
    ours, plain = calls_of(watched(Parts(), "spans")), calls_of(bare)
    prom, sdk = ByPrometheus(bare), ByOpenTelemetry(bare, rig.sdk)
    messages, types = itertools.cycle(MESSAGES), itertools.cycle(TYPES)
    by_hand: dict[str, dict[str, Callable[[], Any] | Run]] = {
        "pool acquire and release": {
            "prometheus_client": lambda: prom.release(prom.acquire()),
            "OpenTelemetry": Run(lambda: sdk.release(sdk.acquire()), rig.sdk.flush),
        },
        "message send": {
            "prometheus_client": lambda: prom.send(next(messages), next(types)),
            "OpenTelemetry": Run(lambda: sdk.send(next(messages), next(types)), rig.sdk.flush),
        },
    }
    found = timed()
    for what, (count, call) in ours.items():
        rig.expect(call, spans=count, metrics=METRICS[what])
        whom = by_hand.get(what, {})
        found |= race(what, bare=plain[what][1], ours=Run(call, rig.send), **whom)
    return found


def coroutines(rig: Rig) -> dict[str, float]:
    """W6."""
    parts = AsyncParts()
    ours, plain = acalls_of(watched(parts, "async")), acalls_of(parts)
    found: dict[str, float] = {}
    for what, call in ours.items():
        title = f"{what}, coroutine functions"
        # What makes no spans is measured without a flush in between, as it was for W3.
        after = rig.send if what in METRICS else None
        found |= arace(title, bare=plain[what], ours=Run(call, after))
    return found


def timed() -> dict[str, float]:
    """What W4 to W8 are compared with."""

    def work() -> None:
        pass

    registry = prometheus_client.CollectorRegistry()
    histogram = prometheus_client.Histogram("timed_seconds", "d", registry=registry)
    return race("metrics alone", bare=work, prometheus_client=histogram.time()(work))
