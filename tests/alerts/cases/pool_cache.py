"""The connection pool and the validation cache."""

from __future__ import annotations

from typing import Final

from tests.alerts.scenario import (
    RESTART,
    Case,
    Fires,
    Scenario,
    counter,
    dipping,
    elsewhere,
    gauge,
    silent,
)

_BOTH: Final = ("recording", "alerts")


def _connections(node: str, pool: str, state: str, more: str = "") -> str:
    return f'qudag_active_connections{{node_id="{node}",pool_type="{pool}",state="{state}"{more}}}'


def _exhausted(count: int, pool: str = "peer") -> Fires:
    return Fires(
        labels={"node_id": "n1", "pool_type": pool},
        description=f"Pool {pool} of node n1 has no idle connection for 2 minutes;"
        f" {count} connections are in use.",
    )


EXHAUSTED: Final = Scenario(
    name="ConnectionPoolExhausted",
    rules=_BOTH,
    severity="critical",
    concern="pool",
    cases=(
        Case(
            name="one pool of one node has no idle connection: fires after 2 minutes",
            series={
                _connections("n1", "peer", "active"): gauge((5, 10), (10, 10)),
                _connections("n1", "peer", "idle"): gauge((5, 10), (0, 10)),
                _connections("n1", "rpc", "active"): gauge((2, 20)),
                _connections("n1", "rpc", "idle"): gauge((1, 20)),
                _connections("n2", "peer", "active"): gauge((5, 20)),
                _connections("n2", "peer", "idle"): gauge((5, 20)),
            },
            at={"11m45s": (), "12m": (_exhausted(10),), "19m45s": (_exhausted(10),)},
        ),
        Case(
            name="one connection only, and it is in use",
            series={
                _connections("n1", "peer", "active"): gauge((1, 10)),
                _connections("n1", "peer", "idle"): gauge((0, 10)),
            },
            at={"1m45s": (), "2m": (_exhausted(1),)},
        ),
        Case(
            name="an unused pool: none active, none idle",
            series={
                _connections("n1", "peer", "active"): gauge((0, 30)),
                _connections("n1", "peer", "idle"): gauge((0, 30)),
            },
            at=silent(30),
        ),
        Case(
            name="another process of the node has one idle connection",
            series={
                _connections("n1", "peer", "active", ',instance="a"'): gauge((5, 30)),
                _connections("n1", "peer", "idle", ',instance="a"'): gauge((0, 30)),
                _connections("n1", "peer", "active", ',instance="b"'): gauge((5, 30)),
                _connections("n1", "peer", "idle", ',instance="b"'): gauge((1, 30)),
            },
            at=silent(30),
        ),
        Case(
            name="in spite of dips and gaps; the same pool elsewhere has some",
            series={
                _connections("n1", "peer", "active"): gauge((9, 60)),
                _connections("n1", "peer", "idle"): dipping(0, 1, 60),
                _connections("n1", "gaps", "active"): gauge((9, 60)),
                _connections("n1", "gaps", "idle"): dipping(0, "NaN", 60),
                _connections("n1", "often", "active"): gauge((9, 60)),
                _connections("n1", "often", "idle"): "0x5 1x4 " * 24,
                **elsewhere(
                    {
                        _connections("n1", "peer", "active"): gauge((9, 60)),
                        _connections("n1", "peer", "idle"): gauge((5, 60)),
                    }
                ),
            },
            at={"30m": (_exhausted(9), _exhausted(9, "gaps"))},
        ),
        Case(
            name="exhausted for a minute, during a restart",
            series={
                _connections("n1", "peer", "active"): gauge((5, 10), (1, 1), (5, 10)),
                _connections("n1", "peer", "idle"): gauge((5, 10), (0, 1), (5, 10)),
            },
            at=silent(21),
        ),
    ),
)


def _pool(node: str, pool: str, what: str) -> str:
    return f'qudag_connection_pool_{what}_total{{node_id="{node}",pool_type="{pool}"}}'


