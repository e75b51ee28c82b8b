"""The variables at the top of the dashboards, as data; `_inputs` and `_perses` write them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from qudag_otel.alerts import presence, recording
from qudag_otel.catalogue import attributes as a
from qudag_otel.dashboards import _external as x
from qudag_otel.dashboards._view import Source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qudag_otel.dashboards._view import Board

ANYTHING: Final = ".*"
"""What "All" stands for: also matches what appeared after the list was read."""


@dataclass(frozen=True, slots=True)
class DataSource:
    """The choice of a data source; the provisioned one at first."""

    title: str
    source: Source


@dataclass(frozen=True, slots=True)
class LabelValues:
    """The values that a label of some series has in Prometheus.

    Args:
        title: What people call it.
        series: A selector of the series.
        label: The label.
        many: Whether any number may be chosen, all of them at first.
    """

    title: str
    series: str
    label: str
    many: bool = True


@dataclass(frozen=True, slots=True)
class LogValues:
    """The values that a field has in the logs; any number may be chosen, all of them at first."""

    title: str
    field: str


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few values.

    Args:
        title: What people call it.
        values: The values.
        first: The one that is chosen at first.
        interval: Whether they are least times between two points.
    """

    title: str
    values: tuple[str, ...]
    first: str
    interval: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """What somebody types; nothing at first."""

    title: str


Variable: TypeAlias = DataSource | LabelValues | LogValues | Choice | Text

_KNOWN: Final = ",".join(f'{label}=~"${label}"' for label in a.SCOPE)
_NODES: Final = '{__name__=~"node:qudag_(?:watched_)?node:expected",' + _KNOWN + "}"
"""Recorded for each node that there is or should be: one series, where a node has hundreds."""
_SWARMS: Final = f"{presence.SWARMS.expected.name}{{{_KNOWN}}}"
_CALLED: Final = recording.OPERATION_RATE.name

VARIABLES: Final[Mapping[str, Variable]] = {
    "datasource": DataSource("Metrics", Source.PROMETHEUS),
    "jaeger": DataSource("Traces", Source.JAEGER),
    "victorialogs": DataSource("Logs", Source.VICTORIALOGS),
    **{
        label: LabelValues(title, presence.NODES.expected.name, label)
        for label, title in zip(a.SCOPE, ("Environment", "Cluster", "Group"), strict=True)
    },
    "node_id": LabelValues("Node", _NODES, a.NODE_ID.key),
    "swarm_id": LabelValues("Swarm", _SWARMS, a.SWARM_ID.key),
    "component": LabelValues("Component", _CALLED, a.COMPONENT.key),
    "operation": LabelValues(
        "Operation", f'{_CALLED}{{{a.COMPONENT.key}=~"$component"}}', a.OPERATION.key
    ),
    "service": LabelValues("Service", str(x.SPAN_CALLS), x.SERVICE_NAME, many=False),
    "log_service": LogValues("Service", x.LOG_SERVICE),
    "slow": Choice("Slow from", ("100ms", "500ms", "1s", "5s", "30s", "60s"), "1s"),
    "search": Text("Text"),
    # At first OpenTelemetry's default export interval: rates are taken over four of these.
    "interval": Choice(
        "Export interval", ("15s", "30s", "1m", "5m", "15m", "1h"), "1m", interval=True
    ),
}
"""Each variable by its name. `interval` is the least time between two points."""


def variables(board: Board) -> Sequence[str]:
    """The names of a board's variables; which fleet comes before which node."""
    source, *own = board.variables
    return (source, *a.SCOPE, *own)
