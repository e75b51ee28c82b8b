"""The rows that are measured call by call, in one process under one set-up. Prints JSON."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from benchmarks import calls, lines, values, wrappers
from benchmarks.measure import pin, report
from benchmarks.rig import Rig

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS: dict[str, Callable[[Rig], dict[str, float]]] = {
    "W1": values.bound,
    "W2": values.recorders,
    "W3": wrappers.cache,
    "W4": wrappers.spans,
    "W6": wrappers.coroutines,
    "W7": calls.inside,
    "W8": calls.raising,
    "W9": calls.decorated,
    "W11": lines.lines,
}

if __name__ == "__main__":
    pin()
    rig = Rig()
    found: dict[str, float] = {}
    for row in sys.argv[1:]:
        found |= ROWS[row](rig)
    report(found)
