"""This process and its Python, read when metrics are collected; and how late its event loop is."""

from __future__ import annotations

import gc
import os
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.metrics import Observation

from qudag_otel.catalogue import process as c
from qudag_otel.instruments import observe_raw, series

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    from qudag_otel.catalogue import Metric

__all__ = ["watch_event_loop"]

LEAST_SECONDS: Final = 0.01


class _Process:
    """What psutil says of the process that asks: after a fork that is another one."""

    def __init__(self) -> None:
        self._pid = 0
        self._found: Any = None

    def __call__(self) -> Any:
        pid = os.getpid()
        if pid != self._pid:
            import psutil  # only where it is asked

            self._found, self._pid = psutil.Process(pid), pid
        return self._found


_process: Final = _Process()


def _cpu() -> list[Observation]:
    times = os.times()
    return [
        Observation(times.user, {c.CPU_MODE.key: "user"}),
        Observation(times.system, {c.CPU_MODE.key: "system"}),
    ]


def _switches() -> list[Observation]:
    counts = _process().num_ctx_switches()
    return [
        Observation(getattr(counts, kind), {c.SWITCH_TYPE.key: kind})
        for kind in c.SWITCH_TYPE.values
    ]


def _collector(field: str) -> Callable[[], list[Observation]]:
    def read() -> list[Observation]:
        return [
            Observation(stats[field], {c.GENERATION.key: generation})
            for generation, stats in enumerate(gc.get_stats())
        ]

    return read


_READ: Final[dict[Metric, Callable[[], list[Observation]]]] = {
    c.CPU_TIME: _cpu,
    c.MEMORY: lambda: [Observation(_process().memory_info().rss)],
    c.VIRTUAL: lambda: [Observation(_process().memory_info().vms)],
    c.THREADS: lambda: [Observation(_process().num_threads())],
    c.DESCRIPTORS: lambda: [Observation(_process().num_fds())] if os.name == "posix" else [],
    c.SWITCHES: _switches,
    c.COLLECTIONS: _collector("collections"),
    c.COLLECTED: _collector("collected"),
    c.UNCOLLECTABLE: _collector("uncollectable"),
}


def observe_process() -> Callable[[], None]:
    """Have the process read at each collection.

    Returns:
        A function that ends that.
    """
    stops = [observe_raw(metric, read) for metric, read in _READ.items()]

    def stop() -> None:
        for one in stops:
            one()

    return stop


def watch_event_loop(interval: float = 0.5) -> Callable[[], None]:
    """Measure how late the running event loop wakes a timer, as `qudag.eventloop.lag`.

    A callback that computes or blocks holds up everything else on its loop; this shows for how
    long. It ends with the loop.

    Args:
        interval: How often, in seconds; 0.01 or more.

    Returns:
        A function that ends it, to be called on the loop.

    Raises:
        RuntimeError: No event loop runs here.
        ValueError: The interval is too short.
    """
    if not interval >= LEAST_SECONDS:
        raise ValueError(f"interval= takes {LEAST_SECONDS} seconds or more, not {interval!r}")
    import asyncio  # who asks for its loop has loaded it

    loop = asyncio.get_running_loop()
    record = series(c.LOOP_LAG).add
    waiting: list[asyncio.TimerHandle] = []

    def ask() -> None:
        waiting[:] = [loop.call_later(interval, wake, loop.time() + interval)]

    def wake(asked: float) -> None:
        record(max(0.0, loop.time() - asked))
        ask()

    def stop() -> None:
        for one in waiting:
            one.cancel()
        waiting.clear()

    ask()
    return stop
