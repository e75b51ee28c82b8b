"""A connection pool's measurements, under QuDAG's names and under OpenTelemetry's."""

from __future__ import annotations

import functools
import os
import time
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.instrumentation.qudag.adapters._adapter import (
    Adapter,
    Members,
    guarded,
    names,
    numbered,
)
from opentelemetry.instrumentation.qudag.adapters._statistics import Totals

from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue import pools as c
from qudag_otel.instruments import series

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator

    from opentelemetry.instrumentation.qudag.adapters._adapter import Observed, Reading

    from qudag_otel.catalogue import Metric
    from qudag_otel.instruments import Series

_clock = time.perf_counter


@dataclass(frozen=True, slots=True)
class State:
    """How a pool stands; None where the library does not tell.

    Args:
        used: Connections in use.
        idle: Connections that wait in the pool.
        most: Connections that may be open.
        idle_most: Idle connections that are kept.
        idle_least: Idle connections that are held ready.
        pending: Requests that wait; by default those that were seen to.
    """

    used: int
    idle: int
    most: int | None = None
    idle_most: int | None = None
    idle_least: int | None = None
    pending: int | None = None


_LIMITS: Final[tuple[tuple[Metric, str], ...]] = (
    (c.MAX, "most"),
    (c.IDLE_MAX, "idle_most"),
    (c.IDLE_MIN, "idle_least"),
    (c.PENDING, "pending"),
)


class Pool:
    """One pool that is watched: its name, its series, and who waits or holds a connection.

    Args:
        name: The pool's name, of both kinds of series.
        conventions: Whether OpenTelemetry's names are those of such pools.
    """

    def __init__(self, name: str, *, conventions: bool = True) -> None:
        qudag, semconv = names()
        semconv = semconv and conventions
        self.name = name
        self.waiting = 0
        """Requests that wait for a connection."""
        self.inherited = False
        """Whether this process was forked and has not used it: its connections are the parent's."""
        self.seen: weakref.WeakSet[Any] = weakref.WeakSet()
        """Connections that were given before."""
        self._since: dict[int, float] = {}
        ours = {"pool_type": name}
        theirs = {c.POOL_NAME.key: name}
        self._hits = [series(m.POOL_HITS, **ours)] if qudag else []
        self._misses = [series(m.POOL_MISSES, **ours)] if qudag else []
        self._waits = [series(m.CONNECTION_WAIT_TIME, **ours)] if qudag else []
        self._waits += [series(c.WAIT_TIME, **theirs)] if semconv else []
        self._uses = [series(c.USE_TIME, **theirs)] if semconv else []
        self._creations = [series(c.CREATE_TIME, **theirs)] if semconv else []
        self._timeouts = [series(c.TIMEOUTS, **theirs)] if semconv else []
        for one in (*self._hits, *self._misses, *self._timeouts):
            one.add(0)

    def moved(self) -> None:
        """In a forked child: who waits or holds a connection does so in the parent."""
        self.inherited = True
        self.waiting = 0
        self.seen = weakref.WeakSet()
        self._since = {}

    def asked(self, *, hit: bool) -> None:
        """A request got a connection that was there, or a new one or none."""
        for one in self._hits if hit else self._misses:
            one.add()

    def waited(self, seconds: float) -> None:
        """A request has a connection after so many seconds."""
        for one in self._waits:
            one.record(seconds)

    def taken(self, connection: object) -> None:
        """A connection is in use."""
        self._since[id(connection)] = _clock()

    def timed_out(self) -> None:
        """A request waited too long."""
        for one in self._timeouts:
            one.add()

    @property
    def requests(self) -> tuple[Series, ...]:
        """The counters of hits and of misses, where they are reported."""
        return (*self._hits, *self._misses)

    def given_back(self, connection: object) -> None:
        """A connection is in the pool again, or closed."""
        since = self._since.pop(id(connection), None)
        if since is not None:
            for one in self._uses:
                one.record(_clock() - since)

    def opened(self, seconds: float) -> None:
        """A connection was opened in so many seconds."""
        for one in self._creations:
            one.record(seconds)


