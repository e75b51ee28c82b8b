"""The least time of many short repeats: what the code costs when nothing disturbs it."""

from __future__ import annotations

import gc
import os
import sys
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

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
