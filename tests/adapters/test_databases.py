"""Pools of redis-py, asyncpg, psycopg and SQLAlchemy on real servers: as the library says."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import inspect
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import asyncpg
import psycopg_pool
import pytest
import redis
import redis.asyncio as aredis
from opentelemetry.instrumentation.qudag.adapters.asyncpg import AsyncpgPoolInstrumentor
from opentelemetry.instrumentation.qudag.adapters.psycopg_pool import PsycopgPoolInstrumentor
from opentelemetry.instrumentation.qudag.adapters.redis import RedisPoolInstrumentor
from opentelemetry.instrumentation.qudag.adapters.sqlalchemy import SqlalchemyPoolInstrumentor
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine

from tests.sdk.receiver import eventually

if TYPE_CHECKING:
    from qudag_otel.testing import Captured
    from tests.servers.databases import PostgreSQL, Redis

pytestmark = pytest.mark.servers

HITS, MISSES = "qudag_connection_pool_hits_total", "qudag_connection_pool_misses_total"
ACTIVE = "qudag_active_connections"
TIMES = ("create_time", "wait_time", "use_time")


def conventions(telemetry: Captured, what: str, **more: str) -> float:
    """A value under OpenTelemetry's names, of the one pool there is."""
    return telemetry.value(f"db.client.connection.{what}", **more)


def states(telemetry: Captured) -> dict[str, float]:
    """Connections by state, which both names tell alike."""
    theirs = {
        str(one.labels["db.client.connection.state"]): one.value
        for one in telemetry.points("db.client.connection.count")
    }
    ours = {str(one.labels["state"]): one.value for one in telemetry.points(ACTIVE)}
    assert ours == {"active": theirs["used"], "idle": theirs["idle"]}
    return theirs


def connection_of(pool: Any) -> Any:
    """A connection, asked for as the version wants it."""
    command = inspect.signature(pool.get_connection).parameters.get("command_name")
    asked = () if command is None or command.default is None else ("PING",)
    return pool.get_connection(*asked)


def redis_pools() -> list[type[redis.ConnectionPool]]:
    return [redis.ConnectionPool, redis.BlockingConnectionPool]


@pytest.mark.parametrize("watched", [RedisPoolInstrumentor], indirect=True)
@pytest.mark.parametrize("kind", redis_pools())
def test_redis_pool_under_threads_is_as_it_says(
    telemetry: Captured, watched: Any, redis_server: Redis, kind: type[redis.ConnectionPool]
) -> None:
    """Every command asks once; a connection is opened by the first that gets it."""
    assert watched is not None
    pool = kind(port=redis_server.port, max_connections=4)
    client = redis.Redis(connection_pool=pool)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda n: client.incr(f"{kind.__name__}:{n % 7}"), range(200)))
    opened = telemetry.value(MISSES)
    assert 1 <= opened <= 4
    assert telemetry.value(HITS) == 200 - opened
    assert [conventions(telemetry, what) for what in TIMES] == [opened, 200, 200]
    assert states(telemetry) == {"used": 0, "idle": opened}
    held = [connection_of(pool) for _ in range(4)]
    assert states(telemetry) == {"used": 4, "idle": 0}
    assert conventions(telemetry, "max") == 4
    for one in held:
        pool.release(one)
    assert states(telemetry) == {"used": 0, "idle": 4}
    client.close()
    pool.disconnect()


@pytest.mark.parametrize("watched", [RedisPoolInstrumentor], indirect=True)
def test_redis_request_in_vain_is_a_timeout(
    telemetry: Captured, watched: Any, redis_server: Redis
) -> None:
    """Of a pool that blocks; it is no longer pending, and the pool's end is the series' end."""
    assert watched is not None
    kind: Any = redis.BlockingConnectionPool
    pool = kind(port=redis_server.port, max_connections=1, timeout=0.05)
    held = connection_of(pool)
    with pytest.raises(redis.ConnectionError, match="No connection available"):
        connection_of(pool)
    assert conventions(telemetry, "timeouts") == 1
    assert conventions(telemetry, "pending_requests") == 0
    pool.release(held)
    pool.disconnect()
    del pool, held
    gc.collect()
    assert telemetry.points(ACTIVE) == []


@pytest.mark.parametrize("watched", [RedisPoolInstrumentor], indirect=True)
def test_redis_asyncio_pool_under_tasks_is_as_it_says(
    telemetry: Captured, watched: Any, redis_server: Redis
) -> None:
    """As the pool of threads."""
    assert watched is not None

    async def load() -> None:
        pool = aredis.BlockingConnectionPool(port=redis_server.port, max_connections=3)
        client = aredis.Redis(connection_pool=pool)
        await asyncio.gather(*(client.incr(f"task:{n % 5}") for n in range(100)))
        opened = telemetry.value(MISSES)
        assert opened == 3
        assert telemetry.value(HITS) == 97
        assert [conventions(telemetry, what) for what in TIMES] == [3, 100, 100]
        assert states(telemetry) == {"used": 0, "idle": 3}
        await pool.disconnect()

    asyncio.run(load())


