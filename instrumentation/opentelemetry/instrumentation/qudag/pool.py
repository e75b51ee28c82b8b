"""Connection pool: hits and misses, connections as they are, waits, exhaustion and leaks."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from opentelemetry.instrumentation.qudag._ledger import Ledger
from opentelemetry.instrumentation.qudag._owner import Node, Readings, observe_weakly

from qudag_otel._calls.awaiting import plain
from qudag_otel._calls.failure import text_of
from qudag_otel._calls.plain import SILENT
from qudag_otel._calls.wrapped import (
    Ends,
    awaited,
    failure,
    is_coroutine,
    pass_through,
    site_of,
    tell,
)
from qudag_otel._foreign import interrupts
from qudag_otel._warnings import warn_once
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue import spans as s
from qudag_otel.catalogue import thresholds as t
from qudag_otel.errors import error_type
from qudag_otel.instruments import series

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from types import TracebackType

    from qudag_otel._calls.site import Call, Ended, Tally
    from qudag_otel.instruments import Series

__all__ = ["ConnectionPool", "Lease", "MonitoredConnectionPool"]

AcquireT_co = TypeVar("AcquireT_co", covariant=True)
AcquireT = TypeVar("AcquireT")
ReleaseT_co = TypeVar("ReleaseT_co", covariant=True)
ConnectionT = TypeVar("ConnectionT")

LEAKED: Final = "ConnectionLeaked"
"""The error type of a connection that was garbage-collected without having been released."""

EXHAUSTED: Final = "PoolExhausted"
"""The error type of a pool that answers None; one that raises counts its exception's class."""

_clock = time.perf_counter_ns
# What a request tells of itself: whether it was a hit, and whether it got a connection.
_HIT: Final = (True, True)
_NEW: Final = (False, True)
_NONE: Final = (False, False)


class ConnectionPool(Protocol[AcquireT_co, ReleaseT_co]):
    """A pool of connections; `acquire` and `release` may be coroutine functions.

    `acquire` raises, or returns None, if it has no connection to give.
    """

    def acquire(self, *args: Any, **kwargs: Any) -> AcquireT_co:
        """Give a connection."""
        ...

    def release(self, connection: Any, /, *args: Any, **kwargs: Any) -> ReleaseT_co:
        """Take a connection back."""
        ...

    @property
    def active(self) -> int:
        """Connections in use now; read at collection, from any thread."""
        ...

    @property
    def idle(self) -> int:
        """Connections that wait in the pool now; read at collection, from any thread."""
        ...


