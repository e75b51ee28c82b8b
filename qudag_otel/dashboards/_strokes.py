"""How the picture draws each kind of panel."""
# pyright: reportUnknownMemberType=false
# The keyword arguments of matplotlib's methods are not typed.

from __future__ import annotations

import re
import textwrap
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, cast

from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from qudag_otel._query.units import quantity
from qudag_otel.dashboards._view import BLUE, CLEAR, EXPECTED, GREEN, RED, YELLOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from qudag_otel._query.prometheus import Series

    Found = list[tuple[dict[str, Any], Series]]

_INKS: Final = {
    GREEN: "#56a64b",
    YELLOW: "#f2cc0c",
    RED: "#e02f44",
    BLUE: "#3274d9",
    EXPECTED: "#8e8e8e",
    CLEAR: "none",
    "super-light-yellow": "#fff5b8",
}
_LABEL: Final = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_WIDTH: Final = 42
_LEGEND: Final = 6
_ROWS: Final = 14
LEFT, BOTTOM = 0.5, 0.35
"""Inches left of and below a panel's axes, for their numbers."""
_ENTRY: Final = 0.125
"""Inches of a legend's line."""
_LETTER: Final = 0.052
"""Inches of a letter of a name, about."""
_SMALL: Final = 6.5
_TINT: Final = 0.12


def words(axes: Axes, text: str) -> None:
    """What a panel without data says."""
    axes.set_axis_off()
    axes.text(
        0.5, 0.5, textwrap.fill(text, _WIDTH), ha="center", va="center", color="#666666",
        transform=axes.transAxes,
    )  # fmt: skip


def lines(axes: Axes, panel: dict[str, Any], found: Found) -> None:
    """Lines over thresholds, with the last and the highest value of each."""
    defaults = panel["fieldConfig"]["defaults"]
    shown = _unit(defaults["unit"])
    ordered = sorted(found, key=lambda pair: _name(*pair))
    for number, (target, series) in enumerate(ordered):
        values = [value for _, value in series.points]
        label = f"{_name(target, series)}   last {shown(values[-1])}  max {shown(max(values))}"
        axes.plot(
            [datetime.fromtimestamp(at, UTC) for at, _ in series.points], values,  # type: ignore[arg-type]  # matplotlib's stubs know no dates
            linewidth=1.3, marker=_mark(series), markersize=3,
            label=label if number < _LEGEND else None,
        )  # fmt: skip
    if len(ordered) > _LEGEND:
        axes.plot([], [], " ", label=f"and {len(ordered) - _LEGEND} more")
    axes.grid(visible=True, alpha=0.3)
    low, high = axes.get_ylim()
    low, high = defaults.get("min", low), max(high, defaults.get("max", high))
    _tint(axes, defaults["thresholds"]["steps"], low, high)
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(_ticks(shown)))
    entries = min(len(ordered), _LEGEND + 1)
    _shrink(axes, below=entries * _ENTRY + 0.13)
    _legend(axes, columns=1)


def _mark(series: Series) -> str:
    """A line of one point is nothing to see."""
    return "o" if len(series.points) == 1 else ""


def _shrink(axes: Axes, *, left: float = 0.0, below: float = 0.0) -> None:
    """Make room beside the axes, in inches."""
    width, height = _inches(axes)
    box = axes.get_position()
    axes.set_position(
        (
            box.x0 + left / width,
            box.y0 + below / height,
            box.width - left / width,
            box.height - below / height,
        )
    )


def _inches(axes: Axes) -> tuple[float, float]:
    """Width and height of the whole picture."""
    width, height = cast("Figure", axes.figure).get_size_inches()
    return float(width), float(height)


def _legend(axes: Axes, *, columns: int, handles: list[Any] | None = None) -> None:
    """A legend in the room below the axes and their numbers."""
    handles = axes.get_legend_handles_labels()[0] if handles is None else handles
    height = _inches(axes)[1] * axes.get_position().height
    axes.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(-0.02, -0.24 / height), ncols=columns,
        fontsize=_SMALL, frameon=False, borderpad=0, borderaxespad=0, labelspacing=0.25,
        handlelength=1.5,
    )  # fmt: skip


