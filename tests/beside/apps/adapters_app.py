"""Does ten things with a library that an adapter and the instrumentation of others watch.

`python adapters_app.py LIBRARY PORT FIRST SECOND`: the instrumentors by their entry points, put on
in this order. Prints what both say, as JSON: spans by name, and values by name of the metric.
"""

import asyncio
import json
import os
import sys
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import entry_points

from qudag_otel.testing import capture

TIMES = 10


def sqlalchemy(_: str) -> object:
    import sqlalchemy

    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.QueuePool)
    for _ in range(TIMES):
        with engine.connect() as connection:
            connection.execute(sqlalchemy.text("select 1"))
    return engine


def psycopg(port: str) -> object:
    from psycopg_pool import ConnectionPool

    place = f"host=127.0.0.1 port={port} user=tester dbname=postgres"
    pool = ConnectionPool(place, min_size=1, max_size=1, name="shop", open=True)
    for _ in range(TIMES):
        with pool.connection() as connection:
            connection.execute("select 1")
    return pool


def asyncpg(port: str) -> object:
    import asyncpg

    async def ask() -> None:
        url = f"postgresql://tester@127.0.0.1:{port}/postgres"
        pool = await asyncpg.create_pool(url, min_size=1, max_size=1)
        for _ in range(TIMES):
            async with pool.acquire() as connection:
                await connection.fetchval("select 1")
        say()
        await pool.close()

    asyncio.run(ask())


def redis(port: str) -> object:
    import redis

    client = redis.Redis(port=int(port))
    for _ in range(TIMES):
        client.get("tea")
    return client


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def served() -> str:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}/"


def httpx(_: str) -> object:
    import httpx

    client = httpx.Client()
    url = served()
    for _ in range(TIMES):
        client.get(url)
    return client


def aiohttp(_: str) -> object:
    import aiohttp

    async def ask() -> None:
        url = served()
        async with aiohttp.ClientSession() as session:
            for _ in range(TIMES):
                async with session.get(url) as response:
                    await response.read()
            say()

    asyncio.run(ask())


def celery(_: str) -> object:
    import celery
    from celery.contrib.testing.worker import start_worker

    app = celery.Celery("shop", broker="memory://", backend="cache+memory://")
    app.conf.update(worker_hijack_root_logger=False, worker_redirect_stdouts=False)

    @app.task(name="shop.charge")
    def charge(number: int) -> int:
        return number

    with start_worker(app, pool="solo", perform_ping_check=False, loglevel="CRITICAL"):
        for result in [charge.delay(number) for number in range(TIMES)]:
            result.get(timeout=60)


async def charge(number: int) -> None:
    await asyncio.sleep(0)


def tasks(_: str) -> object:
    async def main() -> None:
        await asyncio.gather(*[asyncio.create_task(charge(number)) for number in range(TIMES)])

    asyncio.run(main())


USES = {
    "aiohttp": aiohttp,
    "asyncio": tasks,
    "asyncpg": asyncpg,
    "celery": celery,
    "httpx": httpx,
    "psycopg": psycopg,
    "redis": redis,
    "sqlalchemy": sqlalchemy,
}


def say() -> None:
    """What both say now."""
    if not told:
        told["spans"] = Counter(span.name for span in telemetry.spans)
        found = Counter()
        for point in telemetry._collect():
            found[" ".join([point.metric, *map(str, point.labels.values())])] += point.value
        told["metrics"] = found


library, port, first, second = sys.argv[1:]
os.environ["OTEL_PYTHON_ASYNCIO_COROUTINE_NAMES_TO_TRACE"] = "charge"
told = {}
with capture() as telemetry:
    for name in (first, second):
        (point,) = entry_points(group="opentelemetry_instrumentor", name=name)
        point.load()().instrument()
    kept = USES[library](port)
    say()
    sys.stdout.write(json.dumps(told))
