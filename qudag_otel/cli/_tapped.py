"""The part of the live view that needs more than /metrics: the slowest traces and the log."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from qudag_otel._query import units as u
from qudag_otel.demo.tap import trace_seconds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from qudag_otel.demo.tap import LogLine, Recent, SpanLine

MAX_SPANS: Final = 18
MIN_ROWS: Final = 3
LINES: Final = 6
_FRAMES: Final = 5  # lines that two panels and the count of further spans take
OTHERS: Final = 3
"""How many of the next slowest traces are named below the slowest."""

_WIDTH: Final = 44
_COLOURS: Final = {"WARN": "yellow", "WARNING": "yellow", "ERROR": "red", "CRITICAL": "bold red"}


def panels(recent: Recent, rows: int) -> RenderableType:
    """The slowest traces above the log, as far as there is room.

    Args:
        recent: The traces and the log.
        rows: How many lines there are.
    """
    room = rows - _FRAMES
    if room < 2 * MIN_ROWS:
        return log_panel(list(recent.lines), max(1, rows - 2))
    lines = min(LINES, room // 2)
    traces = traces_panel(recent.slowest(1 + OTHERS), min(MAX_SPANS, room - lines))
    return Group(traces, log_panel(list(recent.lines), lines))


def traces_panel(slowest: Sequence[Sequence[SpanLine]], rows: int) -> RenderableType:
    """The slowest trace as a waterfall, and the names of the next ones.

    Args:
        slowest: Traces, slowest first, each with its spans by start.
        rows: How many spans there is room for.
    """
    if not slowest:
        return Panel(Text("no trace yet", style="dim"), title="Slowest recent traces")
    spans = slowest[0]
    table = Table.grid(padding=(0, 1))
    first = min(span.start for span in spans)
    whole = max(span.end for span in spans) - first
    depths = _depths(spans)
    for span in spans[:rows]:
        table.add_row(
            Text("  " * depths[span.span_id] + span.name, style="red" if span.failed else ""),
            Text(span.where, style="dim"),
            Text(_bar(span.start - first, span.end - first, whole), style="blue"),
            u.quantity((span.end - span.start) / 1e9, "s"),
        )
    if len(spans) > rows:
        table.add_row(Text(f"and {len(spans) - rows} more spans", style="dim"))
    others = ", ".join(
        f"{trace[0].trace_id:032x}"[:8] + f" {u.quantity(trace_seconds(list(trace)), 's')}"
        for trace in slowest[1 : 1 + OTHERS]
    )
    title = f"Slowest recent trace {spans[0].trace_id:032x} {u.quantity(whole / 1e9, 's')}"
    return Panel(table, title=title, subtitle=f"next: {others}" if others else None)


def log_panel(lines: Sequence[LogLine], rows: int) -> RenderableType:
    """The latest log lines, as many as there is room for."""
    table = Table.grid(padding=(0, 1))
    for column in ("time", "severity", "where", "text"):
        table.add_column(no_wrap=column != "text", overflow="ellipsis")
    for line in list(lines)[-rows:]:
        moment = dt.datetime.fromtimestamp(line.time / 1e9, tz=dt.UTC).astimezone()
        table.add_row(
            Text(f"{moment:%H:%M:%S}", style="dim"),
            Text(line.severity, style=_COLOURS.get(line.severity, "green")),
            Text(line.where, style="dim"),
            Text(line.text, no_wrap=True, overflow="ellipsis"),
        )
    return Panel(table, title="Log")


def _depths(spans: Sequence[SpanLine]) -> dict[int, int]:
    """How far below the first span each span is; parents that are missing count as the first."""
    parents = {span.span_id: span.parent_id for span in spans}
    depths: dict[int, int] = {}
    for span in spans:
        depth, parent = 0, span.parent_id
        while parent in parents and depth < len(parents):
            depth, parent = depth + 1, parents[parent]
        depths[span.span_id] = depth
    return depths


def _bar(start: int, end: int, whole: int) -> str:
    left = _WIDTH * start // max(1, whole)
    length = max(1, _WIDTH * (end - start) // max(1, whole))
    return " " * min(left, _WIDTH - 1) + "━" * min(length, _WIDTH - min(left, _WIDTH - 1))
