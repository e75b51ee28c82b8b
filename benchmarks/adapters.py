"""`python -m benchmarks.adapters`: what an adapter adds to a call of its library.

Each library is measured bare and watched, by turns, each time with objects of its own; the least of
all turns counts, in CPU time of this process, which other programs disturb little. Redis and
PostgreSQL are real. `--write` puts the table into the page.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import multiprocessing
import queue
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qudag_otel.testing import capture

if TYPE_CHECKING:
    from collections.abc import Callable

    Case = Callable[[ExitStack, dict[str, int]], tuple[Callable[[], object], int]]

PAGE = Path(__file__).parent.parent / "docs" / "how-to" / "libraries.md"
BEGIN, END = "<!-- costs: python -m benchmarks.adapters --write -->\n", "<!-- end of costs -->\n"
PACKAGE = "opentelemetry.instrumentation.qudag.adapters."
TURNS = 12


def cachetools_get(stack: ExitStack, ports: dict[str, int]) -> tuple[Callable[[], object], int]:
    import cachetools

    cache: Any = cachetools.LRUCache(10)
    cache["a"] = 1
    return lambda: cache["a"], 20_000


def lru_call(stack: ExitStack, ports: dict[str, int]) -> tuple[Callable[[], object], int]:
    cached = functools.lru_cache(abs)
    return lambda: cached(-1), 50_000


def queue_pass(stack: ExitStack, ports: dict[str, int]) -> tuple[Callable[[], object], int]:
    orders: queue.Queue[int] = queue.Queue()
    import_module(PACKAGE + "queues").QueueInstrumentor().watch(orders, "orders")

    def passed() -> None:
        orders.put(1)
        orders.get()

    return passed, 10_000


def executor_task(stack: ExitStack, ports: dict[str, int]) -> tuple[Callable[[], object], int]:
    executor = stack.enter_context(ThreadPoolExecutor(1))
    return lambda: executor.submit(abs, -1).result(), 2_000


def process_task(stack: ExitStack, ports: dict[str, int]) -> tuple[Callable[[], object], int]:
    pool = stack.enter_context(multiprocessing.get_context("spawn").Pool(1))
    pool.apply(abs, (-1,))
    return lambda: pool.apply(abs, (-1,)), 300


def sqlalchemy_connect(stack: ExitStack, ports: dict[str, int]) -> tuple[Callable[[], object], int]:
    import sqlalchemy

    engine = sqlalchemy.create_engine("sqlite://", poolclass=sqlalchemy.QueuePool)
    stack.callback(engine.dispose)
    return lambda: engine.connect().close(), 2_000


def redis_get(stack: ExitStack, ports: dict[str, int]) -> tuple[Callable[[], object], int]:
    import redis

    client = redis.Redis(port=ports["redis"])
    stack.callback(client.close)
    return lambda: client.get("a"), 1_000


def asyncpg_acquire(stack: ExitStack, ports: dict[str, int]) -> tuple[Callable[[], object], int]:
    import asyncpg

    runner = stack.enter_context(asyncio.Runner())
    url = f"postgresql://tester@127.0.0.1:{ports['postgresql']}/postgres"

    async def opened() -> Any:
        return await asyncpg.create_pool(url, min_size=1, max_size=1)

    pool = runner.run(opened())
    stack.callback(lambda: runner.run(pool.close()))

    async def query() -> None:
        for _ in range(10):
            async with pool.acquire() as connection:
                await connection.fetchval("select 1")

    return lambda: runner.run(query()), 40


def psycopg_connection(stack: ExitStack, ports: dict[str, int]) -> tuple[Callable[[], object], int]:
    from psycopg_pool import ConnectionPool

    place = f"host=127.0.0.1 port={ports['postgresql']} user=tester dbname=postgres"
    pool = stack.enter_context(ConnectionPool(place, min_size=1, max_size=1, open=True))
    pool.wait(60)

    def ask() -> None:
        with pool.connection() as connection:
            connection.execute("select 1")

    return ask, 300


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def served(ready: Any, stop: Any) -> None:
    """In a process of its own, whose CPU time is not counted."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        ready.put(server.server_port)
        stop.wait()
        server.shutdown()


def web(stack: ExitStack) -> str:
    context = multiprocessing.get_context("spawn")
    ready, stop = context.Queue(), context.Event()
    process = context.Process(target=served, args=(ready, stop), daemon=True)
    process.start()
    stack.callback(process.join)
    stack.callback(stop.set)
    return f"http://127.0.0.1:{ready.get(timeout=60)}/"


def httpx_get(stack: ExitStack, ports: dict[str, int]) -> tuple[Callable[[], object], int]:
    import httpx

    url = web(stack)
    client = stack.enter_context(httpx.Client())
    return lambda: client.get(url), 300


