"""Caches of cachetools and functools: what is counted is what happened."""

from __future__ import annotations

import functools
import gc
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import cachetools
import pytest
from opentelemetry.instrumentation.qudag.adapters import _adapter
from opentelemetry.instrumentation.qudag.adapters.cachetools import CachetoolsInstrumentor
from opentelemetry.instrumentation.qudag.adapters.lru_cache import LruCacheInstrumentor

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qudag_otel.testing import Captured

HITS = "qudag_validation_cache_hits_total"
MISSES = "qudag_validation_cache_misses_total"
EVICTIONS = "qudag_cache_evictions_total"


@pytest.fixture
def cachetools_watched(telemetry: Captured) -> Iterator[CachetoolsInstrumentor]:
    """The instrumentor at work, and taken back."""
    assert telemetry is not None
    before = {name: vars(cachetools.LRUCache).get(name) for name in vars(cachetools.LRUCache)}
    instrumentor = CachetoolsInstrumentor()
    instrumentor.instrument()
    yield instrumentor
    instrumentor.uninstrument()
    assert {name: vars(cachetools.LRUCache).get(name) for name in before} == before


@pytest.fixture
def functions_watched(telemetry: Captured) -> Iterator[LruCacheInstrumentor]:
    """The instrumentor at work, and taken back."""
    assert telemetry is not None
    instrumentor = LruCacheInstrumentor()
    instrumentor.instrument()
    yield instrumentor
    instrumentor.uninstrument()


@pytest.mark.parametrize("kind", ["LRUCache", "LFUCache", "FIFOCache", "RRCache", "TTLCache"])
def test_cachetools_look_ups_from_many_threads_are_counted(
    telemetry: Captured, cachetools_watched: CachetoolsInstrumentor, kind: str
) -> None:
    """By item and by get, of every class, as the program itself counts them."""
    assert cachetools_watched is not None
    options = {"ttl": 60} if kind == "TTLCache" else {}
    cache = getattr(cachetools, kind)(50, **options)
    lock = threading.Lock()
    seen = {"hits": 0, "misses": 0}

    def work(seed: int) -> None:
        dice = random.Random(seed)
        for _ in range(500):
            key = dice.randrange(100)
            with lock:
                if dice.random() < 0.5:
                    found = cache.get(key) is not None
                else:
                    try:
                        found = bool(cache[key])
                    except KeyError:
                        found = False
                seen["hits" if found else "misses"] += 1
                if not found:
                    cache[key] = "x"

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(8)))
    assert telemetry.value(HITS, validation_type=kind) == seen["hits"] > 0
    assert telemetry.value(MISSES, validation_type=kind) == seen["misses"] > 0
    left = seen["misses"] - len(cache)
    assert telemetry.value(EVICTIONS, cache_type=kind, reason="capacity") == left > 0


def test_cachetools_entry_that_is_too_old_has_expired(
    telemetry: Captured, cachetools_watched: CachetoolsInstrumentor
) -> None:
    """It is no hit any more; what was put in its place did not push it out."""
    assert cachetools_watched is not None
    now = [0.0]
    cache: Any = cachetools.TTLCache(2, ttl=10, timer=lambda: now[0])
    cache["a"], cache["b"] = 1, 2
    now[0] = 11
    assert cache.get("a") is None
    cache["c"] = 3
    assert telemetry.value(HITS, validation_type="TTLCache") == 0
    assert telemetry.value(MISSES, validation_type="TTLCache") == 1
    assert telemetry.value(EVICTIONS, cache_type="TTLCache", reason="expired") == 2
    assert telemetry.value(EVICTIONS, cache_type="TTLCache", reason="capacity") == 0


def test_cachetools_decorated_function_agrees_with_its_own_statistics(
    telemetry: Captured, cachetools_watched: CachetoolsInstrumentor
) -> None:
    """A cache that was there gets a name; its decorator's `cache_info` says the same."""
    cache: Any = cachetools.LRUCache(10)
    cachetools_watched.watch(cache, "prices")

    @cachetools.cached(cache, info=True)
    def price(item: int) -> int:
        return item

    for item in [1, 2, 1, 3, 1]:
        price(item)
    info = price.cache_info()
    assert (telemetry.value(HITS, validation_type="prices"), info.hits) == (2, 2)
    assert (telemetry.value(MISSES, validation_type="prices"), info.misses) == (3, 3)


def test_cachetools_is_as_before_once_it_is_not_watched(telemetry: Captured) -> None:
    """Caches that were made meanwhile work on and count nothing."""
    instrumentor = CachetoolsInstrumentor()
    instrumentor.instrument()
    cache: Any = cachetools.LRUCache(2)
    instrumentor.uninstrument()
    cache["a"] = 1
    assert (cache["a"], cache.get("b", 5)) == (1, 5)
    assert telemetry.value(HITS, validation_type="LRUCache") == 0


def test_lru_cache_agrees_with_its_own_statistics(
    telemetry: Captured, functions_watched: LruCacheInstrumentor
) -> None:
    """Decorated after, with and without parentheses, or there before; cleared in between."""

    @functools.lru_cache
    def bare(number: int) -> int:
        return number

    @functools.lru_cache(maxsize=2)
    def bounded(number: int) -> int:
        return number

    former = functools.cache(str)
    former(0)
    functions_watched.watch(former, "former")
    for number in [1, 2, 1, 3, 1]:
        bare(number)
        bounded(number)
        former(number)
    assert telemetry.value(HITS, validation_type="former") == former.cache_info().hits == 2
    former.cache_clear()
    former(1)
    names = {one.__qualname__: f"{__name__}.{one.__qualname__}" for one in (bare, bounded)}
    for function in (bare, bounded):
        name = names[function.__qualname__]
        assert telemetry.value(HITS, validation_type=name) == function.cache_info().hits
        assert telemetry.value(MISSES, validation_type=name) == function.cache_info().misses
    assert telemetry.value(MISSES, validation_type="former") == 3 + 1


def test_function_without_statistics_is_refused(functions_watched: LruCacheInstrumentor) -> None:
    """In a sentence, where it is named."""
    with pytest.raises(TypeError, match=r"no cache_info\(\)"):
        functions_watched.watch(len)


def test_objects_are_forgotten_with_their_last_user_and_bounded(
    cachetools_watched: CachetoolsInstrumentor, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is kept alive; the 201st is not watched, which is told once."""
    caches: list[Any] = [cachetools.LRUCache(1) for _ in range(_adapter.LIMIT + 2)]
    assert sum(1 for _ in cachetools_watched.caches) == _adapter.LIMIT
    told = [record for record in caplog.records if "further ones are not watched" in record.message]
    assert len(told) == 1
    caches[-1]["a"] = 1
    assert caches[-1]["a"] == 1
    del caches
    gc.collect()
    assert list(cachetools_watched.caches) == []
