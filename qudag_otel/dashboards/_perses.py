"""From a board to a dashboard of Perses, and to the text of its file.

Source: https://perses.dev/perses/docs/api/dashboard/
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from qudag_otel.dashboards._layout import REFRESH, arranged
from qudag_otel.dashboards._perses_panels import PROJECT, panel
from qudag_otel.dashboards._variables import (
    ANYTHING,
    VARIABLES,
    Choice,
    DataSource,
    LabelValues,
    LogValues,
    variables,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qudag_otel._query.native import Turn
    from qudag_otel.dashboards._view import Board, Section

_ALL: Final = "$__all"


def rendered(boards: Iterable[Board], turn: Turn = str) -> dict[str, str]:
    """The files of some dashboards: their names, and their text.

    Args:
        boards: The dashboards.
        turn: What becomes of each expression, for example its form for native histograms.
    """
    return {
        f"{board.uid}.json": json.dumps(_dashboard(board, turn), indent=2, ensure_ascii=False)
        + "\n"
        for board in boards
    }


def _dashboard(board: Board, turn: Turn) -> dict[str, Any]:
    placed = [one for section in board.sections for one in section.panels]
    own = {name: VARIABLES[name] for name in variables(board)}
    return {
        "kind": "Dashboard",
        "metadata": {"name": board.uid, "project": PROJECT},
        "spec": {
            "display": {"name": board.title, "description": board.description},
            "duration": f"{board.hours}h",
            "refreshInterval": REFRESH,
            "variables": [
                _variable(name)
                for name, variable in own.items()
                # A query without a source asks the one that is the default in Perses.
                if not isinstance(variable, DataSource)
            ],
            "panels": {_key(one.panel_id): panel(one.view, turn) for one in placed},
            "layouts": [_grid(section) for section in board.sections],
        },
    }


def _key(panel_id: int) -> str:
    return f"panel-{panel_id}"


def _grid(section: Section) -> dict[str, Any]:
    title = {"title": section.title, "collapse": {"open": not section.folded}}
    items = [
        {
            "x": x,
            "y": y,
            "width": placed.width,
            "height": placed.height,
            "content": {"$ref": f"#/spec/panels/{_key(placed.panel_id)}"},
        }
        for placed, (x, y) in arranged(section.panels, 0)[0]
    ]
    display = {"display": title} if section.title else {}
    return {"kind": "Grid", "spec": {**display, "items": items}}


def _variable(name: str) -> dict[str, Any]:
    variable = VARIABLES[name]
    spec = {"name": name, "display": {"name": variable.title, "hidden": False}}
    match variable:
        case LabelValues(_, series, label, many):
            found = {"labelName": label, "matchers": [series]}
            plugin = {"kind": "PrometheusLabelValuesVariable", "spec": found}
            several: dict[str, object] = {"allowMultiple": many, "allowAllValue": many}
            if many:
                several |= {"customAllValue": ANYTHING, "defaultValue": [_ALL]}
            listed = {**spec, **several, "sort": "alphabetical-asc", "plugin": plugin}
        case Choice(_, values, first):
            plugin = {"kind": "StaticListVariable", "spec": {"values": list(values)}}
            one = {"allowMultiple": False, "allowAllValue": False, "defaultValue": first}
            listed = {**spec, **one, "plugin": plugin}
        case _:
            # Values of logs, which no data source lists here, are a pattern that is typed.
            value = ANYTHING if isinstance(variable, LogValues) else ""
            return {"kind": "TextVariable", "spec": {**spec, "value": value, "constant": False}}
    return {"kind": "ListVariable", "spec": listed}
