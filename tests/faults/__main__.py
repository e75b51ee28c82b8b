"""Measure all rows and write docs/guarantees.md: `python -m tests.faults [--short] [--rows WORD]`.

A promise that is broken makes the command fail. With `--rows` the page's other rows stay as they
are; with `--short` nothing is written.
"""

from __future__ import annotations

import argparse
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from tests.faults import page
from tests.faults.bench import OURS, PLAIN, bench
from tests.faults.table import FAULTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tests.faults.table import Fault

_TOGETHER: Final = 4  # most of them wait most of the time


def measured(fault: Fault, setup: str, *, long: bool) -> float | None:
    """One figure; None if the program came to no end or to no figure."""
    with bench(setup, long=long, most_bytes=fault.most_bytes) as place:
        try:
            return fault.measure(place)
        except Exception as error:
            if setup == OURS:
                raise
            print(f"    {setup}: {type(error).__name__}: {error}", file=sys.stderr)
            return None


def rows(faults: Iterable[Fault], *, long: bool) -> Iterator[page.Row]:
    """Measure: both set-ups one after another, or quickly, side by side and ours alone."""
    if long:
        for fault in faults:
            yield page.Row(fault, *(measured(fault, one, long=True) for one in (OURS, PLAIN)))
        return
    with ThreadPoolExecutor(_TOGETHER) as pool:
        tried = list(faults)
        figures = pool.map(lambda fault: measured(fault, OURS, long=False), tried)
        yield from map(page.Row, tried, figures)


def main() -> int:
    """Measure, print and write."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that what was started is ended
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--short", action="store_true", help="the cheap rows, of ours only")
    parser.add_argument("--rows", default="", help="rows whose fault has this text")
    arguments = parser.parse_args()
    asked = [
        fault
        for fault in FAULTS
        if arguments.rows in fault.name and (fault.short or not arguments.short)
    ]
    found: list[page.Row] = []
    for row in rows(asked, long=not arguments.short):
        print(row.line, flush=True)
        found.append(row)
    if not arguments.short:
        page.write(found)
    broken = sum(not row.kept for row in found)
    if broken:
        print(f"{broken} promises are broken", file=sys.stderr)
    return int(broken > 0)


if __name__ == "__main__":
    sys.exit(main())
