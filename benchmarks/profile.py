"""In which functions the time of ours goes: `make bench ARGS="--rows W8 --profile"` prints it.

The profiler makes calls of small functions look dearer than they are: shares are rough. It sees the thread that calls;
what threads of ours take besides, the figures of W10, W11 and W14 tell.
"""

from __future__ import annotations

import cProfile
import pstats
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.environments import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable

_SHOWN = 15
TIMES = 20


def shares(function: Callable[[], Any]) -> list[tuple[float, str]]:
    """Functions with their share of the time without that of what they call, most first.

    The quickest of some repeats counts: nothing disturbed it.

    Args:
        function: What is called.
    """
    quickest: dict[str, float] = {}
    least = float("inf")
    for _ in range(TIMES):
        profile = cProfile.Profile()
        profile.runcall(function)
        stats: Any = pstats.Stats(profile)
        entries: dict[tuple[str, int, str], tuple[int, int, float, float, Any]] = stats.stats
        taken: dict[str, float] = {}
        for at, entry in entries.items():
            place = _place(*at)
            taken[place] = taken.get(place, 0.0) + entry[2]
        if sum(taken.values()) < least:
            quickest, least = taken, sum(taken.values())
    return sorted(((took / least, place) for place, took in quickest.items()), reverse=True)


def show(what: str, function: Callable[[], Any]) -> None:
    """Print the largest shares.

    Args:
        what: What it is.
        function: What is called.
    """
    lines = [f"{share:6.1%}  {place}" for share, place in shares(function)[:_SHOWN]]
    sys.stderr.write("\n".join([what, *lines, ""]))


def _place(file: str, line: int, name: str) -> str:
    path = Path(file)
    return f"{path.relative_to(ROOT)}:{line} {name}" if path.is_relative_to(ROOT) else name
