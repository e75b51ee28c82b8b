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


def _organize(view: View) -> dict[str, object]:
    keys = [column.key for column in view.columns]
    names = {column.key: column.title for column in view.columns}
    # Grafana calls the values of an only query just "Value".
    if "Value #A" in names:
        names["Value"] = names["Value #A"]
    if {a.NODE_ID.key, a.SWARM_ID.key} & set(keys):  # of which each fleet may have one of a name
        names |= dict(zip(a.SCOPE, ("Environment", "Cluster", "Group"), strict=True))
        keys += a.SCOPE
    return {
        "excludeByName": {"Time": True},
        "indexByName": {key: index for index, key in enumerate(keys)},
        "renameByName": names,
    }
