"""Runbooks of connection pools and caches."""

from __future__ import annotations

from typing import Final

from qudag_otel.alerts import recording as r
from qudag_otel.alerts.sections import _terms as t
from qudag_otel.alerts.sections._model import Section, cause

SECTIONS: Final[dict[str, Section]] = {
    "ConnectionPoolExhausted": Section(
        value=t.of(r.POOL_CONNECTIONS, 'state="idle"'),
        impact=(
            "Every request waits for a connection; throughput falls to what the pool gives back."
        ),
        causes=(
            cause("connections are not given back", t.NOTHING_SENT),
            cause(
                "a peer answers slowly, so connections stay out", t.STILL_SENT, t.AS_MANY_REQUESTS
            ),
            cause("the pool is too small for the load", t.STILL_SENT, t.MORE_REQUESTS),
        ),
        actions=(
            "Compare the wait time of the pool with the latency of its peers.",
            (
                "Search the log for `leaked`: a connection that was never given back is "
                "reported there."
            ),
            "Raise the pool's size only if peers answer as fast as usual.",
        ),
    ),
    "LowConnectionPoolHitRate": Section(
        value=t.of(r.POOL_HIT_RATIO),
        impact="New connections cost a handshake each; latency and CPU rise.",
        causes=(
            cause("no connection is free at all", t.NO_CONNECTION),
            cause("a restart", t.RESTARTED),
            cause("more peers than the pool keeps", t.MORE_REQUESTS),
            cause("peers close idle connections"),
        ),
        actions=(
            "Wait ten minutes after a restart.",
            ("Compare the pool's size with the number of peers, and its idle timeout with theirs."),
        ),
    ),
    "LowCacheHitRate": Section(
        value=t.of(r.CACHE_HIT_RATIO),
        impact="Signatures are verified again and again; CPU and latency rise.",
        causes=(
            cause("something empties the cache", t.evicted("explicit")),
            cause(
                "entries are evicted too early", t.evicted("capacity or memory_pressure or expired")
            ),
            cause("what is looked up cannot be verified, so that it is never kept", t.UNVERIFIED),
            cause("a restart emptied the cache", t.RESTARTED),
            cause("new kinds of messages", t.NOTHING_EVICTED),
        ),
        actions=(
            (
                "Look at evictions by reason: capacity and memory ask for a larger cache, "
                "expired for a longer time to live."
            ),
        ),
    ),
    "HighCacheMemoryUsage": Section(
        value=t.of(r.CACHE_BYTES),
        impact="Memory is missing elsewhere; the host may run out of it.",
        causes=(
            cause("no limit", t.NOTHING_EVICTED),
            cause(
                "a limit in entries where entries became larger", t.evicted("capacity or expired")
            ),
        ),
        actions=(
            "Set a limit in bytes.",
            "Compare with the hit rate: a cache this large should hit.",
        ),
    ),
    "FrequentCacheEvictions": Section(
        value=t.of(r.CACHE_EVICTION_RATE),
        impact="The cache works hard and soon hits less.",
        causes=(
            cause("something empties the cache", t.evicted("explicit")),
            cause("entries expire at once", t.evicted("expired")),
            cause("a burst of new messages", t.MORE_MESSAGES),
            cause("the cache is too small", t.evicted("capacity or memory_pressure")),
        ),
        actions=("Look at the reason: capacity and memory ask for a larger cache.",),
    ),
    "UnusuallyLowCacheHitRate": Section(
        value=t.of(r.CACHE_HIT_RATIO),
        impact="More is verified than usual at this hour.",
        causes=(
            cause("something empties the cache", t.evicted("explicit")),
            cause("a restart", t.RESTARTED),
            cause("new kinds of messages", t.NOTHING_EVICTED),
        ),
        actions=("As for LowCacheHitRate.",),
    ),
}
"""The sections, by the alert's name."""
