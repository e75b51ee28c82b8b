"""The validation cache: hits, size, evictions."""

from __future__ import annotations

from typing import Final

from qudag_otel.alerts import recording as r
from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue import uids
from qudag_otel.dashboards import _thresholds as thresholds
from qudag_otel.dashboards._promql import gauge, portion, rate, recorded
from qudag_otel.dashboards._view import Query, View

_UNUSED: Final = "No selected node looked anything up in its validation cache in this window."
_CACHELESS: Final = "No selected node reports a cache."

HIT_RATE: Final = View(
    title="Validation Cache Performance",
    description=(
        "Share of validations that the cache answered. Below the threshold nodes verify the same "
        "signatures again, which costs CPU: look at evictions (too small) and at message types "
        "(new content never hits)."
    ),
    queries=(Query(expression=recorded(r.CACHE_HIT_RATIO), legend="{{node_id}}"),),
    empty=_UNUSED,
    unit="percentunit",
    maximum=1.0,
    steps=thresholds.of_baseline("cache_hit_rate"),
    details=uids.POOL_CACHE,
)
HIT_RATE_BY_TYPE: Final = View(
    title="Hit rate by what is validated",
    description=(
        "Share of validations that the cache answered, by kind. One kind far below the others "
        "is never asked twice: it need not be cached."
    ),
    queries=(
        Query(
            expression=portion(
                rate(m.CACHE_HITS, a.NODE_ID, a.VALIDATION_TYPE),
                rate(m.CACHE_MISSES, a.NODE_ID, a.VALIDATION_TYPE),
            ),
            legend="{{node_id}} {{validation_type}}",
        ),
    ),
    empty=_UNUSED,
    unit="percentunit",
    maximum=1.0,
    steps=thresholds.of_baseline("cache_hit_rate"),
)
LOOKUPS: Final = View(
    title="Lookups",
    description=(
        "Lookups a second that the cache answered (hits) and could not answer (misses). More "
        "misses at the same rate of lookups means that the cache forgot, or the content is new."
    ),
    queries=(
        Query(expression=rate(m.CACHE_HITS, a.VALIDATION_TYPE), legend="{{validation_type}} hits"),
        Query(
            expression=rate(m.CACHE_MISSES, a.VALIDATION_TYPE), legend="{{validation_type}} misses"
        ),
    ),
    empty=_CACHELESS,
    unit="reqps",
)
MEMORY: Final = View(
    title="Memory held by caches",
    description=(
        "Bytes that each cache holds. Above the threshold, lower the cache's limit; growth "
        "without end means that nothing is evicted."
    ),
    queries=(
        Query(
            expression=gauge("sum", m.CACHE_MEMORY, a.NODE_ID, a.CACHE_TYPE),
            legend="{{node_id}} {{cache_type}}",
        ),
    ),
    empty=_CACHELESS,
    unit="bytes",
    steps=thresholds.of_alert("HighCacheMemoryUsage"),
)
EVICTIONS: Final = View(
    title="Evictions by reason",
    description=(
        "Entries a second that left a cache. For capacity or memory: the cache is too small for "
        "the load. Expired: entries live too briefly. Explicit: the application removed them."
    ),
    queries=(
        Query(
            expression=rate(m.CACHE_EVICTIONS, a.NODE_ID, a.CACHE_TYPE, a.EVICTION_REASON),
            legend="{{node_id}} {{cache_type}} {{reason}}",
        ),
    ),
    empty="No entry was ever evicted on the selected nodes.",
    unit="cps",
    steps=thresholds.of_alert("FrequentCacheEvictions"),
)
