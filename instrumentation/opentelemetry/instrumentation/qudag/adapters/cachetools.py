"""cachetools' caches: hits, misses and evictions.

No contrib package is beside it. A look-up is `cache[key]` or `cache.get(key)`; `key in cache` is
none. An entry that leaves by `popitem` while another is stored had to make room; one that `expire`
removes was too old.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry.instrumentation.qudag.adapters._adapter import (
    Adapter,
    Members,
    after_init,
    guarded,
)

from qudag_otel.catalogue import metrics as m
from qudag_otel.instruments import series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qudag_otel.instruments import Series

__all__ = ["CachetoolsInstrumentor"]

_NOTHING = object()


class _Kept(NamedTuple):
    hits: Series
    misses: Series
    full: Series
    old: Series


class _Busy(threading.local):
    """The cache that this thread is changing: what that looks up itself is no look-up."""

    cache: object = None
    storing = False
    asking = False


class CachetoolsInstrumentor(Adapter):
    """Watches caches: `instrument()` those to come, under their classes' names; `watch` one."""

    requires = ("cachetools >= 5.3, < 9",)

    def __init__(self) -> None:
        if not hasattr(self, "caches"):
            self.caches: Members[_Kept] = Members("caches of cachetools")
            self._busy = _Busy()

    def hooks(self) -> Iterable[tuple[Any, str, Any]]:
        """What looks up, stores and removes, in each class that has its own."""
        import cachetools

        classes: list[Any] = [cachetools.Cache]
        for one in classes:
            classes += [each for each in one.__subclasses__() if each not in classes]
        yield cachetools.Cache, "__init__", after_init(self._made)
        for one in classes:
            if one.__module__.partition(".")[0] == "cachetools":
                yield one, "__getitem__", self._looking
                yield one, "get", self._getting
                yield one, "__setitem__", self._setting
                yield one, "popitem", self._popping
                yield one, "expire", self._expiring

    def watch(self, cache: object, name: str | None = None) -> None:
        """Watch a cache; those of one name are counted together.

        Args:
            cache: The cache, held weakly.
            name: Its `cache_type` and `validation_type`; by default its class's name.
        """
        name = name or type(cache).__name__
        kept = _Kept(
            series(m.CACHE_HITS, validation_type=name),
            series(m.CACHE_MISSES, validation_type=name),
            series(m.CACHE_EVICTIONS, cache_type=name, reason="capacity"),
            series(m.CACHE_EVICTIONS, cache_type=name, reason="expired"),
        )
        for one in kept:
            one.add(0)
        self.caches.add(cache, kept)

    def end(self) -> None:
        """Forget all caches."""
        self.caches.clear()

    def _made(self, cache: Any) -> None:
        if self.caches.find(cache) is None:
            self.watch(cache)

    def _looking(self, original: Callable[..., Any]) -> Callable[..., Any]:
        find, busy = self.caches.find, self._busy

        def look(cache: Any, key: Any) -> Any:
            kept = find(cache)
            if kept is None or busy.cache is cache:
                return original(cache, key)
            try:
                value = original(cache, key)
            except KeyError:
                kept.misses.add()
                raise
            kept.hits.add()
            return value

        return look

    def _getting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        find, busy = self.caches.find, self._busy

        def get(cache: Any, key: Any, default: Any = None) -> Any:
            kept = find(cache)
            if kept is None or busy.asking:  # a class's own calls its base's
                return original(cache, key, default)
            busy.asking = True
            try:
                value = original(cache, key, _NOTHING)
            finally:
                busy.asking = False
            if value is not _NOTHING:
                return value  # counted where it was looked up
            kept.misses.add()
            return default

        return get

    def _setting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        busy = self._busy

        def store(cache: Any, key: Any, value: Any, *args: Any, **kwargs: Any) -> None:
            before = busy.cache, busy.storing
            busy.cache, busy.storing = cache, True
            try:
                original(cache, key, value, *args, **kwargs)
            finally:
                busy.cache, busy.storing = before

        return store

    def _popping(self, original: Callable[..., Any]) -> Callable[..., Any]:
        busy = self._busy

        def pop(cache: Any) -> Any:
            before, busy.cache = busy.cache, cache
            try:
                found = original(cache)
            finally:
                busy.cache = before
            if before is cache and busy.storing:
                kept = self.caches.find(cache)
                if kept is not None:
                    kept.full.add()
            return found

        return pop

    def _expiring(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def expire(cache: Any, *args: Any, **kwargs: Any) -> Any:
            kept = self.caches.find(cache)
            before = guarded(_count, cache) if kept is not None else None
            expired = original(cache, *args, **kwargs)
            if kept is not None and before is not None:
                gone = before - (guarded(_count, cache) or 0)
                if gone > 0:
                    kept.old.add(gone)
            return expired

        return expire


def _count(cache: Any) -> int:
    """Entries that a cache holds, those that are too old among them."""
    return len(cache._Cache__data)
