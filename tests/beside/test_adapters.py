"""Each adapter beside the instrumentation of others for its library: both see all, each once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import pytest

from tests.beside.environment import APPS
from tests.beside.test_beside import beside, distributions, wheel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.beside.environment import Environment
    from tests.servers.databases import PostgreSQL, Redis

__all__ = ["beside", "distributions", "wheel"]  # fixtures


class Library(NamedTuple):
    """What both say of ten uses.

    Args:
        ours: The entry point of the adapter.
        theirs: That of the instrumentation of others.
        spans: Theirs, by name.
        values: Of metrics whose name and labels begin so, both ours and theirs, summed.
        server: The server that it needs.
    """

    ours: str
    theirs: str
    spans: Mapping[str, int]
    values: Mapping[str, int]
    server: str = ""


POOL = {"qudag.connection.pool.": 10, "qudag.connection.wait.time": 10}
DATABASE = {
    **POOL,
    "db.client.connection.use_time": 10,
    "db.client.connection.create_time": 1,
    "db.client.connection.count": 1,
}
LIBRARIES = {
    "sqlalchemy": Library(
        "qudag-sqlalchemy", "sqlalchemy", {"connect": 10, "select": 10},
        {**DATABASE, "db.client.connections.usage": 1},
    ),
    "psycopg": Library("qudag-psycopg-pool", "psycopg", {"select": 10}, DATABASE, "postgresql"),
    # Of each use a second one, in capitals: what asyncpg asks to make the connection as new.
    "asyncpg": Library(
        "qudag-asyncpg", "asyncpg", {"select": 10, "SELECT": 10}, DATABASE, "postgresql"
    ),
    "redis": Library("qudag-redis", "redis", {"GET": 10}, DATABASE, "redis"),
    "httpx": Library(
        "qudag-httpcore", "httpx", {"GET": 10},
        {"http.client.open_connections": 1, "qudag.active.connections": 1,
         "http.client.duration": 10},
    ),
    "aiohttp": Library(
        "qudag-aiohttp", "aiohttp-client", {"GET": 10}, {**POOL, "http.client.duration": 10}
    ),
    "celery": Library(
        "qudag-celery", "celery", {"apply_async/shop.charge": 10, "run/shop.charge": 10},
        {"qudag.swarm.tasks.created": 10, "qudag.swarm.tasks.completed": 10,
         "qudag.swarm.task.latency": 10, "flower.task.runtime.seconds": 10},
    ),
    "asyncio": Library(
        "qudag-asyncio", "asyncio", {"asyncio coro-charge": 10},
        {"qudag.swarm.tasks.created default charge": 10,
         "qudag.swarm.tasks.completed default charge success": 10,
         "asyncio.process.created coroutine charge": 10},
    ),
}  # fmt: skip


@pytest.mark.servers("redis", "postgresql")
@pytest.mark.parametrize("first", ["ours", "theirs"])
@pytest.mark.parametrize("name", LIBRARIES)
def test_adapter_and_the_instrumentation_of_others_both_count_all(
    beside: Environment, redis_server: Redis, postgresql: PostgreSQL, name: str, first: str
) -> None:
    """Whichever is put on first."""
    library = LIBRARIES[name]
    ports = {"redis": redis_server.port, "postgresql": postgresql.port, "": 0}
    order = [library.ours, library.theirs][:: 1 if first == "ours" else -1]
    program = str(APPS / "adapters_app.py")
    said = beside.run(program, name, str(ports[library.server]), *order)
    told = json.loads(said)
    assert told["spans"] == library.spans
    for metric, value in library.values.items():
        found = sum(one for key, one in told["metrics"].items() if key.startswith(metric))
        assert found == value, (metric, told["metrics"])
