"""What `qudag-otel top` shows: nodes or tables, whatever suits what was scraped."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.segment import Segments
from rich.text import Text

from qudag_otel.cli._board import Board
from qudag_otel.cli._view import View

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console, RenderableType

    from qudag_otel.cli._scrape import Snapshot


class Screen:
    """The views, and the one that is shown.

    Args:
        title: What stands above them.
        window_seconds: Over how long rates and percentiles are taken.
        view: "nodes", "tables", or "auto".
    """

    def __init__(self, title: str, window_seconds: float, view: str) -> None:
        self._nodes = View(title, window_seconds)
        self._board = Board(title, window_seconds)
        self._chosen = view
        self.left = False

    @property
    def _is_of_nodes(self) -> bool:
        return self._chosen == "nodes" or (self._chosen == "auto" and self._nodes.has_nodes)

    def add(self, snapshots: Sequence[Snapshot]) -> None:
        """Take a round of scrapes, unless it is paused."""
        if not self._board.paused:
            self._nodes.add(snapshots)
            self._board.add(snapshots)

    def press(self, key: str) -> None:
        """Do what a key says."""
        if self._board.typing:
            self._board.press(key)
        elif key == "q":
            self.left = True
        elif key == "v":
            self._chosen = "tables" if self._is_of_nodes else "nodes"
        else:
            if self._is_of_nodes and key != "p":
                self._chosen = "tables"
            self._board.press(key)

    def line(self) -> str:
        """The most important values."""
        return self._nodes.line() if self._is_of_nodes else self._board.line()

    def draw(self, console: Console) -> RenderableType:
        """The screen, no higher than the terminal."""
        height = console.height
        if not self._is_of_nodes:
            return self._board.draw(console.width, height)
        lines = console.render_lines(self._nodes.draw(console.width), new_lines=True)
        missing = len(lines) - (height - 1)
        more = f"{missing} lines do not fit  " if missing > 0 else ""
        state = "paused  " if self._board.paused else ""
        foot = Text(f"{state}{more}q quit  ? help  v tables  p pause", style="dim", end="")
        kept = lines[: height - 1]
        found = [segment for line in kept for segment in line]
        return Segments([*found, *console.render(foot)])
