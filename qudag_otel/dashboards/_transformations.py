"""What Grafana does to answers before it draws them: tables joined, columns named."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qudag_otel.catalogue import attributes as a
from qudag_otel.dashboards._sdk import dashboard
from qudag_otel.dashboards._view import Kind, Source

if TYPE_CHECKING:
    from qudag_otel.dashboards._view import View


def transformations(view: View) -> list[dashboard.DataTransformerConfig]:
    """The transformations of a view: none, unless it is made of columns."""
    if not view.columns:
        return []
    steps = [dashboard.DataTransformerConfig(id_val="organize", options=_organize(view))]
    # The two answers of a graph are its nodes and its edges, and must stay apart.
    if view.kind is Kind.TABLE and view.source is Source.PROMETHEUS:
        steps.insert(0, dashboard.DataTransformerConfig(id_val="merge", options={}))
    return steps


def headings(view: View) -> dict[str, str]:
    """The columns of a view in their order: each key, and what it is called."""
    names = {column.key: column.title for column in view.columns}
    if {a.NODE_ID.key, a.SWARM_ID.key} & set(names):  # each fleet may have one of a name
        names |= dict(zip(a.SCOPE, ("Environment", "Cluster", "Group"), strict=True))
    return names


def _organize(view: View) -> dict[str, object]:
    names = headings(view)
    # Grafana calls the values of an only query just "Value".
    only = {"Value": names["Value #A"]} if "Value #A" in names else {}
    return {
        "excludeByName": {"Time": True},
        "indexByName": {key: index for index, key in enumerate(names)},
        "renameByName": names | only,
    }