class MonitoredConnectionPool(Generic[AcquireT_co, ReleaseT_co]):
    """Watches a connection pool.

    - A request is a hit if it got a connection that this wrapper has seen before, else a miss; one
      that got none is a miss too. `reused` decides otherwise.
    - Active and idle connections are what the pool says when metrics are collected.
    - The wait is the time from asking to having; one over `wait_warning_seconds` is logged.
    - A request that got none, while all connections are in use, logs that the pool is exhausted:
      once, until a request succeeds. The exception counts as an error.
    - A connection that is garbage-collected without having been released counts as the error
      "ConnectionLeaked" and is logged, at the next request or collection. Where the pool itself
      keeps its connections alive, it cannot be seen.

    Every request is a span "acquire connection".

    Args:
        pool: The pool to watch.
        pool_type: The `pool_type` label.
        node_id: The node it belongs to; by default the process's.
        component: The `component` label of its errors.
        reused: Tells whether a connection just acquired existed before; needed for a pool that
            was filled in advance, or that hands out a new object each time.
        wait_warning_seconds: The wait above which a warning is logged, in seconds.
    """

    def __init__(
        self,
        pool: ConnectionPool[AcquireT_co, ReleaseT_co],
        *,
        pool_type: str,
        node_id: str | None = None,
        component: str = "pool",
        reused: Callable[[Any], bool] | None = None,
        wait_warning_seconds: float = t.POOL_WAIT_WARNING_SECONDS,
    ) -> None:
        self.wrapped = pool
        self.pool_type = pool_type
        self._node = Node(component, node_id)
        self._ledger = Ledger()
        self._reused = reused
        self._wait_warning = wait_warning_seconds
        self._wait_warning_ns = wait_warning_seconds * 1e9
        self._exhausted = False
        labels = self._node.labels
        self._hits = series(m.POOL_HITS, pool_type=pool_type, **labels)
        self._misses = series(m.POOL_MISSES, pool_type=pool_type, **labels)
        waits = series(m.CONNECTION_WAIT_TIME, pool_type=pool_type, **labels)
        self._asking = site_of(
            s.ACQUIRE_CONNECTION,
            {s.POOL.key: pool_type},
            identity={s.NODE.key: node_id},
            late=(s.POOL_HIT.key,),
            tally=_counting(self._hits, self._misses, waits),
            weight=4,
        )
        self._later = is_coroutine(pool.acquire), is_coroutine(pool.release)
        self._hits.add(0)
        self._misses.add(0)
        self._node.count_error(LEAKED, 0)
        pass_through(self, pool, "acquire", "release")
        self.close: Callable[[], None] = observe_weakly(m.ACTIVE_CONNECTIONS, self.read)
        """Ends the observation of active and idle connections."""

    def acquire(self, *args: Any, **kwargs: Any) -> AcquireT_co:
        """Ask the pool for a connection.

        Returns:
            What the pool's `acquire` returns; give the connection back with `release`.
        """
        acquire = self.wrapped.acquire
        if self._later[0]:
            later: Any = awaited(
                self._asking, None, acquire, args, kwargs, self._missed, self._acquired
            )
            return later  # type: ignore[no-any-return]  # as `acquire` gives
        start = self._asking.start
        call = start(None)
        try:
            # Passing on nothing costs as much as counting.
            got = acquire(*args, **kwargs) if args or kwargs else acquire()
        except BaseException as error:
            self._ends().failed(call, error)
            raise
        try:
            known = type(got) in plain
        except BaseException as odd:  # a class whose own class is odd
            if interrupts(odd):
                raise
            known = False
        if known:
            self._acquired(call, got)
            call.leave()
            return got
        returned: AcquireT_co = self._ends().returned(call, got)
        return returned

    def release(self, connection: Any, /, *args: Any, **kwargs: Any) -> ReleaseT_co:
        """Give a connection back.

        Returns:
            What the pool's `release` returns.
        """
        # Before the pool has it: from then on another thread may acquire it.
        self._ledger.out.pop(id(connection), None)
        release = self.wrapped.release
        if self._later[1]:
            later: Any = self._released(release, (connection, *args), kwargs)
            return later  # type: ignore[no-any-return]  # as `release` gives
        try:
            done = release(connection, *args, **kwargs) if args or kwargs else release(connection)
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
        returned: ReleaseT_co = Ends(self._failed).returned(SILENT, done)
        return returned

    def connection(self, *args: Any, **kwargs: Any) -> Lease[AcquireT_co]:
        """A connection for a `with` block, or for `async with` if the pool is asynchronous.

        It is released when the block ends, so it cannot leak.

        Args:
            args: Passed to `acquire`.
            kwargs: Passed to `acquire`.
        """
        return Lease(lambda: self.acquire(*args, **kwargs), self.release)

    def read(self) -> Readings:
        """Active and idle connections as the pool has them now."""
        self._report_leaks()
        labels = {"pool_type": self.pool_type, **self._node.labels}
        yield {**labels, "state": "active"}, self.wrapped.active
        yield {**labels, "state": "idle"}, self.wrapped.idle

    def _ends(self) -> Ends:
        return Ends(self._missed, self._acquired)

    def _acquired(self, call: Call, connection: object) -> None:
        if connection is None:
            tell(self._missed, call, None)
            return
        # The ledger has to know every connection, also where `reused` decides.
        hit = self._ledger.take(connection)
        if self._reused is not None:
            hit = self._was_there(connection)
        call.given = _HIT if hit else _NEW
        self._exhausted = False
        waited = _clock() - call.began
        if waited > self._wait_warning_ns or self._ledger.gone:
            tell(self._noticed, call, waited * 1e-9)

    def _noticed(self, _call: Call, seconds: float) -> None:
        if seconds > self._wait_warning:
            self._warn(seconds, acquired=True)
        self._report_leaks()

    def _was_there(self, connection: object) -> bool:
        """What `reused` says, which is the application's own."""
        try:
            return bool(self._reused is not None and self._reused(connection))
        except BaseException as problem:  # measuring must not break the application
            if interrupts(problem):
                raise
            kind = error_type(problem)
            warn_once(f"reused:{kind}", "reused() failed: %s: %s", kind, text_of(problem))
            return False

    def _missed(self, call: Call, error: BaseException | None) -> None:
        call.given = _NONE
        seconds = max(0, _clock() - call.began) * 1e-9
        failed = failure(error)
        if error is None or failed is not None:
            self._node.count_error(failed or EXHAUSTED)
        active, idle = self.wrapped.active, self.wrapped.idle
        if active and not idle and not self._exhausted:
            self._exhausted = True
            self._node.log.error(
                "connection pool exhausted",
                operation="acquire",
                pool_type=self.pool_type,
                active=active,
                idle=idle,
                wait_seconds=seconds,
            )
        if seconds > self._wait_warning:
            self._warn(seconds, acquired=False)
        self._report_leaks()

    def _warn(self, seconds: float, *, acquired: bool) -> None:
        self._node.log.warning(
            "long wait for a connection",
            operation="acquire",
            pool_type=self.pool_type,
            wait_seconds=seconds,
            limit_seconds=self._wait_warning,
            acquired=acquired,
        )

    async def _released(self, release: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        try:
            return await release(*args, **kwargs)
        except BaseException as error:
            tell(self._failed, SILENT, error)
            raise

    def _failed(self, _call: Call, error: BaseException) -> None:
        failed = failure(error)
        if failed is not None:
            self._node.count_error(failed)

    def _report_leaks(self) -> None:
        leaked = self._ledger.take_leaked()
        if leaked:
            self._node.count_error(LEAKED, leaked)
            self._node.log.error(
                "connection was never released",
                operation="acquire",
                pool_type=self.pool_type,
                leaked=leaked,
            )


def _counting(hits: Series, misses: Series, waits: Series) -> Tally:
    """What counts requests, and how long those waited that got a connection."""

    def tally(calls: Sequence[Ended], offset: int) -> None:
        reused = [call for call in calls if call.given == _HIT]
        others = [call for call in calls if call.given != _HIT]
        got = [call for call in calls if call.given is not None and call.given[1]]
        for counter, counted in ((hits, reused), (misses, others)):
            if counted:
                counter.take([1] * len(counted), counted, offset)
        if got:
            waits.take([(call.ended - call.began) * 1e-9 for call in got], got, offset)

    return tally


class Lease(Generic[AcquireT_co]):
    """One connection for the time of a block; made by `MonitoredConnectionPool.connection`."""

    def __init__(self, acquire: Callable[[], AcquireT_co], release: Callable[[Any], Any]) -> None:
        self._acquire = acquire
        self._release = release
        self._connection: Any = None

    def __enter__(self) -> AcquireT_co:
        connection = self._connection = self._acquire()
        return connection

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            self._release(connection)

    async def __aenter__(self: Lease[Awaitable[ConnectionT]]) -> ConnectionT:
        connection = self._connection = await self._acquire()
        return connection

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await self._release(connection)