def _answers(node: str, pool: str, share: str) -> Fires:
    return Fires(
        labels={"node_id": node, "pool_type": pool},
        description=f"Pool {pool} of node {node} answers {share} of the requests with an existing"
        " connection, less than 80% for 5 minutes.",
    )


POOL_HIT_RATE: Final = Scenario(
    name="LowConnectionPoolHitRate",
    rules=_BOTH,
    severity="warning",
    concern="pool",
    cases=(
        Case(
            name="the threshold's two sides: fires after 5 minutes, for the pool of the node",
            series={
                _pool("n1", "peer", "hits"): counter((76, 20)),
                _pool("n1", "peer", "misses"): counter((24, 20)),
                _pool("n1", "rpc", "hits"): counter((84, 20)),
                _pool("n1", "rpc", "misses"): counter((16, 20)),
                _pool("n2", "peer", "hits"): counter((90, 20)),
                _pool("n2", "peer", "misses"): counter((10, 20)),
            },
            at={"5m": (), "5m15s": (_answers("n1", "peer", "76%"),)},
        ),
        Case(
            name="exactly 80%",
            series={
                _pool("n1", "peer", "hits"): counter((4, 20), step=60),
                _pool("n1", "peer", "misses"): counter((1, 20), step=60),
            },
            interval=60,
            at=silent(20),
        ),
        Case(
            name="all requests miss, and hits have no series",
            series={_pool("n1", "peer", "misses"): counter((10, 20))},
            at={"5m": (), "5m15s": (_answers("n1", "peer", "0%"),)},
        ),
        Case(
            name="all requests hit, and misses have no series",
            series={_pool("n1", "peer", "hits"): counter((10, 20))},
            at=silent(20),
        ),
        Case(
            name="one lone miss in an unused pool",
            series={
                _pool("n1", "peer", "hits"): counter((0, 60)),
                _pool("n1", "peer", "misses"): "0x100 1x140",
            },
            at=silent(60),
        ),
        Case(
            name="the floor's two sides: fewer than 20 requests in five minutes are chance",
            series={
                _pool("n1", "few", "misses"): counter((0.065, 60)),
                _pool("n1", "enough", "misses"): counter((0.068, 60)),
                _pool("n1", "seldom", "hits"): counter((0, 60)),
                _pool("n1", "seldom", "misses"): "0x15 "
                + " ".join(f"{n}x15" for n in range(1, 15)),
            },
            at={"30m": (_answers("n1", "enough", "0%"),)},
        ),
        Case(
            name="around the threshold: one ticket, which ends ten minutes after the last time",
            series={
                _pool("n1", "peer", "misses"): counter((3, 10), *[(1.5, 6), (3, 6)] * 2, (1, 30)),
                _pool("n1", "peer", "hits"): counter((7, 10), *[(8.5, 6), (7, 6)] * 2, (9, 30)),
            },
            at={
                "10m": (_answers("n1", "peer", "70%"),),
                "34m": (_answers("n1", "peer", "70%"),),
                "44m": (_answers("n1", "peer", "79.47%"),),
                "60m": (),
            },
        ),
        Case(
            name="no requests at all",
            series={
                _pool("n1", "peer", "hits"): counter((0, 60)),
                _pool("n1", "peer", "misses"): counter((0, 60)),
            },
            at=silent(60),
        ),
        Case(
            name="a restart: the pool fills within a minute",
            series={
                _pool("n1", "peer", "hits"): counter((90, 20), RESTART, (20, 1), (90, 20)),
                _pool("n1", "peer", "misses"): counter((10, 20), RESTART, (80, 1), (10, 20)),
            },
            at=silent(41),
        ),
    ),
)


def _cache(node: str, kind: str, what: str) -> str:
    return f'qudag_validation_cache_{what}_total{{node_id="{node}",validation_type="{kind}"}}'


