"""`qudag-otel top`: the live view of any /metrics endpoints."""

from __future__ import annotations

import itertools
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from qudag_otel.cli._command import bounded, count, told
from qudag_otel.cli._scrape import endpoint, scrape

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from qudag_otel.cli._scrape import Snapshot
    from qudag_otel.cli._screen import Screen

DEFAULT: Final = "http://127.0.0.1:9464/metrics"
MIN_WINDOW_SECONDS: Final = 10.0
MIN_INTERVAL_SECONDS: Final = 0.1
_INTERVAL: Final = bounded(
    f"a number of seconds, {MIN_INTERVAL_SECONDS} or more", MIN_INTERVAL_SECONDS
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "urls", nargs="*", type=told(endpoint), metavar="URL",
        help=f"endpoints, each as URL, host:port or port ({DEFAULT})",
    )  # fmt: skip
    parser.add_argument(
        "--interval", type=_INTERVAL, default=1.0, metavar="SECONDS",
        help="how often to read them (1)",
    )  # fmt: skip
    parser.add_argument(
        "--rounds",
        type=count,
        metavar="N",
        help="stop after so many readings; by default at q or Ctrl-C",
    )
    parser.add_argument(
        "--view", choices=("auto", "nodes", "tables"), default="auto",
        help="QuDAG nodes, or tables of all that is there; by default what suits (%(default)s)",
    )  # fmt: skip


def run(arguments: argparse.Namespace) -> int:
    """Show the view, and return 0, or 1 if no endpoint could be read in the last round."""
    from rich.console import Console
    from rich.live import Live

    from qudag_otel.cli._keys import keys
    from qudag_otel.cli._screen import Screen

    urls: Sequence[str] = arguments.urls or [DEFAULT]
    screen = Screen(
        "qudag-otel top", max(MIN_WINDOW_SECONDS, 3 * arguments.interval), arguments.view
    )
    console = Console()
    if not console.is_terminal or console.is_dumb_terminal:
        return _lines(arguments, urls, screen)
    snapshots: Sequence[Snapshot] = ()
    with Live(console=console, screen=True, auto_refresh=False) as shown, keys() as pressed:
        for _ in _rounds(arguments.rounds):
            started = time.monotonic()
            snapshots = _scrape_all(urls)
            screen.add(snapshots)
            shown.update(screen.draw(console), refresh=True)
            for key in pressed.until(started + arguments.interval):
                screen.press(key)
                shown.update(screen.draw(console), refresh=True)
                if screen.left:
                    break
            if screen.left:
                break
    # The screen of before is back: leave the last view on it.
    console.print(screen.draw(console))
    return _code(snapshots)


def _lines(arguments: argparse.Namespace, urls: Sequence[str], screen: Screen) -> int:
    """A line a round, for where there is no screen."""
    snapshots: Sequence[Snapshot] = ()
    for number in _rounds(arguments.rounds):
        started = time.monotonic()
        snapshots = _scrape_all(urls)
        screen.add(snapshots)
        _write(screen.line(), snapshots)
        if number != arguments.rounds:
            time.sleep(max(0.0, started + arguments.interval - time.monotonic()))
    return _code(snapshots)


def _rounds(most: int | None) -> Iterable[int]:
    return itertools.count(1) if most is None else range(1, most + 1)


def _code(snapshots: Sequence[Snapshot]) -> int:
    return 0 if any(not snapshot.problem for snapshot in snapshots) else 1


def _write(line: str, snapshots: Sequence[Snapshot]) -> None:
    problems = [f"{one.url} {one.problem}" for one in snapshots if one.problem]
    for problem in problems:
        sys.stderr.write(f"{problem}\n")
    if len(problems) < len(snapshots):
        print(line, flush=True)


def _scrape_all(urls: Sequence[str]) -> list[Snapshot]:
    """Read all endpoints at once, so that one that hangs does not hold the others up."""
    with ThreadPoolExecutor(len(urls)) as pool:
        return list(pool.map(scrape, urls))
