"""From a board to Grafana's dashboard, and to the text of its file."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from qudag_otel.dashboards._inputs import variable
from qudag_otel.dashboards._layout import COLUMNS, REFRESH, arranged
from qudag_otel.dashboards._links import TAG, navigation
from qudag_otel.dashboards._panels import panel, source_of
from qudag_otel.dashboards._sdk import JSONEncoder, build, dashboard
from qudag_otel.dashboards._variables import variables
from qudag_otel.dashboards._view import RED, Source
from qudag_otel.dashboards.views.status import ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qudag_otel._query.native import Turn
    from qudag_otel.dashboards._view import Board, Section

_ASKED: Final = ("expr", "query", "definition")
"""The keys that hold a query, of a panel's target and of a variable."""
_UNKNOWN_OF_VARIABLES: Final = ("auto", "auto_count", "auto_min")
_UNKNOWN_OPTIONS: Final = {"table": ("footer",)}


def render(board: Board, turn: Turn = str) -> str:
    """The dashboard's file: classic JSON, as file provisioning and the HTTP API take it.

    Keys are sorted and nothing depends on the time, so the same board gives the same text.
    """

    def turned(one: dict[str, Any]) -> dict[str, Any]:
        asked = {key: turn(one[key]) for key in _ASKED if isinstance(one.get(key), str)}
        return {**one, **asked}

    built = json.loads(json.dumps(_dashboard(board).build(), cls=JSONEncoder), object_hook=turned)
    _drop_unknown(built)
    return json.dumps(built, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _drop_unknown(built: dict[str, Any]) -> None:
    """Drop defaults that the SDK writes and the pinned Grafana's schema does not know."""
    for one in built["templating"]["list"]:
        for key in _UNKNOWN_OF_VARIABLES:
            one.pop(key, None)
    for one in panels_of(built):
        for key in _UNKNOWN_OPTIONS.get(one["type"], ()):
            one["options"].pop(key, None)


def panels_of(built: dict[str, Any]) -> list[dict[str, Any]]:
    """The panels of a dashboard's JSON, those in folded rows included, rows themselves not."""
    return [
        one for top in built["panels"] for one in (top["panels"] if top["type"] == "row" else [top])
    ]


def _dashboard(board: Board) -> build.Dashboard:
    built = (
        build.Dashboard(board.title)
        .uid(board.uid)
        .description(board.description)
        .tags([TAG])
        .timezone("browser")
        .time(f"now-{board.hours}h", "now")
        .refresh(REFRESH)
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .variables([variable(name) for name in variables(board)])
        .annotations([_annotation()])
        .links(navigation())
    )
    y = 0
    for section in board.sections:
        y = _add(built, section, y)
    return built


def _add(built: build.Dashboard, section: Section, y: int) -> int:
    """Add a section from a line on; the first line below it is returned."""
    if not section.title:
        positions, below = arranged(section.panels, y)
        for placed, corner in positions:
            built.with_panel(panel(placed, *corner))
        return below
    row = (
        build.Row(section.title)
        .id(section.panel_id)
        .collapsed(section.folded)
        .grid_pos(dashboard.GridPos(x=0, y=y, w=COLUMNS, h=1))
    )
    positions, below = arranged(section.panels, y + 1)
    panels = [panel(placed, *corner) for placed, corner in positions]
    if section.folded:
        for one in panels:
            row.with_panel(one)
        built.with_row(row)
        return y + 1
    built.with_row(row)
    for one in panels:
        built.with_panel(one)
    return below


def _annotation() -> build.AnnotationQuery:
    """Marks on every panel at the times at which alerts fired."""
    return (
        build.AnnotationQuery()
        .name("Alerts")
        .datasource(source_of(Source.PROMETHEUS))
        .enable(enable=True)
        .icon_color(RED)
        .expr(ANNOTATION)
        .step("1m")
        .title_format("{{alertname}}")
        .text_format("{{severity}} {{node_id}}{{swarm_id}}")
        .tag_keys("severity,node_id,swarm_id")
    )


def rendered(boards: Iterable[Board], turn: Turn = str) -> dict[str, str]:
    """The files of some dashboards: their names, and their text.

    Args:
        boards: The dashboards.
        turn: What becomes of each expression, for example its form for native histograms.
    """
    return {f"{board.uid}.json": render(board, turn) for board in boards}
