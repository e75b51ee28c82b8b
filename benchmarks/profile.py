"""`python -m benchmarks.profile "message send"`: in which functions a watched part's time goes.

The profiler makes calls of small functions look dearer than they are: shares are rough.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
from pathlib import Path
from typing import Any

from benchmarks import wrappers
from benchmarks.environments import ROOT
from benchmarks.parts import Parts
from qudag_otel import configure

_CALLS = 20_000
_SHOWN = 15


def shares(what: str, calls: int = _CALLS) -> list[tuple[float, str]]:
    """Functions with their share of a call's time without that of what they call, most first.

    Args:
        what: A row of `wrappers.calls_of`.
        calls: How many calls.
    """
    with configure(
        traces_exporter="none", metrics_exporter="none", logs_exporter="none", sigterm=False
    ):
        call = wrappers.calls_of(wrappers.watched(Parts(), "profile"))[what][1]
        profile = cProfile.Profile()
        profile.enable()
        for _ in range(calls):
            call()
        profile.disable()
    stats: Any = pstats.Stats(profile)
    entries: dict[tuple[str, int, str], tuple[int, int, float, float, Any]] = stats.stats
    total = sum(entry[2] for entry in entries.values())
    found = [(entry[2] / total, _place(*at)) for at, entry in entries.items()]
    return sorted(found, reverse=True)


def _place(file: str, line: int, name: str) -> str:
    path = Path(file)
    return f"{path.relative_to(ROOT)}:{line} {name}" if path.is_relative_to(ROOT) else name


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument("what", choices=list(wrappers.calls_of(wrappers.watched(Parts(), "help"))))
    for share, place in shares(parser.parse_args().what)[:_SHOWN]:
        print(f"{share:6.1%}  {place}")
