"""Pools of SQLAlchemy, httpx and aiohttp: what is reported is what the pool says of itself."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import aiohttp
import httpx
import pytest
import sqlalchemy
from opentelemetry.instrumentation.qudag.adapters.aiohttp import AiohttpConnectorInstrumentor
from opentelemetry.instrumentation.qudag.adapters.httpcore import HttpcorePoolInstrumentor
from opentelemetry.instrumentation.qudag.adapters.sqlalchemy import SqlalchemyPoolInstrumentor
from sqlalchemy import pool as pools
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qudag_otel.testing import Captured

HITS = "qudag_connection_pool_hits_total"
MISSES = "qudag_connection_pool_misses_total"
ACTIVE = "qudag_active_connections"
WAIT = "qudag_connection_wait_time_seconds"
COUNT = "db.client.connection.count"
STATE = "db.client.connection.state"


def point(telemetry: Captured, what: str, **more: str) -> float:
    """A value under OpenTelemetry's names, of the one pool there is."""
    return telemetry.value(f"db.client.connection.{what}", **more)


@pytest.mark.parametrize("watched", [SqlalchemyPoolInstrumentor], indirect=True)
def test_sqlalchemy_pool_under_threads_is_as_it_says(
    telemetry: Captured, watched: Any, tmp_path: Path
) -> None:
    """Requests, creations, waits and uses; in use, idle and limits; those that come to nothing."""
    assert watched is not None
    engine = sqlalchemy.create_engine(
        f"sqlite:///{tmp_path}/shop.db", poolclass=pools.QueuePool, pool_size=2, max_overflow=1,
        pool_timeout=0.2,
    )  # fmt: skip
    created: list[object] = []
    sqlalchemy.event.listen(engine, "connect", lambda connection, _: created.append(connection))

    def work(_: int) -> None:
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("select 1"))

    with ThreadPoolExecutor(2) as threads:
        list(threads.map(work, range(40)))
    name = {"pool_type": f"sqlite/{tmp_path}/shop.db"}
    assert telemetry.value(MISSES, **name) == len(created) <= 2
    assert telemetry.value(HITS, **name) == 40 - len(created)
    assert telemetry.value(WAIT, **name) == 40
    assert point(telemetry, "create_time") == len(created)
    assert point(telemetry, "use_time") == 40
    held = [engine.connect() for _ in range(3)]
    assert telemetry.value(ACTIVE, state="active") == engine.pool.checkedout() == 3  # type: ignore[attr-defined]

    def wait() -> None:
        with contextlib.suppress(PoolTimeoutError):
            engine.connect()

    waiting = threading.Thread(target=wait)
    waiting.start()
    time.sleep(0.05)
    assert point(telemetry, "pending_requests") == 1
    waiting.join()
    assert point(telemetry, "timeouts") == 1
    assert point(telemetry, "pending_requests") == 0
    assert point(telemetry, "count", **{STATE: "used"}) == 3
    for one in held:
        one.close()
    assert point(telemetry, "count", **{STATE: "idle"}) == 2
    assert (point(telemetry, "max"), point(telemetry, "idle.max")) == (3, 2)
    engine.dispose()
    work(0)
    assert telemetry.value(ACTIVE, state="idle", **name) == 1
    assert point(telemetry, "use_time") == 40 + 3 + 1
    engine.dispose()


@pytest.mark.parametrize("watched", [SqlalchemyPoolInstrumentor], indirect=True)
def test_sqlalchemy_engine_that_is_there_is_watched_under_a_name(
    telemetry: Captured, watched: Any, tmp_path: Path
) -> None:
    """A second pool of that name gets a number; one that is gone is reported no more."""
    watched.uninstrument()
    engines = [
        sqlalchemy.create_engine(f"sqlite:///{tmp_path}/{n}.db", poolclass=pools.QueuePool)
        for n in range(2)
    ]
    watched.instrument()
    for engine in engines:
        watched.watch(engine, "shop")
        engine.connect().close()
    assert telemetry.value(ACTIVE, pool_type="shop", state="idle") == 1
    assert telemetry.value(ACTIVE, pool_type="shop-2", state="idle") == 1
    engines[1].dispose()
    del engine, engines[1]
    gc.collect()
    idle = list(telemetry.points("qudag.active.connections"))
    assert {one.labels["pool_type"] for one in idle} == {"shop"}
    engines[0].dispose()


