"""The rules of real nodes, from what `qudag-otel node` reads of their RPC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qudag_otel._query.promql import aggregate
from qudag_otel.alerts import presence
from qudag_otel.alerts._model import Level, Recorded
from qudag_otel.alerts._rules import crossed, rule, settled
from qudag_otel.alerts.promql import on, series
from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue import metrics as m

if TYPE_CHECKING:
    from qudag_otel.catalogue import Metric

_NODE: Final = on(Level.NODE)
_USUAL: Final = "node:qudag_node_vertices:usual"
_NOT_RUNNING: Final = f'{a.NODE_STATE.key}!="running"'
_FAILING: Final = 0.4
"""The share of polls without an answer, beyond which a node counts as down."""


def _max(metric: Metric, *matchers: str) -> str:
    """What any of those says who watch a node."""
    return aggregate("max", Level.NODE.labels, series(metric, "", *matchers))


def _recorded(subject: str, operation: str, expression: str, unit: str, words: str) -> Recorded:
    return Recorded(
        level=Level.NODE,
        subject=subject,
        operation=operation,
        expression=expression,
        unit=unit,
        description=words,
    )


UP: Final = _recorded(
    m.NODE_UP.prometheus_name,
    "max",
    f"0 * {_max(m.NODE_INFO, _NOT_RUNNING)} or {_max(m.NODE_UP)}",
    "{node}",
    "1 if a watched node answers and runs; 0 if it does not answer, is stopped, or no node at all.",
)
PEERS: Final = _recorded(
    m.NODE_PEERS.prometheus_name, "max", _max(m.NODE_PEERS), "{peer}",
    "Peers that a watched node is connected to.",
)  # fmt: skip
UPTIME: Final = _recorded(
    m.NODE_UPTIME.prometheus_name, "max", _max(m.NODE_UPTIME), "s",
    "Time since a watched node started.",
)  # fmt: skip
VERTICES: Final = _recorded(
    m.NODE_VERTICES.prometheus_name, "max", _max(m.NODE_VERTICES), "{vertex}",
    "Vertices in the DAG of a watched node.",
)  # fmt: skip
GROWTH: Final = _recorded(
    m.NODE_VERTICES.prometheus_name,
    "changes15m",
    # An outage that is not over for as long has fewer changes, too.
    f"changes({VERTICES.name}[15m]) and {VERTICES.name} and {VERTICES.name} offset 15m",
    "{change}",
    "How often the number of vertices changed within a quarter of an hour.",
)
USUAL: Final = _recorded(
    m.NODE_VERTICES.prometheus_name,
    "usual",
    f"quantile_over_time(0.1, {GROWTH.name}[6h]) and {VERTICES.name} offset 3h"
    f" and {GROWTH.name} > 0 or last_over_time({_USUAL}[6h]) and {VERTICES.name}",
    "{change}",
    "Changes within a quarter of an hour that nine in ten reached, when there were some last.",
)

WATCHED_RECORDED: Final = (UP, PEERS, UPTIME, VERTICES, GROWTH, USUAL)
"""Recorded for every watched node, in this order."""

WATCHED_RULES: Final = (
    rule(
        "NodeDown",
        "node",
        settled("NodeDown", UP.name, most=_FAILING),
        "Node <node_id> does not answer its RPC, or says that it does not run, for <duration>.",
    ),
    rule(
        "NodeWithoutPeers",
        "node",
        settled("NodeWithoutPeers", PEERS.name),
        "Node <node_id> runs and has no peer for <duration>.",
    ),
    rule(
        "NodeMakesNoProgress",
        "node",
        f"{crossed('NodeMakesNoProgress', GROWTH.name)} and {_NODE} {USUAL.name} > 0",
        "The DAG of node <node_id> did not grow for a quarter of an hour, though it hardly ever"
        " rests as long.",
    ),
    rule(
        "NodeRestarted",
        "restarts",
        crossed("NodeRestarted", f"max_over_time({UPTIME.name}[1h]) - {UPTIME.name}"),
        "Node <node_id> was restarted within the last hour; it had been up for <value> longer.",
    ),
    rule(
        "NodeRestartsAgain",
        "restarts",
        crossed(
            "NodeRestartsAgain",
            aggregate("max", Level.NODE.labels, f"round(increase({series(m.NODE_RESTARTS)}[1h]))"),
        ),
        "Node <node_id> restarts again and again: <value> within an hour.",
    ),
    rule(
        "NodeUnwatched",
        "presence",
        crossed("NodeUnwatched", presence.WATCHES.absent.name),
        "Nobody watches node <node_id> for <duration>: `qudag-otel node` ended, or what it tells"
        " does not arrive.",
    ),
)
"""The rules of real nodes."""
