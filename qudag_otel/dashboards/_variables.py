"""The variables at the top of the dashboards."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from qudag_otel.alerts import presence, recording
from qudag_otel.catalogue import attributes as a
from qudag_otel.dashboards import _external as x
from qudag_otel.dashboards._panels import source_of
from qudag_otel.dashboards._sdk import build, dashboard
from qudag_otel.dashboards._view import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qudag_otel.dashboards._sdk import Builder

ANYTHING: Final = ".*"
"""What "All" stands for: also matches what appeared after the list was read."""
_ALL: Final = dashboard.VariableOption(text=["All"], value=["$__all"], selected=True)
_SLOW: Final = "100ms,500ms,1s,5s,30s,60s"
_INTERVALS: Final = "15s,30s,1m,5m,15m,1h"
_DEFAULT_INTERVAL: Final = "1m"
"""OpenTelemetry's default export interval: rates are taken over four of these."""


def _option(text: str, value: str) -> dashboard.VariableOption:
    return dashboard.VariableOption(text=text, value=value, selected=True)


def _source(name: str, source: Source, label: str) -> Builder[dashboard.VariableModel]:
    """The choice of a data source; the provisioned one at first."""
    return (
        build.DatasourceVariable(name)
        .label(label)
        .type(source.plugin)
        .current(_option(source.title, source.uid))
    )


def _values(name: str, label: str, query: str) -> build.QueryVariable:
    """The values that a label has in Prometheus."""
    return (
        build.QueryVariable(name)
        .label(label)
        .datasource(source_of(Source.PROMETHEUS))
        .query({"query": query, "refId": name})
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
    )


def _many(name: str, label: str, query: str) -> Builder[dashboard.VariableModel]:
    """Any number of a label's values; all of them at first."""
    return (
        _values(name, label, query)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(ANYTHING)
        .current(_ALL)
    )


def _log_service() -> Builder[dashboard.VariableModel]:
    """The services that write logs."""
    return (
        build.QueryVariable("log_service")
        .label("Service")
        .datasource(source_of(Source.VICTORIALOGS))
        .query({"type": "fieldValue", "field": x.LOG_SERVICE, "query": "*", "refId": "log_service"})
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.ALPHABETICAL_ASC)
        .multi(multi=True)
        .include_all(include_all=True)
        .all_value(ANYTHING)
        .current(_ALL)
    )


_KNOWN: Final = ",".join(f'{label}=~"${label}"' for label in a.SCOPE)
_NODES: Final = '{__name__=~"node:qudag_(?:watched_)?node:expected",' + _KNOWN + "}"
"""Recorded for each node that there is or should be: one series, where a node has hundreds."""
_SWARMS: Final = f"{presence.SWARMS.expected.name}{{{_KNOWN}}}"
_CALLED: Final = recording.OPERATION_RATE.name


def _fleet(label: str, title: str) -> Builder[dashboard.VariableModel]:
    """The fleets that there are."""
    return _many(label, title, f"label_values({presence.NODES.expected.name}, {label})")


VARIABLES: Final[Mapping[str, Callable[[], Builder[dashboard.VariableModel]]]] = {
    "datasource": lambda: _source("datasource", Source.PROMETHEUS, "Metrics"),
    "jaeger": lambda: _source("jaeger", Source.JAEGER, "Traces"),
    "victorialogs": lambda: _source("victorialogs", Source.VICTORIALOGS, "Logs"),
    **{
        label: partial(_fleet, label, title)
        for label, title in zip(a.SCOPE, ("Environment", "Cluster", "Group"), strict=True)
    },
    "node_id": lambda: _many("node_id", "Node", f"label_values({_NODES}, {a.NODE_ID.key})"),
    "swarm_id": lambda: _many("swarm_id", "Swarm", f"label_values({_SWARMS}, {a.SWARM_ID.key})"),
    "component": lambda: _many(
        "component",
        "Component",
        f"label_values({_CALLED}, {a.COMPONENT.key})",
    ),
    "operation": lambda: _many(
        "operation",
        "Operation",
        f'label_values({_CALLED}{{{a.COMPONENT.key}=~"$component"}}, {a.OPERATION.key})',
    ),
    "service": lambda: _values(
        "service", "Service", f"label_values({x.SPAN_CALLS}, {x.SERVICE_NAME})"
    ),
    "log_service": _log_service,
    "slow": lambda: (
        build.CustomVariable("slow").label("Slow from").values(_SLOW).current(_option("1s", "1s"))
    ),
    "search": lambda: build.TextBoxVariable("search").label("Text").default_value(""),
    "interval": lambda: (
        build.IntervalVariable("interval")
        .label("Export interval")
        .values(_INTERVALS)
        .current(_option(_DEFAULT_INTERVAL, _DEFAULT_INTERVAL))
    ),
}
"""Each variable by its name. `interval` is the least time between two points."""
