"""The demo network at work, without any telemetry: pool, swarm, and nodes on loopback."""

from __future__ import annotations

import asyncio
import functools
from typing import TYPE_CHECKING
from unittest import mock

import pytest

from qudag_otel.demo.cluster import Cluster
from qudag_otel.demo.network import FETCH, Node
from qudag_otel.demo.pool import (
    MAX_USES,
    Address,
    ConnectionPool,
    PeerRefusedError,
    PoolExhaustedError,
)
from qudag_otel.demo.signing import InvalidSignatureError, KeyRing
from qudag_otel.demo.swarm import QueueFullError, Swarm
from qudag_otel.demo.wire import Message, close

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Awaitable, Callable
    from pathlib import Path

from contextlib import asynccontextmanager


@asynccontextmanager
async def _network(count: int = 3) -> AsyncGenerator[list[Node]]:
    """Nodes that know each other and share a swarm, without anything watching them."""
    addresses: dict[str, Address] = {}
    names = [f"node-{number}" for number in range(1, count + 1)]
    swarm = Swarm("swarm")
    nodes: list[Node] = []
    for name in names:
        keys = KeyRing(name, names, 0)
        nodes.append(Node(name, keys, addresses, swarm))
    swarm.start()
    try:
        for node in nodes:
            addresses[node.node_id] = await node.start()
        yield nodes
        await _settled(swarm)
    finally:
        await swarm.stop()
        for node in nodes:
            await node.stop()


async def _settled(swarm: Swarm, left: int = 0) -> None:
    """Wait until no more than so many tasks are left."""
    async with asyncio.timeout(20):
        while swarm.outstanding > left:  # noqa: ASYNC110  # tasks beget tasks: no single event
            await asyncio.sleep(0.001)


def test_network_that_rests_counts_no_more() -> None:
    """An agent that is stopped while it asks leaves its peer at work: that is still accounted."""

    async def run() -> None:
        names = ["node-1", "node-2"]
        cluster = Cluster(names, names, 0)
        await cluster.start()
        asking, asked = cluster.nodes
        vertex = asked.dag.extend("digest", "node-2", 0)

        async def slowly(message: Message, message_type: str) -> Message:
            await asyncio.sleep(0.3)
            return await asked.handle(message, message_type)

        flow = mock.Mock(handle=slowly)
        asked.parts.flow = flow
        question = Message(FETCH, {"hash": vertex.hash})
        await asking.swarm.submit(
            lambda: asking.send(question, FETCH, "node-2"), task_type="announce"
        )
        while not asked.answering:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        await cluster.quiesce()
        counted = asked.messages.total()
        await cluster.stop()
        assert counted == asked.messages.total() == 1

    _run(run)


def _run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(30):
            await test()

    asyncio.run(bounded())


def test_network_files_end_in_every_dag(tmp_path: Path) -> None:
    """Files sent from every node become vertices that every node's graph holds."""
    (tmp_path / "f").write_bytes(b"content " * 20_000)

    async def run() -> None:
        async with _network() as nodes:
            for _ in range(5):
                await asyncio.gather(*(node.send_file(tmp_path / "f") for node in nodes))
        appended = {node.dag.appended for node in nodes}
        assert appended == {15}
        assert len({frozenset(node.dag.tips) for node in nodes}) == 1
        assert all(node.index["content"] for node in nodes)
        assert sum(node.messages["file", "outbound"] for node in nodes) == 15
        assert sum(node.messages["file", "inbound"] for node in nodes) == 15
        assert sum(node.messages["vertex", "inbound"] for node in nodes) == 30

    _run(run)


def test_network_forged_signature_is_refused(tmp_path: Path) -> None:
    """A file with a wrong signature raises at its sender and is appended nowhere."""
    (tmp_path / "f").write_bytes(b"content")

    async def run() -> None:
        async with _network(2) as (one, two):
            with pytest.raises(PeerRefusedError, match="did not sign") as refused:
                await one.send_file(tmp_path / "f", forged=True)
            assert refused.value.error_type == "InvalidSignatureError"
            assert two.errors == {InvalidSignatureError: 1}
            assert one.errors == {PeerRefusedError: 1}
            assert (one.dag.appended, two.dag.appended) == (0, 0)

    _run(run)


def test_network_unknown_message_is_answered() -> None:
    """A message that no node understands gets an error for an answer, and the link stays."""

    async def run() -> None:
        async with _network(2) as (one, _):
            for _attempt in range(2):
                with pytest.raises(PeerRefusedError, match="no message type 'gossip'"):
                    await one.send(Message("gossip"), "gossip", "node-2")

    _run(run)


