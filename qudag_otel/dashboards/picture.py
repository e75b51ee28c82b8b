"""The overview's panels as an image, from a live Prometheus: for where there is no Grafana."""
# pyright: reportUnknownMemberType=false
# The keyword arguments of matplotlib's methods are not typed.

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import matplotlib as mpl
from matplotlib.dates import AutoDateLocator, DateFormatter
from matplotlib.figure import Figure

from qudag_otel.dashboards import _strokes
from qudag_otel.dashboards._build import render
from qudag_otel.dashboards._interpolate import Screen
from qudag_otel.dashboards._view import Kind
from qudag_otel.dashboards.boards import OVERVIEW

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

    from qudag_otel._query.prometheus import Prometheus, Series

_CELL: Final = (0.6, 0.4)
"""Width and height of a grid cell, in inches."""
_HEADER: Final = 0.6
"""Inches above the panels."""
_TOP, _RIGHT = 0.3, 0.2
"""Inches between a panel's edges and its axes; `_strokes` says what is left and below."""
_COLUMNS: Final = 24
_FONT: Final = 8
_DOTS: Final = 120
_TIMES: Final = 6
"""Times below a panel, at most."""
_NOTE: Final = (
    "Drawn by `qudag-otel dashboards picture` from Prometheus; Grafana shows the same panels, "
    "looking different"
)


class PictureError(RuntimeError):
    """The picture cannot be written; the message says why."""


def draw(
    prometheus: Prometheus, output: Path, *, seconds: float = 3600.0, end: float | None = None
) -> None:
    """Draw what the overview shows at first sight.

    Args:
        prometheus: Whom to ask.
        output: The file to write; its ending chooses the format.
        seconds: How far back to look.
        end: The time up to which to look, in seconds since 1970; now by default.

    Raises:
        PrometheusError: Prometheus cannot be reached or refuses a query.
        PictureError: The file cannot be written.
    """
    until = time.time() if end is None else end
    dashboard: dict[str, Any] = json.loads(render(OVERVIEW))
    screen = Screen(dashboard, seconds=seconds)
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    lines = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels)
    with mpl.rc_context({"font.size": _FONT, "axes.titlesize": _FONT + 1, "svg.hashsalt": "qudag"}):
        size = (_COLUMNS * _CELL[0], lines * _CELL[1] + _HEADER)
        figure = Figure(figsize=size, dpi=_DOTS)
        figure.text(
            0.01, 1 - 0.1 / size[1],
            f"{dashboard['title']}, {_stamp(until - seconds)} to {_stamp(until)} UTC",
            va="top", fontsize=_FONT + 6, fontweight="bold",
        )  # fmt: skip
        figure.text(0.01, 1 - 0.4 / size[1], _NOTE, va="top", fontsize=_FONT, color="#666666")
        for panel in panels:
            axes = _place(figure, panel["gridPos"], lines)
            axes.set_title(panel["title"], loc="left", fontweight="bold")
            found = [
                (target, series)
                for target in panel["targets"]
                for series in _ask(prometheus, screen, target, until)
            ]
            _panel(axes, panel, found, (until - seconds, until))
        try:
            figure.savefig(output, metadata={} if output.suffix == ".png" else {"Date": None})
        except (OSError, ValueError) as error:
            raise PictureError(f"cannot write {output}: {error}") from error


def _ask(
    prometheus: Prometheus, screen: Screen, target: dict[str, Any], until: float
) -> list[Series]:
    start = until if target.get("instant") else until - screen.seconds
    return prometheus.range(screen.query(target), start, until, screen.step(target))


def _place(figure: Figure, position: dict[str, int], lines: int) -> Axes:
    """The area of a panel, as Grafana's grid has it, with room for axes and title."""
    width, height = figure.get_size_inches()
    left, bottom = position["x"] * _CELL[0], (lines - position["y"] - position["h"]) * _CELL[1]
    across, up = position["w"] * _CELL[0], position["h"] * _CELL[1]
    return figure.add_axes(
        (
            (left + _strokes.LEFT) / width,
            (bottom + _strokes.BOTTOM) / height,
            (across - _strokes.LEFT - _RIGHT) / width,
            (up - _strokes.BOTTOM - _TOP) / height,
        )
    )


def _panel(
    axes: Axes,
    panel: dict[str, Any],
    found: list[tuple[dict[str, Any], Series]],
    span: tuple[float, float],
) -> None:
    if not found:
        _strokes.words(axes, panel["fieldConfig"]["defaults"]["noValue"])
        return
    _STROKES[Kind(panel["type"])](axes, panel, found)
    if Kind(panel["type"]) is not Kind.STAT:
        axes.set_xlim(*(datetime.fromtimestamp(at, UTC) for at in span))  # type: ignore[arg-type]  # matplotlib's stubs know no dates
        axes.xaxis.set_major_locator(AutoDateLocator(tz=UTC, minticks=3, maxticks=_TIMES))  # type: ignore[no-untyped-call]  # matplotlib's is not
        axes.xaxis.set_major_formatter(DateFormatter("%H:%M", tz=UTC))  # type: ignore[no-untyped-call]  # matplotlib's is not
        axes.tick_params(labelsize=_FONT - 1)


_STROKES: Final = {
    Kind.LINES: _strokes.lines,
    Kind.STAT: _strokes.stats,
    Kind.STATES: _strokes.states,
}
"""How each kind of panel that the overview shows at first sight is drawn."""


def _stamp(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M")
