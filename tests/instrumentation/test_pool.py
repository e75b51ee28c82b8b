"""Connection pool: truth about requests, connections, waits, exhaustion and leaks."""

from __future__ import annotations

import asyncio
import gc
import queue
import random
import threading
import weakref
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.instrumentation.qudag.pool import MonitoredConnectionPool

from qudag_otel.testing import capture

if TYPE_CHECKING:
    from qudag_otel.testing import Captured

HITS = "qudag_connection_pool_hits_total"
MISSES = "qudag_connection_pool_misses_total"
CONNECTIONS = "qudag_active_connections"
WAITS = "qudag_connection_wait_time_seconds"


class Connection:
    """A connection that can be weakly referenced, like a socket."""


class Pool:
    """A bounded pool of threads; it forgets what it hands out."""

    def __init__(self, size: int, timeout: float = 0.0) -> None:
        self._idle: queue.LifoQueue[Connection] = queue.LifoQueue()
        self._timeout = timeout
        self._room = threading.Semaphore(size)
        self.active = 0
        self._lock = threading.Lock()

    @property
    def idle(self) -> int:
        return self._idle.qsize()

    def acquire(self) -> Connection:
        if not self._room.acquire(timeout=self._timeout):
            raise TimeoutError("no connection")
        with self._lock:
            self.active += 1
        try:
            return self._idle.get_nowait()
        except queue.Empty:
            return Connection()

    def release(self, connection: Connection) -> None:
        self._idle.put(connection)
        with self._lock:
            self.active -= 1
        self._room.release()


class AsyncPool:
    def __init__(self, size: int) -> None:
        self._free: asyncio.Queue[Connection] = asyncio.Queue()
        for _ in range(size):
            self._free.put_nowait(Connection())
        self.active = 0

    @property
    def idle(self) -> int:
        return self._free.qsize()

    async def acquire(self, limit: float | None = None) -> Connection:
        connection = await asyncio.wait_for(self._free.get(), limit)
        self.active += 1
        return connection

    async def release(self, connection: Connection) -> None:
        self.active -= 1
        await self._free.put(connection)


class EmptyPool:
    """Answers None, as some pools do."""

    active = 3
    idle = 0

    def acquire(self) -> Connection | None:
        return None

    def release(self, connection: Connection) -> None:
        raise ConnectionResetError


def test_pool_that_gives_connections_counts_hits_misses_and_waits(telemetry: Captured) -> None:
    """A new connection is a miss, one seen before a hit; both have waited."""
    pool = MonitoredConnectionPool(Pool(2), pool_type="peer", node_id="n1")

    first = pool.acquire()
    pool.release(first)
    second = pool.acquire()
    third = pool.acquire()

    assert second is first
    labels = {"pool_type": "peer", "node_id": "n1"}
    assert telemetry.value(HITS, **labels) == 1
    assert telemetry.value(MISSES, **labels) == 2
    assert telemetry.histogram(WAITS, **labels)[0] == 3
    assert telemetry.value(CONNECTIONS, state="active", **labels) == 2
    assert telemetry.value(CONNECTIONS, state="idle", **labels) == 0
    pool.release(second)
    pool.release(third)
    assert telemetry.value(CONNECTIONS, state="active", **labels) == 0
    assert telemetry.value(CONNECTIONS, state="idle", **labels) == 2
    hits = [span.attributes["qudag.pool.hit"] for span in telemetry.spans]
    assert hits == [False, True, False]


def test_pool_that_is_new_starts_at_zero(telemetry: Captured) -> None:
    """Hits, misses and leaks exist before the first request, so that ratios are never absent."""
    pool = MonitoredConnectionPool(Pool(1), pool_type="peer")

    assert telemetry.value(HITS) == 0
    assert telemetry.value(MISSES) == 0
    assert telemetry.value("qudag.errors", error_type="ConnectionLeaked") == 0
    assert telemetry.value(CONNECTIONS, state="idle") == pool.wrapped.idle == 0


def test_pool_filled_in_advance_asks_reused(telemetry: Captured) -> None:
    """Where connections exist before the wrapper, `reused` tells hits from misses."""
    known: set[Connection] = {Connection()}
    inner = Pool(2)
    for connection in known:
        inner._idle.put(connection)
    pool = MonitoredConnectionPool(inner, pool_type="peer", reused=known.__contains__)

    held = [pool.acquire(), pool.acquire()]

    assert len(held) == 2
    assert (telemetry.value(HITS), telemetry.value(MISSES)) == (1, 1)