@asynccontextmanager
async def _echo() -> AsyncGenerator[dict[str, Address]]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            writer.write(data)
        await close(writer)

    async with await asyncio.start_server(serve, "127.0.0.1") as server:
        address = server.sockets[0].getsockname()
        yield {"a": address, "b": address}


def test_pool_connection_is_reused_until_worn_out() -> None:
    """One connection serves its full number of requests, then a new one is opened."""

    async def run() -> None:
        async with _echo() as addresses:
            pool = ConnectionPool(addresses)
            for _ in range(MAX_USES + 1):
                connection = await pool.acquire("a")
                assert (pool.active, pool.idle) == (1, 0)
                await connection.request(Message("ping"))
                pool.release(connection)
            assert pool.requests == {"hit": MAX_USES - 1, "miss": 2}
            assert (pool.active, pool.idle) == (0, 1)
            await pool.close()
            assert (pool.active, pool.idle) == (0, 0)

    _run(run)


def test_pool_at_its_limit_waits_then_refuses() -> None:
    """A request waits for a connection in use, and gives up after its time."""

    async def run() -> None:
        async with _echo() as addresses:
            pool = ConnectionPool(addresses, limit=1, timeout_seconds=0.1)
            held = await pool.acquire("a")
            with pytest.raises(PoolExhaustedError, match="1 of 1 in use"):
                await pool.acquire("b")
            waiting = asyncio.create_task(pool.acquire("a"))
            await asyncio.sleep(0)
            pool.release(held)
            assert await waiting is held
            pool.release(held)
            other = await pool.acquire("b")
            assert (pool.active, pool.idle) == (1, 0)
            pool.release(other)
            await pool.close()

    _run(run)


def test_pool_peer_gone_leaves_nothing_behind() -> None:
    """A peer that refuses the connection raises, and the place in the pool is free again."""

    async def run() -> None:
        async with _echo() as addresses:
            gone = addresses["a"]
        pool = ConnectionPool({"a": gone}, limit=1)
        for _ in range(2):
            with pytest.raises(OSError, match="Connect call failed"):
                await pool.acquire("a")
        assert (pool.active, pool.idle) == (0, 0)

    _run(run)


def test_swarm_urgent_tasks_go_first() -> None:
    """Tasks run in the order of their priority, and urgent agents leave the others alone."""
    order: list[str] = []

    async def run() -> None:
        async def note(name: str) -> None:
            order.append(name)

        swarm = Swarm("s", general=1, urgent=0)
        for priority in ("low", "normal", "critical", "high"):
            await swarm.submit(
                functools.partial(note, priority), task_type="note", priority=priority
            )
        assert swarm.queue_depths() == {"critical": 1, "high": 1, "normal": 1, "low": 1}
        swarm.start()
        await _settled(swarm)
        await swarm.stop()
        reserved = Swarm("s", general=0, urgent=1)
        reserved.start()
        await reserved.submit(lambda: note("never"), task_type="note", priority="low")
        await reserved.submit(lambda: note("urgent"), task_type="note", priority="high")
        await _settled(reserved, left=1)
        await reserved.stop()
        assert reserved.completed == {("note", "success"): 1, ("note", "cancelled"): 1}

    _run(run)
    assert order == ["critical", "high", "normal", "low", "urgent"]


def test_swarm_every_end_has_its_status() -> None:
    """Success, failure, timeout and cancellation are counted apart, and none kills an agent."""

    async def run() -> None:
        async def fail() -> None:
            raise ValueError

        swarm = Swarm("s", general=1, urgent=0, timeout_seconds=0.01, queue_limit=5)
        swarm.start()
        for work in (fail, lambda: asyncio.sleep(60), lambda: asyncio.sleep(0)):
            await swarm.submit(work, task_type="t")
        await _settled(swarm)
        await swarm.submit(lambda: asyncio.sleep(60), task_type="t")
        await swarm.stop()
        assert swarm.completed == {
            ("t", "failure"): 1,
            ("t", "timeout"): 1,
            ("t", "success"): 1,
            ("t", "cancelled"): 1,
        }
        assert swarm.agents[0].busy_since is None
        assert 0.01 <= swarm.agents[0].busy_seconds() < 30

    _run(run)


def test_swarm_full_queue_refuses() -> None:
    """A task beyond the queue's limit is refused, and counts as a failure."""

    async def run() -> None:
        swarm = Swarm("s", queue_limit=1)
        await swarm.submit(lambda: asyncio.sleep(0), task_type="t")
        with pytest.raises(QueueFullError, match="1 tasks wait"):
            await swarm.submit(lambda: asyncio.sleep(0), task_type="t")
        await swarm.stop()
        assert swarm.completed == {("t", "failure"): 1, ("t", "cancelled"): 1}
        assert swarm.created.total() == 2

    _run(run)
