"""A service of decorated functions: a generator, an async task, a thread pool, another process.

Arguments: the next service's URL, or nothing; then how many requests to make by itself, or 0 to
serve. Says {"url": ...} first; told to end, it says what it counted: calls by operation.
"""

from __future__ import annotations

import asyncio
import http.server
import sys
import threading
import urllib.request
from collections import Counter
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.trace import SpanKind

import qudag_otel
from qudag_otel import instrumented
from qudag_otel.propagation import ContextThreadPoolExecutor, incoming, outgoing
from tests.pipeline.apps._pipe import say, wait_until_told_to_end

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

calls: Counter[str] = Counter()
following = sys.argv[1]
FAILING = 3  # every third request of the caller fails on purpose
executor = ContextThreadPoolExecutor(2)


@instrumented(name="request")
async def request(number: int) -> None:
    """All of it: pieces, a task, a thread, the other process."""
    calls["request"] += 1
    trace.get_current_span().set_attribute("sampling.force", True)
    pieces = list(split())
    received = await asyncio.create_task(fetch(len(pieces)))
    assert received == len(pieces)
    await asyncio.wrap_future(executor.submit(compress))
    if number % FAILING == 1:
        raise TimeoutError("on purpose")


@instrumented(name="split")
def split() -> Iterator[int]:
    """A generator, in whose steps others run."""
    calls["split"] += 1
    for piece in range(2):
        digest()
        yield piece


@instrumented(name="digest")
def digest() -> None:
    """Below the generator."""
    calls["digest"] += 1


@instrumented(name="fetch")
async def fetch(count: int) -> int:
    """In a task of its own; iterates an async generator."""
    calls["fetch"] += 1
    return len([piece async for piece in stream(count)])


@instrumented(name="stream")
async def stream(count: int) -> AsyncIterator[int]:
    """An async generator that asks the other process for each piece."""
    calls["stream"] += 1
    for piece in range(count):
        await asyncio.to_thread(ask)
        yield piece


@instrumented(name="ask", kind=SpanKind.CLIENT)
def ask() -> None:
    """In a thread of asyncio's; its request carries the context."""
    calls["ask"] += 1
    headers = urllib.request.Request(following, headers=outgoing())
    urllib.request.urlopen(headers, timeout=30).close()


@instrumented(name="compress")
def compress() -> None:
    """In a thread of a pool."""
    calls["compress"] += 1


@instrumented(name="serve", kind=SpanKind.SERVER)
def serve() -> None:
    """In the other process."""
    calls["serve"] += 1
    store()


@instrumented(name="store")
def store() -> None:
    """Below the request of the other process."""
    calls["store"] += 1


class Handler(http.server.BaseHTTPRequestHandler):
    """Continues the caller's trace."""

    def do_GET(self) -> None:
        with incoming({name.lower(): value for name, value in self.headers.items()}):
            serve()
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


async def make(requests: int) -> None:
    for number in range(requests):
        try:
            await request(number)
        except TimeoutError:
            calls["errors"] += 1


def main() -> None:
    with qudag_otel.configure() as telemetry:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        asyncio.run(make(int(sys.argv[2])))
        executor.shutdown()
        say({"url": f"http://127.0.0.1:{server.server_port}/"})
        wait_until_told_to_end()
        server.shutdown()
        thread.join()
        server.server_close()
        assert telemetry.force_flush()
    say(calls)


if __name__ == "__main__":
    main()
