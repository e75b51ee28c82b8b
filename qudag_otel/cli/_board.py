"""The view of any /metrics: its tables, as many rows as fit, and what the keys do to them."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final

from rich.console import Group as Stack
from rich.text import Text

from qudag_otel._query import units as u
from qudag_otel.cli import _words as w
from qudag_otel.cli._history import History
from qudag_otel.cli._scrape import price
from qudag_otel.cli._tables import TITLES, sheets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from qudag_otel.cli._scrape import Snapshot
    from qudag_otel.cli._tables import Row, Sheet

TREND: Final = 20
_CELL: Final = 10
_LABELS: Final = 24  # columns that names and labels have at least beside a course
_LEAST: Final = 2  # a title and a row
_LINES: Final = 3  # rows of a view of lines
ORDERS: Final = ("busiest", "slowest", "name")
HELP: Final = """\
 1-9     one table alone, 0 all of them again
 up, down, page up, page down   move in a table
 s       sort: busiest, slowest or largest, name
 /       filter by a part of names and labels; Enter keeps it, Esc ends it
 p       pause, and go on
 v       the view of QuDAG nodes, where there are some
 ?       this help, and back
 q       quit"""


class Board:
    """Tables that are told of scrapes and keys, and drawn.

    Args:
        title: What stands above them.
        window_seconds: Over how long rates and percentiles are taken.
    """

    def __init__(self, title: str, window_seconds: float) -> None:
        self.title = title
        self._history = History(window_seconds)
        self._window = window_seconds
        self._snapshots: Sequence[Snapshot] = ()
        self._trends: dict[tuple[str, str, str], deque[float]] = {}
        self._sheets: Sequence[Sheet] = ()
        self._order = 0
        self._alone = 0
        self._top = 0
        self._page = 1
        self._needle = ""
        self._typing = False
        self._help = False
        self.paused = False

    def add(self, snapshots: Sequence[Snapshot]) -> None:
        """Take a round of scrapes."""
        self._snapshots = snapshots
        self._history.add(snapshots)
        self._sheets = sheets(self._history)
        shown: dict[tuple[str, str, str], deque[float]] = {}
        for sheet in self._sheets:
            for row in sheet.rows:
                key = (sheet.title, row.name, row.labels)
                shown[key] = self._trends.get(key) or deque(maxlen=TREND)
                shown[key].append(row.now)
        self._trends = shown  # series that are gone take no memory

    def press(self, key: str) -> None:
        """Do what a key says; the others do nothing."""
        if self._typing:
            self._type(key)
        elif key == "?":
            self._help = not self._help
        elif key == "p":
            self.paused = not self.paused
        elif key == "s":
            self._order = (self._order + 1) % len(ORDERS)
        elif key == "/":
            self._typing, self._needle, self._top = True, "", 0
        elif key == "escape":
            self._needle, self._help, self._top = "", False, 0
        elif key.isdigit():
            self._alone, self._top = int(key), 0
        elif key in _STEPS:
            self._top = max(0, self._top + (_STEPS[key] or self._page * (-1 if "up" in key else 1)))

    def _type(self, key: str) -> None:
        if key == "enter":
            self._typing = False
        elif key == "escape":
            self._typing, self._needle = False, ""
        elif key == "backspace":
            self._needle = self._needle[:-1]
        elif len(key) == 1 and key.isprintable():
            self._needle += key

    @property
    def typing(self) -> bool:
        """Whether keys are letters of a filter."""
        return self._typing

    def line(self) -> str:
        """The most important values as one line, for where there is no screen."""
        parts: list[str] = []
        for sheet in self._sheets:
            rows = sorted(sheet.rows, key=lambda row: -row.rate)
            total = sum(row.rate for row in rows)
            if sheet.title == "calls":
                parts.append(f"{u.number(total)} calls/s")
            if sheet.title == "errors":
                parts.append(f"{u.number(total)} errors/s")
            if sheet.title in {"calls", "latencies", "errors"}:
                parts += [self._told(sheet, row) for row in rows[:_LINES] if row.rate]
        series = sum(len(sheet.rows) for sheet in self._sheets)
        told = "; ".join(parts) or f"{series} series, none of which was busy"
        cost = price(self._snapshots)
        return f"{told}; {cost}" if cost else told

    @staticmethod
    def _told(sheet: Sheet, row: Row) -> str:
        cells = zip(sheet.columns, row.cells, strict=True)
        values = ", ".join(f"{cell} {column}" for column, cell in cells)
        return f"{row.name}{' ' if row.labels else ''}{row.labels} {values}"

    def draw(self, width: int, height: int) -> RenderableType:
        """The screen, no higher than it may be.

        Args:
            width: How many columns there are.
            height: How many lines.
        """
        lines = self._header(width)
        foot = self._foot(width)
        room = height - len(lines) - 1
        if self._help:
            lines += [Text(line) for line in HELP.splitlines()[:room]]
        else:
            lines += self._body(width, room)
        lines += [Text("")] * (height - 1 - len(lines))
        return Stack(*lines[: height - 1], foot)

    def _header(self, width: int) -> list[Text]:
        good = [one for one in self._snapshots if not one.problem]
        state = "  paused" if self.paused else ""
        first = Text(f"{self.title}  ", style="bold")
        first.append(f"{len(good)} of {len(self._snapshots)} endpoints", style="green")
        cost = price(good)
        first.append(f"  last {self._window:g} s{cost and f'  {cost}'}{state}", style="dim")
        lines = [first]
        lines += [
            Text(f"✗ {one.url} {one.problem}", style="red")
            for one in self._snapshots
            if one.problem
        ][:3]
        for line in lines:
            line.truncate(width, overflow="ellipsis")
        return lines

    def _foot(self, width: int) -> Text:
        if self._typing:
            foot = Text(f"filter: {self._needle}_", style="reverse")
        else:
            kept = f" [{self._needle}]" if self._needle else ""
            foot = Text(
                f"q quit  ? help  / filter{kept}  s {ORDERS[self._order]}  p pause  "
                f"1-{len(TITLES)} one table",
                style="dim",
            )
        foot.truncate(width, overflow="ellipsis")
        return foot

    def _body(self, width: int, room: int) -> list[Text]:
        kept = [
            (TITLES.index(sheet.title) + 1, sheet, self._chosen(sheet)) for sheet in self._sheets
        ]
        kept = [one for one in kept if one[2]]
        if not kept:
            what = f"nothing has {self._needle!r} in it" if self._needle else "nothing yet"
            return [Text(what, style="dim")]
        if self._alone:
            kept = [one for one in kept if one[0] == self._alone] or kept[:1]
        kept = kept[: max(1, room // _LEAST)]  # the others are a key away
        lines: list[Text] = []
        for place, (number, sheet, rows) in enumerate(kept):
            # What a table does not need is left to those below; each of those has its least.
            below = len(kept) - place - 1
            share = max(_LEAST, (room - len(lines)) // (below + 1))
            share = min(share, room - len(lines) - _LEAST * below) if below else share
            lines += self._table(number, sheet, rows, width, share)
        return lines

    def _chosen(self, sheet: Sheet) -> list[Row]:
        needle = self._needle.lower()
        rows = [row for row in sheet.rows if needle in f"{row.name} {row.labels}".lower()]
        order = ORDERS[self._order]
        if order == "busiest":
            return sorted(rows, key=lambda row: (-row.rate, row.name, row.labels))
        if order == "slowest":
            return sorted(rows, key=lambda row: (-row.size, row.name, row.labels))
        return sorted(rows, key=lambda row: (row.name, row.labels))

    def _table(
        self, number: int, sheet: Sheet, rows: Sequence[Row], width: int, share: int
    ) -> list[Text]:
        cells = _CELL * len(sheet.columns)
        hidden = len(rows) > share - 1
        first = 0
        if self._alone:
            self._page = max(1, share - 1)
            first = self._top = min(self._top, max(0, len(rows) - self._page))
        fit = rows[first : first + share - 1]
        # A course is drawn where it takes no column of any name.
        longest = max([_LABELS, *(len(row.name) + len(row.labels) + 2 for row in fit)])
        course = width - cells - TREND - 1 >= longest
        left = max(8, width - cells - (TREND + 1 if course else 0))
        title = f"{number} {sheet.title}"
        if hidden:
            title += f" ({first + 1}-{first + len(fit)} of {len(rows)}"
            title += ")" if self._alone else f"; {number} shows all)"
        head = Text(_fitted(title, left), style="bold")
        head.append("".join(f"{column:>{_CELL}}" for column in sheet.columns), style="dim")
        lines = [head]
        for row in fit:
            line = Text(_fitted(f"{row.name} {row.labels}", left), style="red" if row.wrong else "")
            line.append("".join(f" {cell[: _CELL - 1]:>{_CELL - 1}}" for cell in row.cells))
            if course:
                values = self._trends.get((sheet.title, row.name, row.labels), ())
                line.append(f" {w.sparkline(values)}", style="blue")
            lines.append(line)
        return lines


_STEPS: Final = {"up": -1, "down": 1, "page up": 0, "page down": 0}


def _fitted(text: str, width: int) -> str:
    """A text of so many columns: what is too long loses its middle, where names differ least."""
    text = text.strip()
    if len(text) < width:
        return text.ljust(width)
    head = (width - 2) // 2
    return f"{text[:head]}…{text[len(text) - (width - 2 - head) :]} "
