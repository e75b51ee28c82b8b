"""How the picture draws each kind of panel."""
# pyright: reportUnknownMemberType=false
# The keyword arguments of matplotlib's methods are not typed.

from __future__ import annotations

import math
import re
import textwrap
from datetime import UTC, datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from qudag_otel.dashboards._view import BLUE, CLEAR, EXPECTED, GREEN, RED, YELLOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from matplotlib.axes import Axes

    from qudag_otel.dashboards._prometheus import Series

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
_TINT: Final = 0.12
_IEC: Final = 1024.0


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
            linewidth=1.3, label=label if number < _LEGEND else None,
        )  # fmt: skip
    axes.grid(visible=True, alpha=0.3)
    low, high = axes.get_ylim()
    low, high = min(low, defaults.get("min", low)), max(high, defaults.get("max", high))
    _tint(axes, defaults["thresholds"]["steps"], low, high)
    axes.set_ylim(low, high)
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.yaxis.set_major_formatter(FuncFormatter(_ticks(shown)))
    title = f"and {len(ordered) - _LEGEND} more" if len(ordered) > _LEGEND else None
    axes.legend(loc="best", fontsize=6, framealpha=0.7, title=title, title_fontsize=6)


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
    colors = {float(value): _INKS[result["color"]] for value, result in mapping["options"].items()}
    names = [_name(*pair) for pair in found]
    for row, (_, series) in enumerate(found):
        times = [datetime.fromtimestamp(at, UTC) for at, _ in series.points]
        steps = [after - before for before, after in pairwise(times)]
        step = min(steps) if steps else None
        for at, (_, value) in zip(times, series.points, strict=True):
            if step is not None:
                axes.barh(row, step, left=at, height=0.8, color=colors[value])  # type: ignore[arg-type]  # matplotlib's stubs know no dates
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", direction="in", pad=-4, left=False)
    for label in axes.get_yticklabels():
        label.set_horizontalalignment("left")
        label.set_fontsize(7)
    axes.set_ylim(len(names) - 0.5, -0.5)


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


def _unit(unit: str) -> Callable[[float], str]:
    """How a value is written in one of Grafana's units."""
    return _UNITS.get(unit, lambda value: f"{value:.3g}")


def _ticks(shown: Callable[[float], str]) -> Callable[[float, float], str]:
    return lambda value, _: shown(value)


def _seconds(value: float) -> str:
    if value == 0 or not math.isfinite(value):
        return f"{value:g} s"
    for factor, name in ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs")):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {name}"
    return f"{value:.2g} s"


def _bytes(value: float) -> str:
    for name in ("B", "KiB", "MiB", "GiB"):
        if abs(value) < _IEC:
            return f"{value:.3g} {name}"
        value /= _IEC
    return f"{value:.3g} TiB"


_UNITS: Final[dict[str, Callable[[float], str]]] = {
    "s": _seconds,
    "bytes": _bytes,
    "percentunit": lambda value: f"{100 * value:.3g}%",
    "percent": lambda value: f"{value:.3g}%",
    "mps": lambda value: f"{value:.3g}/s",
    "eps": lambda value: f"{value:.3g}/s",
}
