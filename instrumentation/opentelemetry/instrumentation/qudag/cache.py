"""Validation cache: hits and misses, the bytes it holds, and why entries left it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from opentelemetry.instrumentation.qudag._owner import Node, Readings, observe_weakly

from qudag_otel._calls.awaiting import plain
from qudag_otel._calls.plain import SILENT
from qudag_otel._calls.wrapped import Ends, failure, is_coroutine, pass_through
from qudag_otel._foreign import interrupts
from qudag_otel._series.table import Table
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue.attributes import EVICTION_REASON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qudag_otel._calls.site import Call

__all__ = ["MonitoredValidationCache", "ValidationCache"]

_hits: Final = Table(m.CACHE_HITS, "add", "validation_type")
_misses: Final = Table(m.CACHE_MISSES, "add", "validation_type")
_evictions: Final = Table(m.CACHE_EVICTIONS, "add", "cache_type", "reason")

GetT_co = TypeVar("GetT_co", covariant=True)
PutT_co = TypeVar("PutT_co", covariant=True)


class ValidationCache(Protocol[GetT_co, PutT_co]):
    """A cache of validations; `get` and `put` may be coroutine functions.

    `get` returns a value that stands for "not there" (None unless told otherwise), or raises
    KeyError. A cache tells of evictions by calling `on_eviction` with the reason: give it
    `MonitoredValidationCache.evicted`.
    """

    def get(self, key: Any, /, *args: Any, **kwargs: Any) -> GetT_co:
        """Look an entry up."""
        ...

    def put(self, key: Any, value: Any, /, *args: Any, **kwargs: Any) -> PutT_co:
        """Remember an entry."""
        ...

    @property
    def memory_bytes(self) -> int:
        """Bytes that it holds now; read at collection, from any thread."""
        ...


class MonitoredValidationCache(Generic[GetT_co, PutT_co]):
    """Watches a validation cache.

    A lookup is a hit if it returned anything but `missing`; so False, a validation that failed, is
    a hit. KeyError is a miss; another exception is an error and neither. The memory is what the
    cache says when metrics are collected. Evictions are counted by `evicted`, which the cache
    calls: `cache.on_eviction = monitored.evicted`.

    Args:
        cache: The cache to watch.
        validation_type: The `validation_type` label of lookups that name no other.
        cache_type: The `cache_type` label.
        node_id: The node it belongs to; by default the process's.
        component: The `component` label of its errors.
        validation_types: Further types known in advance; their counters start at 0.
        missing: What `get` returns for an entry that is not there; compared by identity.
    """

    def __init__(
        self,
        cache: ValidationCache[GetT_co, PutT_co],
        *,
        validation_type: str,
        cache_type: str = "validation",
        node_id: str | None = None,
        component: str = "cache",
        validation_types: Iterable[str] = (),
        missing: object = None,
    ) -> None:
        self.wrapped = cache
        self.validation_type = validation_type
        self.cache_type = cache_type
        self._node = Node(component, node_id)
        self._missing = missing
        self._later = is_coroutine(cache.get)
        self._hit = _hits[validation_type, node_id]
        self._miss = _misses[validation_type, node_id]
        for known in (validation_type, *validation_types):
            for table in (_hits, _misses):
                table[known, node_id](0)
        for reason in EVICTION_REASON.values:
            self.evicted(reason, 0)
        pass_through(self, cache, "put")
        self.close: Callable[[], None] = observe_weakly(m.CACHE_MEMORY, self.read)
        """Ends the observation of the memory."""

    def get(
        self, key: Any, /, *args: Any, validation_type: str | None = None, **kwargs: Any
    ) -> GetT_co:
        """Look an entry up and count a hit or a miss.

        Args:
            key: The key.
            args: Passed on.
            validation_type: What is validated, if it is not what the constructor was told.
            kwargs: Passed on.

        Returns:
            What the cache's `get` returns.
        """
        get = self.wrapped.get
        if self._later and validation_type is None and not (args or kwargs):
            later: Any = self._found(get, key)
            return later  # type: ignore[no-any-return]  # as `get` gives
        try:
            # Passing on nothing costs as much as counting.
            found = get(key, *args, **kwargs) if args or kwargs else get(key)
        except BaseException as error:
            self._ends(validation_type).failed(SILENT, error)
            raise
        try:
            known = type(found) in plain
        except BaseException as odd:  # a class whose own class is odd
            if interrupts(odd):
                raise
            known = False
        if known and validation_type is None:
            (self._miss if found is self._missing else self._hit)()
            return found
        returned: GetT_co = self._ends(validation_type).returned(SILENT, found)
        return returned

    def put(self, key: Any, value: Any, /, *args: Any, **kwargs: Any) -> PutT_co:
        """Remember an entry.

        Returns:
            What the cache's `put` returns.
        """
        put = self.wrapped.put
        try:
            done = put(key, value, *args, **kwargs) if args or kwargs else put(key, value)
        except BaseException as error:
            Ends(self._failed).failed(SILENT, error)
            raise
        try:
            known = type(done) in plain
        except BaseException as odd:  # a class whose own class is odd
            if interrupts(odd):
                raise
            known = False
        if known:
            return done
        returned: PutT_co = Ends(self._failed).returned(SILENT, done)
        return returned

    def evicted(self, reason: str, count: int = 1) -> None:
        """Count entries that left the cache; the cache calls this.

        Args:
            reason: "capacity", "expired", "memory_pressure" or "explicit".
            count: How many left.
        """
        _evictions[self.cache_type, reason, self._node.given](count)

    def read(self) -> Readings:
        """The bytes that the cache holds now."""
        yield {"cache_type": self.cache_type, **self._node.labels}, self.wrapped.memory_bytes

    def _ends(self, validation_type: str | None) -> Ends:
        """How a look-up ends, of another type than the constructor was told."""
        kind = validation_type or self.validation_type

        def found(_call: Call, result: object) -> None:
            table = _misses if result is self._missing else _hits
            table[kind, self._node.given]()

        def failed(call: Call, error: BaseException) -> None:
            if isinstance(error, KeyError):
                _misses[kind, self._node.given]()
            else:
                self._failed(call, error)

        return Ends(failed, found)

    async def _found(self, get: Callable[..., Any], key: Any) -> Any:
        """What a `get` gives that is a coroutine function."""
        try:
            found = await get(key)
        except BaseException as error:
            self._ends(None).failed(SILENT, error)
            raise
        (self._miss if found is self._missing else self._hit)()
        return found

    def _failed(self, _call: Call, error: BaseException) -> None:
        failed = failure(error)
        if failed is not None:
            self._node.count_error(failed)