def _cached(node: str, share: str) -> Fires:
    return Fires(
        labels={"node_id": node},
        description=f"The validation cache of node {node} answers {share} of the lookups, less"
        " than 70% for 10 minutes.",
    )


CACHE_HIT_RATE: Final = Scenario(
    name="LowCacheHitRate",
    rules=_BOTH,
    severity="warning",
    concern="cache",
    cases=(
        Case(
            name="the threshold's two sides: fires after 10 minutes, for the node",
            series={
                # All types of validation together are 67%, though one of them is at 90%.
                _cache("n1", "signature", "hits"): counter((58, 20)),
                _cache("n1", "signature", "misses"): counter((32, 20)),
                _cache("n1", "parents", "hits"): counter((9, 20)),
                _cache("n1", "parents", "misses"): counter((1, 20)),
                _cache("n2", "signature", "hits"): counter((73, 20)),
                _cache("n2", "signature", "misses"): counter((27, 20)),
            },
            at={"10m": (), "10m15s": (_cached("n1", "67%"),)},
        ),
        Case(
            name="exactly 70%",
            series={
                _cache("n1", "signature", "hits"): counter((7, 30), step=60),
                _cache("n1", "signature", "misses"): counter((3, 30), step=60),
            },
            interval=60,
            at=silent(30),
        ),
        Case(
            name="nothing hits, and hits have no series",
            series={_cache("n1", "signature", "misses"): counter((10, 30))},
            at={"10m": (), "10m15s": (_cached("n1", "0%"),)},
        ),
        Case(
            name="everything hits, and misses have no series",
            series={_cache("n1", "signature", "hits"): counter((10, 30))},
            at=silent(30),
        ),
        Case(
            name="one rare type of validation always misses",
            series={
                _cache("n1", "signature", "hits"): counter((90, 60)),
                _cache("n1", "signature", "misses"): counter((10, 60)),
                _cache("n1", "rare", "hits"): counter((0, 60)),
                _cache("n1", "rare", "misses"): counter((0.05, 60)),
            },
            at=silent(60),
        ),
        Case(
            name="the floor's two sides: fewer than 20 lookups in five minutes are chance",
            series={
                _cache("few", "signature", "misses"): counter((0.065, 60)),
                _cache("enough", "signature", "misses"): counter((0.068, 60)),
                _cache("seldom", "signature", "hits"): counter((0, 60)),
                _cache("seldom", "signature", "misses"): "0x15 "
                + " ".join(f"{n}x15" for n in range(1, 15)),
            },
            at={"30m": (_cached("enough", "0%"),)},
        ),
        Case(
            name="no lookups, and then one lone miss",
            series={
                _cache("n1", "signature", "hits"): counter((0, 60)),
                _cache("n1", "signature", "misses"): "0x100 1x140",
            },
            at=silent(60),
        ),
        Case(
            name="a restart: the cache fills within five minutes",
            series={
                _cache("n1", "signature", "hits"): counter((90, 20), RESTART, (20, 5), (90, 30)),
                _cache("n1", "signature", "misses"): counter((10, 20), RESTART, (80, 5), (10, 30)),
            },
            at=silent(55),
        ),
    ),
)

_MIB: Final = float(1 << 20)


def _bytes(node: str, cache: str, more: str = "") -> str:
    return f'qudag_cache_memory_bytes{{node_id="{node}",cache_type="{cache}"{more}}}'