def _tint(axes: Axes, steps: list[dict[str, Any]], low: float, high: float) -> None:
    edges = [low if step["value"] is None else step["value"] for step in steps] + [high]
    for step, lower, upper in zip(steps, edges, edges[1:], strict=False):
        color = _INKS.get(step["color"], "none")
        if color != "none" and upper > lower:
            axes.axhspan(max(lower, low), min(upper, high), color=color, alpha=_TINT, lw=0)


def stats(axes: Axes, panel: dict[str, Any], found: Found) -> None:
    """One coloured field a value."""
    axes.set_axis_off()
    for number, (target, series) in enumerate(found):
        name, value = _name(target, series), series.points[-1][1]
        color = _INKS[_step_color(_steps_of(panel, name), value)]
        left, width = number / len(found), 1 / len(found)
        axes.add_patch(
            Rectangle((left + 0.01, 0), width - 0.02, 1, color=color, transform=axes.transAxes)
        )
        middle = left + width / 2
        axes.text(middle, 0.62, f"{value:g}", ha="center", va="center", color="white", fontsize=20,
                  fontweight="bold", transform=axes.transAxes)  # fmt: skip
        axes.text(middle, 0.2, name, ha="center", va="center", color="white",
                  transform=axes.transAxes)  # fmt: skip


def states(axes: Axes, panel: dict[str, Any], found: Found) -> None:
    """One bar a series, in the colour of its state over time."""
    [mapping] = panel["fieldConfig"]["defaults"]["mappings"]
    results = {float(value): result for value, result in mapping["options"].items()}
    shown = found
    if len(found) > _ROWS:
        shown = sorted(found, key=lambda pair: -max(value for _, value in pair[1].points))[:_ROWS]
        axes.set_title(f"{len(found) - _ROWS} more", loc="right", fontsize=_SMALL)
    names = [_name(*pair) for pair in shown]
    for row, (_, series) in enumerate(shown):
        for at, value in series.points:
            axes.barh(
                row, timedelta(seconds=series.step), left=datetime.fromtimestamp(at, UTC),  # type: ignore[arg-type]  # matplotlib's stubs know no dates
                height=0.8, color=_INKS[results[value]["color"]],
            )  # fmt: skip
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", left=False)
    axes.set_ylim(len(names) - 0.5, -0.5)
    _shrink(axes, left=max(len(name) for name in names) * _LETTER - LEFT / 2, below=_ENTRY + 0.13)
    _legend(
        axes,
        columns=len(results),
        handles=[
            Patch(color=_INKS[result["color"]], label=result["text"]) for result in results.values()
        ],
    )


def _name(target: dict[str, Any], series: Series) -> str:
    return _LABEL.sub(lambda match: series.labels.get(match[1], ""), target["legendFormat"]).strip()


def _steps_of(panel: dict[str, Any], name: str) -> list[dict[str, Any]]:
    steps: list[dict[str, Any]] = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    for override in panel["fieldConfig"]["overrides"]:
        if re.search(override["matcher"]["options"].strip("/"), name):
            for one in override["properties"]:
                if one["id"] == "thresholds":
                    steps = one["value"]["steps"]
    return steps


def _step_color(steps: list[dict[str, Any]], value: float) -> str:
    return str([s["color"] for s in steps if s["value"] is None or s["value"] <= value][-1])


_UNITS: Final = {
    "s": "s", "bytes": "By", "percentunit": "1", "percent": "%", "mps": "/s", "eps": "/s",
}  # fmt: skip
"""Grafana's units, as UCUM spells them."""


def _unit(unit: str) -> Callable[[float], str]:
    """How a value is written in one of Grafana's units."""
    return lambda value: quantity(value, _UNITS.get(unit, ""))


def _ticks(shown: Callable[[float], str]) -> Callable[[float, float], str]:
    return lambda value, _: shown(value)