@pytest.mark.parametrize("watched", [SqlalchemyPoolInstrumentor], indirect=True)
def test_sqlalchemy_password_is_in_no_name(telemetry: Captured, watched: Any) -> None:
    """A pool is named after host, port and database."""
    assert watched is not None
    sqlalchemy.create_engine("postgresql+asyncpg://ada:sesame@db.example:5433/shop")
    assert telemetry.value(HITS, pool_type="db.example:5433/shop") == 0


@pytest.mark.parametrize("names", ["qudag", "semconv"])
def test_names_are_chosen_by_a_variable(
    telemetry: Captured, monkeypatch: pytest.MonkeyPatch, names: str, tmp_path: Path
) -> None:
    """Under QuDAG's names, or under OpenTelemetry's, alone."""
    monkeypatch.setenv("OTEL_PYTHON_QUDAG_ADAPTER_NAMES", names)
    instrumentor = SqlalchemyPoolInstrumentor()
    instrumentor.instrument()
    try:
        engine = sqlalchemy.create_engine(f"sqlite:///{tmp_path}/a.db", poolclass=pools.QueuePool)
        engine.connect().close()
        found = {metric for metric in (HITS, ACTIVE, COUNT) if _has(telemetry, metric)}
        assert found == ({HITS, ACTIVE} if names == "qudag" else {COUNT})
        engine.dispose()
    finally:
        instrumentor.uninstrument()


def _has(telemetry: Captured, metric: str) -> bool:
    try:
        telemetry.points(metric)
    except AssertionError:
        return False
    return bool(telemetry.points(metric))


class Slow(BaseHTTPRequestHandler):
    """Answers once it is told to."""

    go = threading.Event()
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        self.go.wait(10)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def slow() -> Iterator[int]:
    """The port of a server whose answers wait for `Slow.go`."""
    Slow.go.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        Slow.go.set()
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("watched", [HttpcorePoolInstrumentor], indirect=True)
def test_httpx_connections_are_told_by_state_and_server(
    telemetry: Captured, watched: Any, slow: int
) -> None:
    """While they carry requests, and after."""
    assert watched is not None
    with httpx.Client() as client, ThreadPoolExecutor(3) as threads:
        asked = [threads.submit(client.get, f"http://127.0.0.1:{slow}/") for _ in range(3)]
        _until(lambda: telemetry.value(ACTIVE, pool_type="httpcore", state="active") == 3)
        place = {"server.address": "127.0.0.1", "server.port": str(slow)}
        state = "http.connection.state"
        open_now = "http.client.open_connections"
        assert telemetry.value(open_now, **{state: "active"}, **place) == 3
        Slow.go.set()
        assert {one.result().status_code for one in asked} == {200}
        assert telemetry.value(open_now, **{state: "idle"}, **place) == 3
        assert telemetry.value(ACTIVE, pool_type="httpcore", state="active") == 0


@pytest.mark.parametrize("watched", [AiohttpConnectorInstrumentor], indirect=True)
def test_aiohttp_connections_and_waits_are_told(
    telemetry: Captured, watched: Any, slow: int
) -> None:
    """Two may be open: the third request waits for one, and finds it."""
    assert watched is not None

    async def ask() -> None:
        connector = aiohttp.TCPConnector(limit=2)
        async with aiohttp.ClientSession(connector=connector) as session:
            url = f"http://127.0.0.1:{slow}/"

            async def get() -> int:
                async with session.get(url) as response:
                    await response.read()
                    return response.status

            tasks = [asyncio.create_task(get()) for _ in range(3)]
            while len(connector._acquired) < 2:  # noqa: ASYNC110 - it tells nobody
                await asyncio.sleep(0.01)
            assert telemetry.value(ACTIVE, pool_type="aiohttp", state="active") == 2
            Slow.go.set()
            assert await asyncio.gather(*tasks) == [200] * 3

    asyncio.run(ask())
    assert telemetry.value(HITS, pool_type="aiohttp") == 1
    assert telemetry.value(MISSES, pool_type="aiohttp") == 2
    assert telemetry.value(WAIT, pool_type="aiohttp") == 3


def _until(holds: Any) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)
