"""`qudag-otel top`: the live view of any /metrics endpoints."""

from __future__ import annotations

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from qudag_otel.cli._command import bounded, count, told
from qudag_otel.cli._scrape import endpoint, scrape

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from qudag_otel.cli._scrape import Snapshot

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
        help="stop after so many readings; by default at Ctrl-C",
    )


def run(arguments: argparse.Namespace) -> int:
    """Show the view, and return 0, or 1 if no endpoint could be read in the last round."""
    from rich.console import Console
    from rich.live import Live

    from qudag_otel.cli._view import View

    urls: Sequence[str] = arguments.urls or [DEFAULT]
    window = max(MIN_WINDOW_SECONDS, 3 * arguments.interval)
    view = View("qudag-otel top", window)
    console = Console()
    rounds = 0
    with Live(console=console, screen=console.is_terminal, auto_refresh=False) as screen:
        while True:
            started = time.monotonic()
            snapshots = _scrape_all(urls)
            view.add(snapshots)
            rounds += 1
            if console.is_terminal:
                screen.update(view.draw(console.width), refresh=True)
            else:
                _write(view.line(), snapshots)
            if rounds == arguments.rounds:
                break
            time.sleep(max(0.0, started + arguments.interval - time.monotonic()))
    if console.is_terminal:
        console.print(
            view.draw(console.width)
        )  # the screen of before is back: leave the last view on it
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
