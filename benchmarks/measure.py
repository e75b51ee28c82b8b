"""The least time of many short repeats that take turns: what code costs when nothing disturbs it."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import threading
import time
from collections import Counter
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.profile import TIMES, show

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Mapping

SHORT = bool(os.environ.get("QUDAG_BENCH_SHORT"))
PROFILE = bool(os.environ.get("QUDAG_BENCH_PROFILE"))
CALLS = 20 if SHORT else 1000
"""Calls of one repeat, at most."""
REPEATS = 2 if SHORT else 150
"""Repeats, at most."""
SECONDS = 2.0
"""How long one figure is repeated, at most."""
REPEAT_NS = 3_000_000
"""How long one repeat of something slow takes: short enough to be left alone now and then."""

made: Counter[str] = Counter()
"""How many calls were made for each figure, so that what was recorded can be compared."""

clock = time.perf_counter_ns


class Run(NamedTuple):
    """What is measured, and what is called after each repeat without being measured."""

    call: Callable[[], Any]
    after: Callable[[], Any] | None = None


def key(what: str, who: str) -> str:
    """The name of a figure."""
    return f"{what} | {who}"


def pin(*, last: bool = True) -> None:
    """Stay on one core, where the system allows it."""
    if sys.platform == "linux":
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {max(cores) if last else min(cores)})


def race(what: str, **whom: Callable[[], Any] | Run) -> dict[str, float]:
    """Nanoseconds of one call of each, the least of repeats that take turns.

    Args:
        what: What is measured.
        whom: What is called, by the name of who does it.
    """
    return _race(what, whom, _calling)


def arace(what: str, **whom: Callable[[], Any] | Run) -> dict[str, float]:
    """The same of calls that give awaitables, which are awaited in a running loop."""
    with asyncio.Runner() as runner:
        return _race(what, whom, lambda call, count: runner.run(_awaiting(call, count)))


def _race(
    what: str,
    whom: Mapping[str, Callable[[], Any] | Run],
    repeat: Callable[[Callable[[], Any], int], int],
) -> dict[str, float]:
    runs = {key(what, who): run if isinstance(run, Run) else Run(run) for who, run in whom.items()}
    counts: dict[str, int] = {}
    for name, run in runs.items():
        repeat(run.call, 1)
        each = max(1, repeat(run.call, 20) / 20)
        counts[name] = min(CALLS, max(20, int(REPEAT_NS / each)))
        made[name] += 21
        if run.after is not None:
            run.after()
    least = dict.fromkeys(runs, float("inf"))
    ends = time.monotonic() + SECONDS * len(runs)
    with still():
        for _ in range(REPEATS):
            for name, run in runs.items():
                count = counts[name]
                least[name] = min(least[name], repeat(run.call, count) / count)
                made[name] += count
                if run.after is not None:
                    run.after()
            if time.monotonic() > ends:
                break
    ours = key(what, "ours")
    if PROFILE and ours in runs:
        show(ours, partial(repeat, runs[ours].call, counts[ours]))
        made[ours] += counts[ours] * TIMES
    return least


def _calling(call: Callable[[], Any], count: int) -> int:
    calls = range(count)
    began = clock()
    for _ in calls:
        call()
    return clock() - began


async def _awaiting(call: Callable[[], Awaitable[Any]], count: int) -> int:
    calls = range(count)
    began = clock()
    for _ in calls:
        await call()
    return clock() - began


@contextmanager
def still() -> Iterator[None]:
    """No pauses of the garbage collector, for anybody."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def stepping(make: Callable[[], Iterator[int]]) -> float:
    """Nanoseconds of one step of a generator."""
    least = float("inf")
    for _ in range(REPEATS):
        steps = make()
        next(steps)
        least = min(least, _calling(steps.__next__, CALLS))
    return least / CALLS


def threads(
    function: Callable[[], Any], count: int, *, after: Callable[[], Any] | None = None
) -> float:
    """Nanoseconds of one call, with several threads calling at once.

    Args:
        function: What is called.
        count: How many threads.
        after: Called after each repeat, unmeasured.
    """
    least = float("inf")
    each = max(20, 8 * CALLS // count) if count > 8 else CALLS
    for _ in range(max(1, REPEATS // 15)):
        started = [threading.Thread(target=_calling, args=(function, each)) for _ in range(count)]
        began = clock()
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()
        least = min(least, (clock() - began) / each / count)
        if after is not None:
            after()
    return least


def least_of(function: Callable[[], Any], times: int) -> float:
    """The least nanoseconds of something large, done so often."""
    least = float("inf")
    with still():
        for _ in range(1 if SHORT else times):
            began = clock()
            function()
            least = min(least, clock() - began)
    return least


def report(found: dict[str, float]) -> None:
    """Print what was found, and end without waiting for any thread: none has anything to finish."""
    print(json.dumps(found))
    sys.stdout.flush()
    os._exit(0)
