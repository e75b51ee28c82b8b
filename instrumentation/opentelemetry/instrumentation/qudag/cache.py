"""Validation cache: hits and misses, the bytes it holds, and why entries left it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from opentelemetry.instrumentation.qudag._owner import Node, Readings, observe_weakly

from qudag_otel._calls.awaiting import plain
from qudag_otel._calls.plain import SILENT
from qudag_otel._calls.wrapped import Watch, failure, pass_through, tell
from qudag_otel._series.table import Table
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue.attributes import EVICTION_REASON

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from qudag_otel._calls.site import Call

__all__ = ["MonitoredValidationCache", "ValidationCache"]

_watch: Final = Watch()
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
        try:
            get = self.wrapped.get
            # Passing on nothing costs as much as counting.
            found = get(key, *args, **kwargs) if args or kwargs else get(key)
        except BaseException as error:
            values = (validation_type or self.validation_type,)
            tell(self._looked_up, SILENT, values, None, error)
            raise
        if validation_type is None and type(found) in plain:  # nearly every look-up
            (self._miss if found is self._missing else self._hit)()
            return found
        values = (validation_type or self.validation_type,)
        returned: GetT_co = _watch.returned(found, self._looked_up, values)
        return returned

    def put(self, key: Any, value: Any, /, *args: Any, **kwargs: Any) -> PutT_co:
        """Remember an entry.

        Returns:
            What the cache's `put` returns.
        """
        try:
            put = self.wrapped.put
            done = put(key, value, *args, **kwargs) if args or kwargs else put(key, value)
        except BaseException as error:
            tell(self._stored, SILENT, None, None, error)
            raise
        if type(done) in plain:
            return done
        returned: PutT_co = _watch.returned(done, self._stored, None)
        return returned

    def evicted(self, reason: str, count: int = 1) -> None:
        """Count entries that left the cache; the cache calls this.

        Args:
            reason: "capacity", "expired", "memory" or "explicit".
            count: How many left.
        """
        _evictions[self.cache_type, reason, self._node.given](count)

    def read(self) -> Readings:
        """The bytes that the cache holds now."""
        yield {"cache_type": self.cache_type, **self._node.labels}, self.wrapped.memory_bytes

    def _looked_up(
        self, call: Call, values: tuple[str], result: object, error: BaseException | None
    ) -> None:
        if error is not None and not isinstance(error, KeyError):
            self._stored(call, None, None, error)
            return
        table = _hits if error is None and result is not self._missing else _misses
        table[values[0], self._node.given]()

    def _stored(
        self, _call: Call, _values: None, _result: object, error: BaseException | None
    ) -> None:
        failed = failure(error)
        if failed is not None:
            self._node.count_error(failed)