CACHE_MEMORY: Final = Scenario(
    name="HighCacheMemoryUsage",
    rules=_BOTH,
    severity="warning",
    concern="cache_memory",
    cases=(
        Case(
            name="two processes of a node exceed 1 GiB together: fires after 5 minutes",
            series={
                _bytes("n1", "validation", ',instance="a"'): gauge(
                    (300 * _MIB, 10), (480 * _MIB, 10)
                ),
                _bytes("n1", "validation", ',instance="b"'): gauge((600 * _MIB, 20)),
                _bytes("n1", "blocks"): gauge((980 * _MIB, 20)),
                _bytes("n2", "validation"): gauge((1024 * _MIB, 20)),
            },
            at={
                "14m45s": (),
                "15m": (
                    Fires(
                        labels={"node_id": "n1", "cache_type": "validation"},
                        description="Cache validation of node n1 holds 1.055GiB, more than 1 GiB"
                        " for 5 minutes.",
                    ),
                ),
            },
        ),
        Case(
            name="in spite of dips and gaps; pushed and scraped is the same cache once",
            series={
                _bytes("n1", "dips"): dipping(1100 * _MIB, 900 * _MIB, 60),
                _bytes("n1", "gaps"): dipping(1100 * _MIB, "NaN", 60),
                _bytes("n1", "half"): f"{1100 * _MIB}x4 {900 * _MIB}x4 " * 24,
                _bytes("n1", "twice", ',instance="3b5a"'): gauge((600 * _MIB, 60)),
                _bytes("n1", "twice", ',instance="host:9464"'): gauge((600 * _MIB, 60)),
            },
            at={
                "30m": tuple(
                    Fires(
                        labels={"node_id": "n1", "cache_type": each},
                        description=f"Cache {each} of node n1 holds 1.074GiB, more than 1 GiB for"
                        " 5 minutes.",
                    )
                    for each in ("dips", "gaps")
                )
            },
        ),
        Case(
            name="a restart as another process: the old value is seen for 5 minutes more",
            series={
                _bytes("n1", "validation", ',instance="a"'): gauge((700 * _MIB, 10)),
                _bytes("n1", "validation", ',instance="b"'): gauge((None, 10), (700 * _MIB, 20)),
            },
            at=silent(30),
        ),
    ),
)


def _evictions(node: str, cache: str, reason: str) -> str:
    return f'qudag_cache_evictions_total{{node_id="{node}",cache_type="{cache}",reason="{reason}"}}'


EVICTIONS: Final = Scenario(
    name="FrequentCacheEvictions",
    rules=_BOTH,
    severity="info",
    concern="cache",
    cases=(
        Case(
            name="all reasons together: fires after 5 minutes, for the cache of the node",
            series={
                _evictions("n1", "validation", "capacity"): counter((6, 20)),
                _evictions("n1", "validation", "expired"): counter((4.5, 20)),
                _evictions("n1", "blocks", "capacity"): counter((9.5, 20)),
                _evictions("n2", "validation", "capacity"): counter((9.5, 20)),
            },
            at={
                # At 10.5 a second the five-minute average passes 10 after 4 minutes 45.
                "9m30s": (),
                "10m": (
                    Fires(
                        labels={"node_id": "n1", "cache_type": "validation"},
                        description="Cache validation of node n1 drops 10.5 entries/s, more than"
                        " 10 entries/s for 5 minutes.",
                    ),
                ),
            },
        ),
        Case(
            name="the whole duration, and not one evaluation less",
            series={_evictions("n1", "validation", "capacity"): counter((0, 10), (1000, 20))},
            at={
                "15m": (),
                "15m15s": (
                    Fires(
                        labels={"node_id": "n1", "cache_type": "validation"},
                        description="Cache validation of node n1 drops 1000 entries/s, more than"
                        " 10 entries/s for 5 minutes.",
                    ),
                ),
            },
        ),
        Case(
            name="exactly 10 a second",
            series={_evictions("n1", "validation", "capacity"): counter((10, 30), step=60)},
            interval=60,
            at=silent(30),
        ),
        Case(
            name="a restart clears the cache at once",
            series={
                _evictions("n1", "validation", "explicit"): counter((0, 10), (60, 0.25), (0, 20)),
                _evictions("n1", "validation", "capacity"): counter((1, 10), RESTART, (1, 20)),
            },
            at=silent(30),
        ),
    ),
)

SCENARIOS: Final = (EXHAUSTED, POOL_HIT_RATE, CACHE_HIT_RATE, CACHE_MEMORY, EVICTIONS)
