"""Connection pools: utilisation, saturation, misses."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from qudag_otel.alerts import recording as r
from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue import uids
from qudag_otel.dashboards import _thresholds as thresholds
from qudag_otel.dashboards._promql import equals, gauge, rate, recorded
from qudag_otel.dashboards._queries import heatmap
from qudag_otel.dashboards._view import Kind, Query, View

_POOL: Final = (a.NODE_ID, a.POOL_TYPE)
_UNUSED: Final = "No selected node asked a pool for a connection in this window."
_POOLLESS: Final = "No selected node reports a connection pool."

HIT_RATE: Final = View(
    title="Connection Pool Efficiency",
    description=(
        "Share of requests that the pool answered with an existing connection. Below the "
        "threshold every request pays for a new connection: look at idle connections and waits; "
        "the pool is too small, or connections break."
    ),
    queries=(Query(expression=recorded(r.POOL_HIT_RATIO), legend="{{node_id}} {{pool_type}}"),),
    empty=_UNUSED,
    unit="percentunit",
    maximum=1.0,
    steps=thresholds.of_baseline("pool_hit_rate"),
    details=uids.POOL_CACHE,
)
HIT_RATE_ALONE: Final = replace(HIT_RATE, title="Pool hit rate", details="")
REQUESTS: Final = View(
    title="Requests for a connection",
    description=(
        "Requests a second that the pools answered with an existing connection (hits) and with a "
        "new one or none (misses). Misses at start are normal, later they are not."
    ),
    queries=(
        Query(expression=rate(m.POOL_HITS, a.POOL_TYPE), legend="{{pool_type}} hits"),
        Query(expression=rate(m.POOL_MISSES, a.POOL_TYPE), legend="{{pool_type}} misses"),
    ),
    empty=_POOLLESS,
    unit="reqps",
)
CONNECTIONS: Final = View(
    title="Connections by state",
    description=(
        "Connections that each pool holds, in use and idle. Idle at zero while others are in use "
        "means the pool is exhausted: callers wait. Raise its size or find who keeps connections."
    ),
    queries=(
        Query(
            expression=gauge("sum", m.ACTIVE_CONNECTIONS, *_POOL, a.CONNECTION_STATE),
            legend="{{node_id}} {{pool_type}} {{state}}",
        ),
    ),
    empty=_POOLLESS,
    unit="none",
)
IN_USE: Final = View(
    title="Pool in use",
    description=(
        "Share of a pool's connections in use. Near 100% there is no reserve left; a short peak "
        "is fine, a plateau is not."
    ),
    queries=(
        Query(
            expression=(
                gauge(
                    "sum",
                    m.ACTIVE_CONNECTIONS,
                    *_POOL,
                    where=(equals(a.CONNECTION_STATE, "active"),),
                )
                + " / ("
                + gauge("sum", m.ACTIVE_CONNECTIONS, *_POOL)
                + " > 0)"
            ),
            legend="{{node_id}} {{pool_type}}",
        ),
    ),
    empty="No selected pool holds a connection.",
    unit="percentunit",
    maximum=1.0,
)
WAIT: Final = View(
    title="Wait for a connection, p95",
    description=(
        "Time until a caller had its connection that 95% of the requests stay under. Waits of a "
        "second and more are logged as warnings with their trace."
    ),
    queries=(Query(expression=recorded(r.POOL_WAIT_P95), legend="{{node_id}} {{pool_type}}"),),
    empty=_UNUSED,
    unit="s",
    steps=thresholds.POOL_WAIT,
)
WAIT_HEATMAP: Final = View(
    title="Wait for a connection, every request",
    description=(
        "How many requests a second waited how long. Each dot is one request with a trace: open "
        "a high one to see who held the connection."
    ),
    queries=heatmap(r.POOL_WAIT_BUCKETS, m.CONNECTION_WAIT_TIME),
    empty=_UNUSED,
    unit="s",
    kind=Kind.HEATMAP,
    minimum=None,
)