def aiohttp_get(stack: ExitStack, ports: dict[str, int]) -> tuple[Callable[[], object], int]:
    import aiohttp

    url = web(stack)
    runner = stack.enter_context(asyncio.Runner())

    async def opened() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    session = runner.run(opened())
    stack.callback(lambda: runner.run(session.close()))

    async def get() -> None:
        for _ in range(10):
            async with session.get(url) as response:
                await response.read()

    return lambda: runner.run(get()), 30


def celery_send(stack: ExitStack, ports: dict[str, int]) -> tuple[Callable[[], object], int]:
    import celery

    app = celery.Celery("shop", broker="memory://")
    stack.callback(app.close)
    stack.callback(app.control.purge)  # the broker in memory is the whole process's

    @app.task(name="shop.charge", shared=False)  # type: ignore[untyped-decorator]
    def charge(order: int) -> None:
        pass

    return lambda: charge.delay(7), 300


def asyncio_tasks(stack: ExitStack, ports: dict[str, int]) -> tuple[Callable[[], object], int]:
    runner = stack.enter_context(asyncio.Runner())

    async def nothing() -> None:
        pass

    async def many() -> None:
        for _ in range(100):
            await asyncio.create_task(nothing())

    return lambda: runner.run(many()), 50


CASES: dict[str, tuple[str, str, Case, int]] = {
    "cachetools": ("CachetoolsInstrumentor", "a look-up", cachetools_get, 1),
    "lru_cache": ("LruCacheInstrumentor", "a call that is remembered", lru_call, 1),
    "sqlalchemy": ("SqlalchemyPoolInstrumentor", "connect and close", sqlalchemy_connect, 1),
    "redis": ("RedisPoolInstrumentor", "one GET", redis_get, 1),
    "asyncpg": ("AsyncpgPoolInstrumentor", "acquire, `select 1`, release", asyncpg_acquire, 10),
    "psycopg_pool": ("PsycopgPoolInstrumentor", "connection, `select 1`", psycopg_connection, 1),
    "httpcore": ("HttpcorePoolInstrumentor", "one GET of httpx", httpx_get, 1),
    "aiohttp": ("AiohttpConnectorInstrumentor", "one GET", aiohttp_get, 10),
    "celery": ("CeleryTaskInstrumentor", "delay, broker in memory", celery_send, 1),
    "asyncio": ("AsyncioInstrumentor", "create a task, await it", asyncio_tasks, 100),
    "concurrent_futures": ("ExecutorInstrumentor", "submit and result", executor_task, 1),
    "multiprocessing": ("ProcessPoolInstrumentor", "apply", process_task, 1),
    "queues": ("QueueInstrumentor", "put and get", queue_pass, 1),
}
"""By module: its instrumentor, what is done, how, and how often one call does it."""


def measure(name: str, ports: dict[str, int], *, short: bool = False) -> tuple[float, float]:
    """Microseconds of CPU time of the library's own call, bare and watched.

    Args:
        name: The adapter's module.
        ports: Where Redis and PostgreSQL listen.
        short: Once and roughly: whether it runs.
    """
    kind, _, case, each = CASES[name]
    instrumentor = getattr(import_module(PACKAGE + name), kind)()
    found: dict[bool, float] = {}
    for _ in range(1 if short else TURNS):
        for watched in (False, True):
            with ExitStack() as stack:
                stack.enter_context(capture())
                if watched:
                    instrumentor.instrument()
                    stack.callback(instrumentor.uninstrument)
                call, times = case(stack, ports)
                times = 20 if short else times
                call()
                began = time.process_time()
                for _ in range(times):
                    call()
                took = 1e6 * (time.process_time() - began) / times / each
                found[watched] = min(took, found.get(watched, took))
    return found[False], found[True]


def rows(ports: dict[str, int], *, short: bool = False) -> str:
    """The table, as Markdown."""
    lines = [
        "| adapter | what is done | bare, CPU µs | watched adds, CPU µs |",
        "|---|---|--:|--:|",
    ]
    for name, (_, done, *_) in CASES.items():
        bare, watched = measure(name, ports, short=short)
        lines.append(f"| `{name}` | {done} | {bare:.2f} | {max(0.0, watched - bare):.2f} |")
    return "\n".join([*lines, ""])


def main() -> None:
    from tests.servers.databases import PostgreSQL, Redis

    parser = argparse.ArgumentParser(prog="python -m benchmarks.adapters", description=__doc__)
    parser.add_argument("--write", action="store_true", help="put the table into the page")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        here = Path(folder)
        ports = {
            "redis": stack.enter_context(Redis(here / "redis")).port,
            "postgresql": stack.enter_context(PostgreSQL(here / "postgresql")).port,
        }
        table = rows(ports)
    print(table)
    if arguments.write:
        before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
        _, _, after = rest.partition(END)
        PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
