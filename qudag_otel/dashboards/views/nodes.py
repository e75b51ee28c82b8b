"""Real QuDAG nodes, as `qudag-otel node` reads them from their RPC."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qudag_otel.alerts import recording as r
from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue import metrics as m
from qudag_otel.dashboards._promql import gauge, rate, recorded
from qudag_otel.dashboards._queries import heatmap
from qudag_otel.dashboards._view import GREEN, RED, Kind, Label, Query, View

if TYPE_CHECKING:
    from qudag_otel.catalogue import Metric

_UNWATCHED: Final = "No node is watched: qudag-otel node HOST:PORT watches one."
_UNMEASURED: Final = "None of the chosen nodes measures it; qudag-otel node --explain says why."
_NODE: Final = "{{node_id}}"


def _lines(
    title: str, description: str, metric: Metric, unit: str, empty: str = _UNWATCHED
) -> View:
    return View(
        title=title,
        description=description,
        queries=(Query(expression=gauge("max", metric, a.NODE_ID), legend=_NODE),),
        empty=empty,
        unit=unit,
    )


def _rates(title: str, description: str, metric: Metric, unit: str) -> View:
    query = rate(metric, a.NODE_ID, a.DIRECTION)
    return View(
        title=title,
        description=description,
        queries=(Query(expression=query, legend="{{node_id}} {{direction}}"),),
        empty=_UNMEASURED,
        unit=unit,
    )


UP: Final = View(
    title="Nodes that answer",
    description=(
        "Whether each node answers its RPC. A node that is down shows nothing else: look at its "
        "process, its address and its token."
    ),
    queries=(Query(expression=gauge("min", m.NODE_UP, a.NODE_ID), legend=_NODE),),
    empty=_UNWATCHED,
    unit="none",
    kind=Kind.STATES,
    labels=(Label(0, "down", RED), Label(1, "up", GREEN)),
)
STATES: Final = View(
    title="What they say they are",
    description=(
        "How many nodes run, are stopped, or are an RPC server without a node behind it "
        "(unwired), whose numbers would all be made up."
    ),
    queries=(Query(expression=gauge("sum", m.NODE_INFO, a.NODE_STATE), legend="{{node_state}}"),),
    empty=_UNWATCHED,
    unit="none",
)
PEERS: Final = _lines(
    "Peers",
    "Peers that each node is connected to. A node that stays at 0 is alone: "
    "nobody can reach it, or it reaches nobody.",
    m.NODE_PEERS,
    "none",
)
VERTICES: Final = _lines(
    "Vertices of the DAG",
    "Vertices that each node holds. Nodes of one network that differ for long do not agree.",
    m.NODE_VERTICES,
    "none",
)
TIPS: Final = _lines(
    "Tips of the DAG",
    "Vertices without a child yet. Many, or ever more of them, mean that the "
    "network does not agree.",
    m.NODE_TIPS,
    "none",
    _UNMEASURED,
)
PENDING: Final = _lines(
    "Transactions that wait",
    "Transactions that are not final yet. If they only grow, the node falls behind or is cut off.",
    m.NODE_PENDING,
    "none",
    _UNMEASURED,
)
UPTIME: Final = _lines(
    "Uptime",
    "Time since each node started. Where a line falls the node was restarted.",
    m.NODE_UPTIME,
    "s",
)
MEMORY: Final = _lines(
    "Memory of the process",
    "Resident memory of each node's process, where the node tells it; a line "
    "that only rises is a leak.",
    m.NODE_MEMORY,
    "bytes",
    _UNMEASURED,
)
RESTARTS: Final = View(
    title="Restarts",
    description=(
        "Restarts an hour. One is an upgrade, several are a crash loop: read the node's own log."
    ),
    queries=(Query(expression=f"3600 * {rate(m.NODE_RESTARTS, a.NODE_ID)}", legend=_NODE),),
    empty=_UNWATCHED,
    unit="none",
)
MESSAGES: Final = _rates(
    "Messages as the node counts them",
    "Messages a second by direction. Inbound without outbound is a node that does not pass on.",
    m.NODE_MESSAGES,
    "mps",
)
IO: Final = _rates(
    "Bytes as the node counts them",
    "Bytes a second by direction. Compare it with the messages: large ones are slow to chunk.",
    m.NODE_IO,
    "binBps",
)
RPC_P95: Final = View(
    title="Answer of the RPC, p95",
    description="Time that 95% of the answers stay under. A slow RPC is often a busy node.",
    queries=(
        Query(
            expression=recorded(r.RPC_P95),
            legend="{{node_id}} {{method}}",
        ),
    ),
    empty=_UNWATCHED,
    unit="s",
)
RPC_HEATMAP: Final = View(
    title="Answer of the RPC, every question",
    description=(
        "How many questions a second took how long. Two bands are two kinds of node, or of load."
    ),
    queries=heatmap(r.RPC_BUCKETS, m.NODE_RPC_DURATION),
    empty=_UNWATCHED,
    unit="s",
    kind=Kind.HEATMAP,
    minimum=None,
)
RPC_FAILED: Final = View(
    title="Questions that failed",
    description=(
        "Questions a second without a good answer, by reason: no connection, too slow, no answer "
        "of a QuDAG node, or refused."
    ),
    queries=(
        Query(
            expression=rate(m.ERRORS, a.NODE_ID, a.ERROR_TYPE, where=('component="node"',)),
            legend="{{node_id}} {{error_type}}",
        ),
    ),
    empty=_UNWATCHED,
    unit="none",
)
