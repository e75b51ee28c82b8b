"""Validation cache: hits, misses, bytes and evictions as the cache has them."""

from __future__ import annotations

import asyncio
import gc
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.instrumentation.qudag.cache import MonitoredValidationCache

from qudag_otel.testing import capture

if TYPE_CHECKING:
    from collections.abc import Callable

    from qudag_otel.testing import Captured

HITS = "qudag_validation_cache_hits_total"
MISSES = "qudag_validation_cache_misses_total"
MEMORY = "qudag_cache_memory_bytes"
EVICTIONS = "qudag_cache_evictions_total"


def ignore(reason: str) -> None:
    pass


class Cache:
    """Keeps the latest entries; tells why others left."""

    def __init__(self, size: int = 2) -> None:
        self.entries: OrderedDict[str, bool] = OrderedDict()
        self.size = size
        self.on_eviction: Callable[[str], None] = ignore

    @property
    def memory_bytes(self) -> int:
        return sum(len(key) for key in self.entries)

    def get(self, key: str) -> bool | None:
        return self.entries.get(key)

    def put(self, key: str, value: bool) -> str:
        if not key:
            raise ValueError("empty key")
        self.entries[key] = value
        self.entries.move_to_end(key)
        while len(self.entries) > self.size:
            self.entries.popitem(last=False)
            self.on_eviction("capacity")
        return key


class AsyncCache:
    memory_bytes = 0

    async def get(self, key: str) -> str:
        await asyncio.sleep(0)
        return {"known": "value"}[key]

    async def put(self, key: str, value: str) -> None:
        await asyncio.sleep(0)


def test_cache_lookups_count_hits_and_misses(telemetry: Captured) -> None:
    """A found entry is a hit, also one that says that a validation failed."""
    cache = MonitoredValidationCache(Cache(), validation_type="signature", node_id="n1")

    assert cache.get("a") is None
    assert cache.put("a", False) == "a"
    assert cache.get("a") is False
    assert cache.get("b", validation_type="hash") is None

    labels = {"validation_type": "signature", "node_id": "n1"}
    assert telemetry.value(HITS, **labels) == 1
    assert telemetry.value(MISSES, **labels) == 1
    assert telemetry.value(MISSES, validation_type="hash") == 1
    assert not telemetry.spans


def test_cache_that_is_new_starts_at_zero(telemetry: Captured) -> None:
    """All known series exist before the first lookup: 100% misses is a ratio of 0, not nothing."""
    cache = MonitoredValidationCache(
        Cache(), validation_type="signature", validation_types=["hash"]
    )

    for validation_type in ("signature", "hash"):
        assert telemetry.value(HITS, validation_type=validation_type) == 0
        assert telemetry.value(MISSES, validation_type=validation_type) == 0
    assert telemetry.value(MEMORY, cache_type=cache.cache_type) == 0
    for reason in ("capacity", "expired", "memory_pressure", "explicit", "memory"):
        assert telemetry.value(EVICTIONS, reason=reason) == 0


def test_cache_memory_is_what_it_holds_at_collection(telemetry: Captured) -> None:
    """The bytes change with the cache, without a call of the wrapper."""
    inner = Cache()
    cache = MonitoredValidationCache(inner, validation_type="signature", cache_type="own")

    inner.put("12345", True)
    assert telemetry.value(MEMORY, cache_type="own") == 5
    inner.entries.clear()
    assert telemetry.value(MEMORY, cache_type="own") == 0

    cache.close()
    assert not telemetry.points(MEMORY)


def test_cache_that_evicts_is_counted_by_reason(telemetry: Captured) -> None:
    """The cache's own calls are counted; a reason that nobody knows is "other" with a warning."""
    inner = Cache(size=1)
    cache = MonitoredValidationCache(inner, validation_type="signature")
    inner.on_eviction = cache.evicted

    for key in "abc":
        cache.put(key, True)
    cache.evicted("expired", 5)
    cache.evicted("tired")

    assert telemetry.value(EVICTIONS, reason="capacity") == 2
    assert telemetry.value(EVICTIONS, reason="expired") == 5
    assert telemetry.value(EVICTIONS, reason="other") == 1
    assert telemetry.log("tired").severity == "warning"


def test_cache_with_its_own_sentinel_knows_a_miss(telemetry: Captured) -> None:
    """Where None is a value, another object stands for "not there"."""
    missing = object()

    class Sentinel(Cache):
        def get(self, key: str) -> object:  # type: ignore[override]  # that is the case
            return None if key == "none" else missing

    cache = MonitoredValidationCache(Sentinel(), validation_type="signature", missing=missing)

    assert cache.get("none") is None
    assert cache.get("other") is missing

    assert (telemetry.value(HITS), telemetry.value(MISSES)) == (1, 1)


def test_async_cache_that_raises_key_error_misses(telemetry: Captured) -> None:
    """KeyError is a miss and no error, and goes on unchanged."""

    async def main() -> None:
        cache = MonitoredValidationCache(AsyncCache(), validation_type="signature")
        assert await cache.get("known") == "value"
        with pytest.raises(KeyError):
            await cache.get("unknown")
        await cache.put("a", "b")

    asyncio.run(main())

    assert (telemetry.value(HITS), telemetry.value(MISSES)) == (1, 1)
    assert not telemetry.points("qudag.errors")


def test_cache_that_fails_counts_an_error(telemetry: Captured) -> None:
    """Another exception is an error, and neither hit nor miss."""
    cache = MonitoredValidationCache(Cache(), validation_type="signature")

    with pytest.raises(ValueError, match="empty key"):
        cache.put("", True)
    with pytest.raises(TypeError):
        cache.get(["unhashable"])

    assert telemetry.value("qudag.errors", component="cache", error_type="ValueError") == 1
    assert telemetry.value("qudag.errors", component="cache", error_type="TypeError") == 1
    assert (telemetry.value(HITS), telemetry.value(MISSES)) == (0, 0)


def test_cache_that_is_gone_reports_no_memory(telemetry: Captured) -> None:
    """A wrapper that nobody holds any more is not kept alive by its gauge."""
    cache = MonitoredValidationCache(Cache(), validation_type="signature")
    assert telemetry.points(MEMORY)

    del cache
    gc.collect()

    assert not telemetry.points(MEMORY)


@settings(max_examples=30, deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from(["get", "put"]), st.sampled_from("abcd"))))
def test_cache_with_any_steps_counts_exactly(steps: list[tuple[str, str]]) -> None:
    """Hits, misses and evictions are those that the cache itself had."""
    with capture() as telemetry:
        inner = Cache()
        cache = MonitoredValidationCache(inner, validation_type="signature")
        evicted: Counter[str] = Counter()

        def on_eviction(reason: str) -> None:
            evicted[reason] += 1
            cache.evicted(reason)

        inner.on_eviction = on_eviction
        found: Counter[bool] = Counter()
        for step, key in steps:
            if step == "put":
                cache.put(key, True)
            else:
                found[cache.get(key) is not None] += 1

        assert (telemetry.value(HITS), telemetry.value(MISSES)) == (found[True], found[False])
        assert telemetry.value(EVICTIONS, reason="capacity") == evicted["capacity"]
        assert telemetry.value(MEMORY) == inner.memory_bytes
