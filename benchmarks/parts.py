"""The parts that wrappers watch, doing next to nothing; and the same watched by hand, by peers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import prometheus_client

if TYPE_CHECKING:
    from collections.abc import Callable

    from benchmarks.rig import Sdk

TYPES = ("file", "vertex", "fetch")
MESSAGES = (b"x" * 100, b"x" * 2000, b"x" * 5)
CHUNKS = [b"x" * 20] * 4


class Connection:
    """Something to hand out."""


class Parts:
    """A cache, a pool, a message flow, a chunk processor and a swarm."""

    memory_bytes = 100
    active = 1
    idle = 1

    def __init__(self) -> None:
        self.entries = {"key": b"value"}
        self.connection = Connection()

    def get(self, key: str) -> bytes | None:
        return self.entries.get(key)

    def put(self, key: str, value: bytes) -> None:
        self.entries[key] = value

    def acquire(self) -> Connection:
        return self.connection

    def release(self, connection: Connection) -> None:
        pass

    def send(self, message: bytes, message_type: str) -> None:
        pass

    def handle(self, message: bytes, message_type: str) -> None:
        pass

    def process(self, message: bytes, message_type: str) -> list[bytes]:
        return CHUNKS

    def submit(self, work: Callable[[], Any], *, task_type: str, priority: str) -> None:
        work()

    def queue_depths(self) -> dict[str, int]:
        return {}


class AsyncParts(Parts):
    """The same, of coroutine functions."""

    async def get(self, key: str) -> bytes | None:  # type: ignore[override]
        return self.entries.get(key)

    async def put(self, key: str, value: bytes) -> None:  # type: ignore[override]
        self.entries[key] = value

    async def acquire(self) -> Connection:  # type: ignore[override]
        return self.connection

    async def release(self, connection: Connection) -> None:  # type: ignore[override]
        pass

    async def send(self, message: bytes, message_type: str) -> None:  # type: ignore[override]
        pass

    async def handle(self, message: bytes, message_type: str) -> None:  # type: ignore[override]
        pass

    async def process(self, message: bytes, message_type: str) -> list[bytes]:  # type: ignore[override]
        return CHUNKS

    async def submit(  # type: ignore[override]
        self, work: Callable[[], Any], *, task_type: str, priority: str
    ) -> None:
        await work()


class ByPrometheus:
    """The same metrics by hand, with prometheus_client as its documentation shows it, no spans."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        lookups = prometheus_client.Counter("cache_lookups", "d", ("type", "node", "result"))
        self._hits = lookups.labels("file", "node", "hit")
        self._misses = lookups.labels("file", "node", "miss")
        self._errors = prometheus_client.Counter("part_errors", "d", ("part", "node")).labels(
            "cache", "node"
        )
        self._waits = prometheus_client.Histogram("pool_wait", "d", ("pool", "node")).labels(
            "peers", "node"
        )
        self._messages = prometheus_client.Counter("messages", "d", ("type", "way", "node"))
        self._took = prometheus_client.Histogram("send_seconds", "d")

    def get(self, key: str) -> bytes | None:
        found = self._parts.get(key)
        if found is None:
            self._misses.inc()
        else:
            self._hits.inc()
        return found

    def put(self, key: str, value: bytes) -> None:
        with self._errors.count_exceptions():
            self._parts.put(key, value)

    def acquire(self) -> Connection:
        with self._waits.time():
            connection = self._parts.acquire()
        self._hits.inc()
        return connection

    def release(self, connection: Connection) -> None:
        self._parts.release(connection)

    def send(self, message: bytes, message_type: str) -> None:
        with self._took.time():
            self._parts.send(message, message_type)
        self._messages.labels(message_type, "outbound", "node").inc()


class ByOpenTelemetry:
    """The same metrics and spans by hand, with OpenTelemetry's SDK."""

    def __init__(self, parts: Parts, sdk: Sdk) -> None:
        self._parts = parts
        self._tracer = sdk.tracer
        self._lookups = sdk.meter.create_counter("lookups")
        self._waits = sdk.meter.create_histogram("wait", "s")
        self._messages = sdk.meter.create_counter("messages")

    def get(self, key: str) -> bytes | None:
        found = self._parts.get(key)
        result = "miss" if found is None else "hit"
        self._lookups.add(1, {"type": "file", "node": "node", "result": result})
        return found

    def acquire(self) -> Connection:
        labels = {"pool": "peers", "node": "node"}
        with self._tracer.start_as_current_span("acquire connection", attributes=labels) as span:
            began = time.perf_counter()
            connection = self._parts.acquire()
            self._waits.record(time.perf_counter() - began, labels)
            self._lookups.add(1, {**labels, "result": "hit"})
            span.set_attribute("hit", True)  # noqa: FBT003 - the API's form
            return connection

    def release(self, connection: Connection) -> None:
        self._parts.release(connection)

    def send(self, message: bytes, message_type: str) -> None:
        values: dict[str, str | int] = {"type": message_type, "size": len(message), "node": "node"}
        with self._tracer.start_as_current_span("send message", attributes=values):
            self._parts.send(message, message_type)
            self._messages.add(1, {"type": message_type, "way": "outbound", "node": "node"})
