"""From a variable to Grafana's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qudag_otel.dashboards._panels import source_of
from qudag_otel.dashboards._sdk import build, dashboard
from qudag_otel.dashboards._variables import (
    ANYTHING,
    VARIABLES,
    Choice,
    DataSource,
    LabelValues,
    LogValues,
)
from qudag_otel.dashboards._view import Source

if TYPE_CHECKING:
    from qudag_otel.dashboards._sdk import Builder


def variable(name: str) -> Builder[dashboard.VariableModel]:
    """Grafana's variable of a name."""
    match VARIABLES[name]:
        case DataSource(title, source):
            return (
                build.DatasourceVariable(name)
                .label(title)
                .type(source.plugin)
                .current(_option(source.title, source.uid))
            )
        case LabelValues(title, series, label, many):
            query: dict[str, object] = {"query": f"label_values({series}, {label})", "refId": name}
            listed = _listed(name, title, Source.PROMETHEUS, query)
            return _many(listed) if many else listed
        case LogValues(title, field):
            query = {"type": "fieldValue", "field": field, "query": "*", "refId": name}
            return _many(_listed(name, title, Source.VICTORIALOGS, query))
        case Choice(title, values, first, interval):
            kind = build.IntervalVariable if interval else build.CustomVariable
            option = _option(first, first)
            return kind(name).label(title).values(",".join(values)).current(option)
        case text:
            return build.TextBoxVariable(name).label(text.title).default_value("")


def _option(text: str, value: str) -> dashboard.VariableOption:
    return dashboard.VariableOption(text=text, value=value, selected=True)


def _listed(name: str, title: str, source: Source, query: dict[str, object]) -> build.QueryVariable:
    return (
        build.QueryVariable(name)
        .label(title)
        .datasource(source_of(source))
        .query(query)
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
    )


def _many(listed: build.QueryVariable) -> build.QueryVariable:
    """Any number of the values; all of them at first."""
    return (
        listed.multi(multi=True)
        .include_all(include_all=True)
        .all_value(ANYTHING)
        .current(dashboard.VariableOption(text=["All"], value=["$__all"], selected=True))
    )