@pytest.mark.parametrize("watched", [AsyncpgPoolInstrumentor], indirect=True)
def test_asyncpg_pool_under_tasks_is_as_it_says(
    telemetry: Captured, watched: Any, postgresql: PostgreSQL
) -> None:
    """Uses, waits, openings; in use and idle as its own counts; a wait that came to nothing."""
    assert watched is not None

    async def load() -> None:
        url = f"postgresql://tester@127.0.0.1:{postgresql.port}/postgres"
        async with asyncpg.create_pool(url, min_size=1, max_size=3) as pool:

            async def ask() -> int:
                async with pool.acquire() as connection:
                    assert states(telemetry)["used"] == pool.get_size() - pool.get_idle_size()
                    return int(await connection.fetchval("select 1"))

            assert await asyncio.gather(*(ask() for _ in range(40))) == [1] * 40
            size = pool.get_size()
            assert states(telemetry) == {"used": 0, "idle": size}
            assert [conventions(telemetry, what) for what in TIMES] == [size, 40, 40]
            assert telemetry.value(HITS) + telemetry.value(MISSES) == 40
            limits = [conventions(telemetry, what) for what in ("max", "idle.min")]
            assert limits == [pool.get_max_size(), pool.get_min_size()]
            held = [await pool.acquire() for _ in range(3)]
            with pytest.raises(asyncio.TimeoutError):
                await pool.acquire(timeout=0.05)
            assert conventions(telemetry, "timeouts") == 1
            for one in held:
                await pool.release(one)
            assert conventions(telemetry, "use_time") == 43
        assert telemetry.points(ACTIVE) == []

    asyncio.run(load())


@pytest.mark.parametrize("watched", [SqlalchemyPoolInstrumentor], indirect=True)
def test_sqlalchemy_asyncio_pool_is_as_it_says(
    telemetry: Captured, watched: Any, postgresql: PostgreSQL
) -> None:
    """Tasks that share a thread do not mix up their connections."""
    assert watched is not None

    async def load() -> None:
        url = f"postgresql+asyncpg://tester@127.0.0.1:{postgresql.port}/postgres"
        engine = create_async_engine(url, pool_size=2, max_overflow=1)

        async def ask() -> None:
            async with engine.connect() as connection:
                await connection.execute(text("select 1"))

        await asyncio.gather(*(ask() for _ in range(40)))
        pool: Any = engine.pool
        opened = telemetry.value(MISSES)
        assert telemetry.value(HITS) == 40 - opened
        assert [conventions(telemetry, what) for what in TIMES] == [opened, 40, 40]
        assert states(telemetry) == {"used": pool.checkedout(), "idle": pool.checkedin()}
        assert conventions(telemetry, "pending_requests") == 0
        await engine.dispose()

    asyncio.run(load())


@pytest.mark.parametrize("watched", [PsycopgPoolInstrumentor], indirect=True)
def test_psycopg_pool_under_threads_is_as_its_statistics_say(
    telemetry: Captured, watched: Any, postgresql: PostgreSQL
) -> None:
    """Requests, queued ones, openings and errors are those of `get_stats`."""
    assert watched is not None
    place = f"host=127.0.0.1 port={postgresql.port} user=tester dbname=postgres"
    with psycopg_pool.ConnectionPool(place, min_size=1, max_size=3, name="shop", open=True) as pool:

        def ask(_: int) -> None:
            with pool.connection() as connection:
                connection.execute("select 1")

        with ThreadPoolExecutor(6) as threads:
            list(threads.map(ask, range(60)))
        stats = pool.get_stats()
        assert (
            telemetry.value(HITS, pool_type="shop") + telemetry.value(MISSES, pool_type="shop")
            == stats["requests_num"]
        )
        assert telemetry.value(MISSES, pool_type="shop") == stats.get("requests_queued", 0)
        # Others than the first are opened in the background, and counted before they are.
        eventually(
            lambda: conventions(telemetry, "create_time") == pool.get_stats()["connections_num"],
            "every connection that was begun is open",
        )
        assert [conventions(telemetry, what) for what in TIMES[1:]] == [60, 60]
        stats = pool.get_stats()
        assert states(telemetry) == {"used": 0, "idle": stats["pool_available"]}
        held = [pool.getconn() for _ in range(3)]
        with contextlib.suppress(psycopg_pool.PoolTimeout):
            pool.getconn(timeout=0.05)
        assert conventions(telemetry, "timeouts") == pool.get_stats()["requests_errors"] == 1
        assert states(telemetry) == {"used": 3, "idle": 0}
        for one in held:
            pool.putconn(one)
    limits = [conventions(telemetry, what) for what in ("max", "idle.min")]
    assert limits == [3, 1]


@pytest.mark.parametrize("watched", [PsycopgPoolInstrumentor], indirect=True)
def test_psycopg_asyncio_pool_is_as_its_statistics_say(
    telemetry: Captured, watched: Any, postgresql: PostgreSQL
) -> None:
    """As the pool of threads."""
    assert watched is not None

    async def load() -> None:
        place = f"host=127.0.0.1 port={postgresql.port} user=tester dbname=postgres"
        async with psycopg_pool.AsyncConnectionPool(
            place, min_size=1, max_size=3, open=False
        ) as pool:

            async def ask() -> None:
                async with pool.connection() as connection:
                    await connection.execute("select 1")

            await asyncio.gather(*(ask() for _ in range(40)))
            stats = pool.get_stats()
            assert telemetry.value(HITS) + telemetry.value(MISSES) == stats["requests_num"]
            while conventions(telemetry, "create_time") < pool.get_stats()["connections_num"]:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
            assert [conventions(telemetry, what) for what in TIMES[1:]] == [40, 40]
            stats = pool.get_stats()
            assert states(telemetry) == {"used": 0, "idle": stats["pool_available"]}

    asyncio.run(load())