def test_pool_exhausted_logs_once_until_a_request_succeeds(telemetry: Captured) -> None:
    """Each refused request is a miss and an error; the state is logged when it begins."""
    pool = MonitoredConnectionPool(Pool(1), pool_type="peer", node_id="n1")
    held = pool.acquire()

    for _ in range(3):
        with pytest.raises(TimeoutError):
            pool.acquire()

    assert telemetry.value("qudag.errors", component="pool", error_type="TimeoutError") == 3
    assert telemetry.value(MISSES) == 4
    assert telemetry.histogram(WAITS)[0] == 1
    log = telemetry.log("connection pool exhausted", pool_type="peer", active=1, idle=0)
    assert log.severity == "error"
    assert log.attributes["qudag.node.id"] == "n1"
    assert log.span_id == telemetry.spans[1].span_id

    pool.release(held)
    held = pool.acquire()
    with pytest.raises(TimeoutError):
        pool.acquire()
    assert sum("exhausted" in str(log.body) for log in telemetry.logs) == 2


def test_pool_that_answers_none_is_exhausted(telemetry: Captured) -> None:
    """None is a miss and the error PoolExhausted, and comes back as it is."""
    pool = MonitoredConnectionPool(EmptyPool(), pool_type="peer")

    assert pool.acquire() is None
    with pool.connection() as nothing:
        assert nothing is None

    assert telemetry.value("qudag.errors", error_type="PoolExhausted") == 2
    assert telemetry.value(MISSES) == 2
    assert not telemetry.points(WAITS)


def test_pool_whose_release_fails_counts_the_error(telemetry: Captured) -> None:
    """An error of release is counted and goes on unchanged."""
    pool = MonitoredConnectionPool(EmptyPool(), pool_type="peer")

    with pytest.raises(ConnectionResetError):
        pool.release(Connection())

    assert telemetry.value("qudag.errors", error_type="ConnectionResetError") == 1


def test_pool_with_a_leaked_connection_counts_and_logs_it(telemetry: Captured) -> None:
    """A connection that is dropped without a release is seen at the next collection."""
    pool = MonitoredConnectionPool(Pool(3), pool_type="peer", node_id="n1")

    kept = pool.acquire()
    dropped = weakref.ref(pool.acquire())
    gc.collect()
    assert dropped() is None

    leaks = {"component": "pool", "error_type": "ConnectionLeaked", "node_id": "n1"}
    telemetry.value(CONNECTIONS, state="active")  # the collection that finds it
    assert telemetry.value("qudag.errors", **leaks) == 1
    assert telemetry.log("never released", leaked=1, pool_type="peer").severity == "error"
    pool.release(kept)
    del kept
    gc.collect()
    telemetry.value(CONNECTIONS, state="active")
    assert telemetry.value("qudag.errors", **leaks) == 1


def test_pool_that_closes_a_returned_connection_sees_no_leak(telemetry: Captured) -> None:
    """A connection that goes after it was released is none."""
    inner = Pool(1)
    pool = MonitoredConnectionPool(inner, pool_type="peer")

    with pool.connection():
        pass
    inner._idle.get_nowait()
    gc.collect()
    with pool.connection():
        pass

    assert telemetry.value("qudag.errors", error_type="ConnectionLeaked") == 0
    assert (telemetry.value(HITS), telemetry.value(MISSES)) == (0, 2)


def test_pool_with_a_long_wait_logs_a_warning(telemetry: Captured) -> None:
    """A wait over the limit is a warning with the wait; one below is silent."""
    pool = MonitoredConnectionPool(Pool(1), pool_type="peer", wait_warning_seconds=0.0)
    quick = MonitoredConnectionPool(Pool(1), pool_type="quick", wait_warning_seconds=60.0)

    with pool.connection(), quick.connection():
        pass

    log = telemetry.log("long wait for a connection")
    assert log.severity == "warning"
    assert log.attributes["pool_type"] == "peer"
    assert isinstance(log.attributes["wait_seconds"], float)
    assert log.attributes["qudag.operation"] == "acquire"


def test_pool_with_unreferencable_connections_says_what_to_do(telemetry: Captured) -> None:
    """Connections such as integers count as misses, with one warning that names the remedy."""

    class Numbers:
        active = idle = 0

        def acquire(self) -> int:
            return 7

        def release(self, connection: int) -> None:
            pass

    pool = MonitoredConnectionPool(Numbers(), pool_type="peer")

    for _ in range(3):
        with pool.connection() as number:
            assert number == 7

    assert telemetry.value(MISSES) == 3
    assert telemetry.log("reused=").severity == "warning"


