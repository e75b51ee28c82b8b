"""The least time of many short repeats: what the code costs when nothing disturbs it."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

CALLS = 1000
REPEATS = int(os.environ.get("QUDAG_BENCH_REPEATS", "150"))


def pin() -> None:
    """Stay on one core, where the system allows it."""
    if sys.platform == "linux":
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def best(call: Callable[[], Any], *, between: Callable[[], Any] | None = None) -> float:
    """Nanoseconds of one call: the least over all repeats.

    Args:
        call: What is measured.
        between: Called between repeats, unmeasured; empties queues.
    """
    call()
    least = float("inf")
    clock, calls = time.perf_counter_ns, range(CALLS)
    gc.collect()
    gc.disable()
    try:
        for _ in range(REPEATS):
            began = clock()
            for _ in calls:
                call()
            least = min(least, clock() - began)
            if between is not None:
                between()
    finally:
        gc.enable()
    return least / CALLS


def awaiting(function: Callable[[], Any], *, between: Callable[[], Any] | None = None) -> float:
    """One await, inside a running loop."""

    async def main() -> float:
        await function()
        least = float("inf")
        for _ in range(REPEATS):
            began = time.perf_counter_ns()
            for _ in range(CALLS):
                await function()
            least = min(least, time.perf_counter_ns() - began)
            if between is not None:
                between()
        return least / CALLS

    return asyncio.run(main())


def stepping(make: Callable[[], Iterator[int]]) -> float:
    """One step of a generator."""
    least = float("inf")
    for _ in range(REPEATS):
        steps = make()
        next(steps)
        began = time.perf_counter_ns()
        for _ in range(CALLS):
            next(steps)
        least = min(least, time.perf_counter_ns() - began)
    return least / CALLS


def threads(
    function: Callable[[], Any], count: int, *, between: Callable[[], Any] | None = None
) -> float:
    """One call, with several threads calling at once."""
    least = float("inf")

    def many() -> None:
        for _ in range(CALLS):
            function()

    for _ in range(max(3, REPEATS // 10)):
        started = [threading.Thread(target=many) for _ in range(count)]
        began = time.perf_counter_ns()
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()
        least = min(least, time.perf_counter_ns() - began)
        if between is not None:
            between()
    return least / CALLS / count