class PoolAdapter(Adapter):
    """An adapter of a library with connection pools."""

    timeouts: tuple[type[BaseException], ...] = ()
    """What a request raises that waited too long."""
    counts = True
    """Whether requests are counted where they are seen; not if the library has totals of them."""
    opens = False
    """Whether a request that gets a new connection has opened it itself."""
    conventions = True
    """Whether OpenTelemetry's names are those of such pools."""

    def __init__(self) -> None:
        if not hasattr(self, "pools"):  # one instrumentor a process, whoever asks for it
            _adapters.append(self)
            self.pools: Members[Pool] = Members(f"{type(self).__module__.rpartition('.')[2]} pools")

    def state(self, pool: Any) -> State:
        """How a pool stands; called at collection, from any thread."""
        raise NotImplementedError

    def watch(self, pool: object, name: str) -> None:
        """Watch a pool that is there.

        Args:
            pool: The pool, held weakly.
            name: Its name; one that another pool has gets a number.
        """
        if self.pools.find(pool) is None:
            named = numbered(name, (kept.name for _, kept in self.pools))
            self.pools.add(pool, Pool(named, conventions=self.conventions))

    def observed(self) -> Iterable[Observed]:
        """How pools stand, under the names that are asked for."""
        qudag, semconv = names()
        if qudag:
            yield m.ACTIVE_CONNECTIONS, self._ours
        if semconv and self.conventions:
            yield c.COUNT, self._theirs
            for metric, field in _LIMITS:
                yield metric, functools.partial(self._limit, field)

    def end(self) -> None:
        """Read them no more."""
        super().end()
        self.pools.clear()

    def _states(self) -> Iterator[tuple[Pool, State]]:
        for pool, kept in self.pools:
            state = State(0, 0) if kept.inherited else guarded(self.state, pool)
            if state is not None:
                yield kept, state

    def _ours(self) -> Iterable[Reading]:
        for kept, state in self._states():
            yield {"pool_type": kept.name, "state": "active"}, state.used
            yield {"pool_type": kept.name, "state": "idle"}, state.idle

    def _theirs(self) -> Iterable[Reading]:
        for kept, state in self._states():
            yield {c.POOL_NAME.key: kept.name, c.STATE.key: "used"}, state.used
            yield {c.POOL_NAME.key: kept.name, c.STATE.key: "idle"}, state.idle

    def _limit(self, field: str) -> Iterable[Reading]:
        for kept, state in self._states():
            value: int | None = getattr(state, field)
            if field == "pending" and value is None:
                value = kept.waiting
            if value is not None:
                yield {c.POOL_NAME.key: kept.name}, value

    # -- replacements of a pool's methods

    def getting(self, original: Any) -> Any:
        """Around a pool's method that gives a connection."""

        def get(pool: Any, *args: Any, **kwargs: Any) -> Any:
            kept = self.pools.find(pool)
            if kept is None:
                return original(pool, *args, **kwargs)
            began = self._ask(kept)
            try:
                connection = original(pool, *args, **kwargs)
            except BaseException as error:
                guarded(self._refuse, kept, error)
                raise
            guarded(self._have, kept, connection, began)
            return connection

        return get

    def getting_later(self, original: Any) -> Any:
        """Around a pool's coroutine method that gives a connection."""

        async def get(pool: Any, *args: Any, **kwargs: Any) -> Any:
            kept = self.pools.find(pool)
            if kept is None:
                return await original(pool, *args, **kwargs)
            began = self._ask(kept)
            try:
                connection = await original(pool, *args, **kwargs)
            except BaseException as error:
                guarded(self._refuse, kept, error)
                raise
            guarded(self._have, kept, connection, began)
            return connection

        return get

    def giving(self, original: Any) -> Any:
        """Around a pool's method that takes a connection back, first of its arguments."""

        def give(pool: Any, connection: Any, *args: Any, **kwargs: Any) -> Any:
            kept = self.pools.find(pool)
            if kept is not None:
                guarded(self._give, kept, connection)
            return original(pool, connection, *args, **kwargs)

        return give

    def opening(self, original: Any) -> Any:
        """Around a pool's method that opens a connection."""

        def make(owner: Any, *args: Any, **kwargs: Any) -> Any:
            began = _clock()
            connection = original(owner, *args, **kwargs)
            kept = self.pools.find(self.pool_of(owner))
            if kept is not None:
                guarded(kept.opened, _clock() - began)
            return connection

        return make

    def opening_later(self, original: Any) -> Any:
        """Around a pool's coroutine method that opens a connection."""

        async def make(owner: Any, *args: Any, **kwargs: Any) -> Any:
            began = _clock()
            connection: Awaitable[Any] = await original(owner, *args, **kwargs)
            kept = self.pools.find(self.pool_of(owner))
            if kept is not None:
                guarded(kept.opened, _clock() - began)
            return connection

        return make

    def pool_of(self, owner: Any) -> Any:
        """The pool of what opens a connection: by default the pool itself."""
        return owner

    def lasting(self, connection: Any) -> Any:
        """What of a connection outlives its use; None if its use is seen elsewhere."""
        return connection

    def is_timeout(self, error: BaseException) -> bool:
        """Whether a request that raised this had waited too long."""
        return isinstance(error, self.timeouts)

    def _ask(self, kept: Pool) -> float:
        kept.inherited = False
        kept.waiting += 1
        return _clock()

    def _have(self, kept: Pool, connection: object, began: float) -> None:
        kept.waiting -= 1
        seconds = _clock() - began
        kept.waited(seconds)
        lasting = self.lasting(connection)
        if lasting is not None:
            if self.counts:
                hit = lasting in kept.seen
                kept.asked(hit=hit)
                kept.seen.add(lasting)
                if self.opens and not hit:
                    kept.opened(seconds)
            kept.taken(lasting)

    def _give(self, kept: Pool, connection: object) -> None:
        kept.given_back(self.lasting(connection))

    def _refuse(self, kept: Pool, error: BaseException) -> None:
        kept.waiting -= 1
        if self.counts:
            kept.asked(hit=False)
        if self.is_timeout(error):
            kept.timed_out()


_adapters: Final[list[PoolAdapter]] = []


def _after_fork() -> None:
    for adapter in _adapters:
        for _, kept in adapter.pools:
            kept.moved()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def totals(pools: Members[Pool], pool: object, read: Callable[[Any], tuple[float, float]]) -> None:
    """Count a pool's requests from totals that it keeps: answered by what was there, and not.

    Args:
        pools: The pools that are watched, this one among them.
        pool: The pool.
        read: Gives both totals of a pool.
    """
    kept = pools.find(pool)
    if kept is None or not kept.requests:
        return
    reference = weakref.ref(pool)

    def latest() -> tuple[float, ...] | None:
        living = reference()
        return None if living is None or pools.find(living) is not kept else read(living)

    Totals(latest, *kept.requests)