def test_async_pool_is_watched_like_any_other(telemetry: Captured) -> None:
    """Waiting, using and releasing asynchronously counts the same."""

    async def main() -> None:
        pool = MonitoredConnectionPool(AsyncPool(1), pool_type="peer")
        async with pool.connection() as first:
            assert telemetry.value(CONNECTIONS, state="active") == 1
            with pytest.raises(TimeoutError):
                await pool.acquire(limit=0.001)
            waiting = asyncio.ensure_future(pool.acquire())
            await asyncio.sleep(0)
        second = await waiting
        assert second is first
        await pool.release(second)
        assert telemetry.value(CONNECTIONS, state="idle") == 1

    asyncio.run(main())

    assert (telemetry.value(HITS), telemetry.value(MISSES)) == (1, 2)
    assert telemetry.histogram(WAITS)[0] == 2
    assert telemetry.log("connection pool exhausted").severity == "error"


def test_async_pool_request_when_cancelled_is_a_miss_and_no_error(telemetry: Captured) -> None:
    """Giving up is no error, but the request got nothing."""

    async def main() -> None:
        pool = MonitoredConnectionPool(AsyncPool(0), pool_type="peer")
        task = asyncio.ensure_future(pool.acquire())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert telemetry.value(MISSES) == 1
    assert telemetry.value("qudag.errors") == 0


def test_pool_after_close_or_death_reports_no_connections(telemetry: Captured) -> None:
    """Its gauges end with `close`, and with the wrapper itself."""
    closed = MonitoredConnectionPool(Pool(1), pool_type="closed")
    dead = MonitoredConnectionPool(Pool(1), pool_type="dead")
    assert len(telemetry.points(CONNECTIONS)) == 4

    closed.close()
    del dead
    gc.collect()

    assert not telemetry.points(CONNECTIONS)


def test_pool_under_threads_counts_every_request(telemetry: Captured) -> None:
    """Eight threads on three connections: every request is a hit or a miss, at most three new."""
    pool = MonitoredConnectionPool(Pool(3, timeout=60), pool_type="peer")

    def work() -> None:
        for _ in range(50):
            with pool.connection():
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    hits, misses = telemetry.value(HITS), telemetry.value(MISSES)
    assert hits + misses == 400
    assert 1 <= misses <= 3
    assert telemetry.value(CONNECTIONS, state="idle") == misses
    assert telemetry.histogram(WAITS)[0] == 400


@settings(max_examples=30, deadline=None)
@given(steps=st.lists(st.sampled_from(["acquire", "release", "leak", "close"]), max_size=30))
def test_pool_with_any_steps_tells_the_truth(steps: list[str]) -> None:
    """Any order of requests, returns, leaks and closed connections is counted exactly."""
    with capture() as telemetry:
        inner = Pool(4)
        pool = MonitoredConnectionPool(inner, pool_type="peer")
        held: list[Connection] = []
        seen: weakref.WeakSet[Connection] = weakref.WeakSet()
        hits = misses = leaks = 0
        for step in steps:
            if step == "acquire":
                before = len(seen)
                try:
                    held.append(pool.acquire())
                except TimeoutError:
                    misses += 1
                    continue
                seen.add(held[-1])
                hits, misses = (hits + 1, misses) if len(seen) == before else (hits, misses + 1)
            elif step == "release" and held:
                pool.release(held.pop())
            elif step == "leak" and held:
                held.pop()
                leaks += 1
            elif step == "close" and inner.idle:
                inner._idle.get_nowait()

        assert telemetry.value(CONNECTIONS, state="active") == inner.active
        assert telemetry.value(CONNECTIONS, state="idle") == inner.idle
        assert (telemetry.value(HITS), telemetry.value(MISSES)) == (hits, misses)
        assert telemetry.value("qudag.errors", error_type="ConnectionLeaked") == leaks


def test_destructors_that_give_connections_back_never_wait_for_themselves(
    telemetry: Captured,
) -> None:
    """The collector may run them at any allocation, also inside an acquisition of their thread."""

    class Connection:
        pass

    class Pool:
        active = 1
        idle = 0

        def acquire(self) -> Connection:
            return Connection()

        def release(self, connection: Connection, /) -> None:
            pass

    pool = MonitoredConnectionPool(Pool(), pool_type="destructors")

    class Holder:
        def __init__(self) -> None:
            self.itself = self  # a cycle: only the collector ends it
            self.connection = pool.acquire()

        def __del__(self) -> None:
            pool.release(self.connection)

    def acquire_often() -> None:
        chance = random.Random(7)
        for _ in range(500):
            gc.set_threshold(chance.randint(2, 60))
            Holder()

    before = gc.get_threshold()
    thread = threading.Thread(target=acquire_often, daemon=True)
    try:
        thread.start()
        thread.join(30)
        assert not thread.is_alive()
    finally:
        gc.set_threshold(*before)
    gc.collect()
    requests = telemetry.points("qudag_connection_pool_misses_total", pool_type="destructors")
    assert sum(point.value for point in requests) >= 1
    assert telemetry.value("qudag_errors_total", error_type="ConnectionLeaked") == 0
