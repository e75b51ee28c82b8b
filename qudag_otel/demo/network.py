"""A node: it signs and sends files, checks what it receives, appends it to the DAG, tells others.

The life of a file: `send_file` -> `send` -> (the peer) `handle` -> `_accept_file` -> swarm
tasks -> `announce` -> `send` -> (the others) `handle` -> `_accept_vertex`.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, cast

from qudag_otel.demo import work
from qudag_otel.demo.cache import ValidationCache
from qudag_otel.demo.chunks import ChunkProcessor
from qudag_otel.demo.dag import Dag, UnknownParentError, Vertex
from qudag_otel.demo.pool import ConnectionPool
from qudag_otel.demo.wire import FrameError, Message, close, read_message

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Generator, Mapping
    from pathlib import Path

    from qudag_otel.demo.chunks import Chunk
    from qudag_otel.demo.pool import Address, Connection
    from qudag_otel.demo.signing import KeyRing
    from qudag_otel.demo.swarm import Swarm

TASK_TYPES: Final = ("announce", "index", "archive")
"""Telling the other nodes of a vertex, counting a file's words, compressing it well."""

HOST: Final = "127.0.0.1"

FILE: Final = "file"
VERTEX: Final = "vertex"
FETCH: Final = "fetch"
MESSAGE_TYPES: Final = (FILE, VERTEX, FETCH)
"""A signed file, the news of a vertex, and the question for a vertex that did not arrive."""

MAX_FETCHES: Final = 1000
"""How many missing ancestors a node asks for before it gives a vertex up."""


class Chunker(Protocol):
    """What a node needs of a chunk processor."""

    def process(self, message: bytes, message_type: str, /) -> list[Chunk]: ...


class Cache(Protocol):
    """What a node needs of a validation cache."""

    def get(self, key: bytes, /) -> bytes | None: ...
    def put(self, key: bytes, value: bytes, /) -> None: ...


class Pool(Protocol):
    """What a node needs of a connection pool."""

    async def acquire(self, peer: str) -> Connection: ...
    def release(self, connection: Connection, /) -> None: ...


class Coordinator(Protocol):
    """What a node needs of a swarm."""

    async def submit(
        self, work: Callable[[], Awaitable[object]], /, *, task_type: str, priority: str
    ) -> object: ...


class Flow(Protocol):
    """What messages pass on their way out and in: a node's own `send` and `handle`, or a watcher.

    The message type comes second so that a watcher need not know how messages are made.
    """

    async def send(self, message: Message, message_type: str, /, peer: str) -> Message: ...
    async def handle(self, message: Message, message_type: str, /) -> Message: ...


@dataclass(slots=True)
class Parts:
    """What a node works through; whether something watches them is all the same to it."""

    chunker: Chunker
    cache: Cache
    pool: Pool
    swarm: Coordinator
    flow: Flow
    index: Callable[[bytes], Awaitable[None]]
    archive: Callable[[bytes], Awaitable[None]]


class Node:
    """One node of the network.

    Args:
        node_id: Its name.
        keys: Its private key and everybody's public keys.
        addresses: Where the nodes listen; its peers are all the others in it.
        swarm: The agents that it hands work to.
    """

    def __init__(
        self, node_id: str, keys: KeyRing, addresses: Mapping[str, Address], swarm: Swarm
    ) -> None:
        self.node_id = node_id
        self.keys = keys
        self.chunker = ChunkProcessor()
        self.cache = ValidationCache()
        self.pool = ConnectionPool(addresses)
        self.swarm = swarm
        self.parts = Parts(
            chunker=self.chunker,
            cache=self.cache,
            pool=self.pool,
            swarm=swarm,
            flow=self,
            index=self.index_file,
            archive=self.archive_file,
        )
        self.dag = Dag()
        self.index: Counter[str] = Counter()
        self.archived_bytes = 0
        self.messages: Counter[tuple[str, str]] = Counter()
        self.errors: Counter[type[Exception]] = Counter()
        self.undelivered: Counter[type[Exception]] = Counter()
        self.task_delay_seconds = 0.0
        self.answering = 0
        self._addresses = addresses
        self._sent = 0
        self._server: asyncio.Server | None = None
        self._served: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def peers(self) -> list[str]:
        """The other nodes' names."""
        return [peer for peer in self._addresses if peer != self.node_id]

    @property
    def listens(self) -> bool:
        """Whether peers can connect."""
        return self._server is not None and self._server.is_serving()

    async def start(self) -> Address:
        """Listen on a free loopback port, and return where."""
        self._server = await asyncio.start_server(self._serve, HOST)
        return cast("Address", self._server.sockets[0].getsockname()[:2])

    async def stop(self) -> None:
        """Stop listening, and close every connection."""
        if self._server is not None:
            self._server.close()
        await self.pool.close()
        served = dict(self._served)
        for writer in served.values():
            writer.close()
        await asyncio.gather(*served)

    async def send_file(self, path: Path, *, forged: bool = False) -> None:
        """Sign a file and send it to the peer whose turn it is.

        Args:
            path: The file.
            forged: Send a signature of something else, which the peer has to refuse.

        Raises:
            OSError: If the file cannot be read or the peer does not answer.
            PoolExhaustedError, PeerRefusedError, FrameError: If it does not arrive.
        """
        try:
            await self._send_file(path, forged=forged)
        except Exception as error:
            self.undelivered[type(error)] += 1
            raise

    async def _send_file(self, path: Path, *, forged: bool) -> None:
        content = await asyncio.to_thread(path.read_bytes)
        peers = self.peers
        peer = peers[self._sent % len(peers)]
        self._sent += 1
        digest = hashlib.sha256(content).digest()
        signature = self.keys.sign(digest[::-1] if forged else digest)
        chunks = self.parts.chunker.process(content, FILE)
        fields = {
            "author": self.node_id,
            "signature": signature.hex(),
            "sequence": self._sent,
            "path": path.name,
        }
        await self._send(peer, Message(FILE, fields, tuple(chunks)))

    async def announce(self, vertex: Vertex, signed: Mapping[str, object]) -> None:
        """Tell all peers of a vertex that this node appended."""
        fields = {**signed, "vertex": vertex.as_dict()}
        for peer in self.peers:
            await self._send(peer, Message(VERTEX, fields))

    async def send(self, message: Message, message_type: str, peer: str) -> Message:
        """Send a message to a peer and return its answer."""
        with self._counted(message_type, "outbound"):
            connection = await self.parts.pool.acquire(peer)
            try:
                return await connection.request(message)
            finally:
                self.parts.pool.release(connection)

    async def handle(self, message: Message, message_type: str) -> Message:
        """Do what a message from a peer asks for, and return the answer.

        Raises:
            FrameError: If there is no such message type.
        """
        handlers = {
            FILE: self._accept_file,
            VERTEX: self._accept_vertex,
            FETCH: self._give_vertex,
        }
        with self._counted(message_type, "inbound"):
            if message_type not in handlers:
                raise FrameError(f"there is no message type {message_type!r}")
            return await handlers[message_type](message)

    def validate(self, message: Message) -> tuple[bytes, bytes]:
        """The content of a file message and its digest, from the cache or verified.

        Raises:
            InvalidSignatureError, UnknownAuthorError, CorruptChunkError: If it is not what its
                author signed.
        """
        fields = message.fields
        signature = bytes.fromhex(str(fields["signature"]))
        author = str(fields["author"])
        key = _cache_key(b"file", author, signature, *(chunk.data for chunk in message.chunks))
        content = self.parts.cache.get(key)
        if content is not None:
            return content, hashlib.sha256(content).digest()
        content = self.chunker.restore(list(message.chunks))
        digest = hashlib.sha256(content).digest()
        self.keys.verify(author, digest, signature)
        self.parts.cache.put(key, content)
        return content, digest

    async def _accept_file(self, message: Message) -> Message:
        content, digest = self.validate(message)
        vertex = self.dag.extend(digest.hex(), self.node_id, self.dag.appended)
        signed = {"author": message.fields["author"], "signature": message.fields["signature"]}
        await self._submit(lambda: self.announce(vertex, signed), "announce", "high")
        await self._submit(lambda: self.parts.index(content), "index", "normal")
        await self._submit(lambda: self.parts.archive(content), "archive", "low")
        return Message("accepted", {"vertex": vertex.hash})

    async def _accept_vertex(self, message: Message) -> Message:
        fields = message.fields
        vertex = Vertex.from_dict(cast("Mapping[str, object]", fields["vertex"]))
        author, signature = str(fields["author"]), bytes.fromhex(str(fields["signature"]))
        key = _cache_key(b"vertex", author, signature, vertex.digest.encode())
        if self.parts.cache.get(key) is None:
            self.keys.verify(author, bytes.fromhex(vertex.digest), signature)
            self.parts.cache.put(key, b"")
        await self._append(vertex)
        return Message("accepted", {"vertex": vertex.hash})

    async def _append(self, vertex: Vertex) -> None:
        """Append a vertex, and before it those of its ancestors that have not arrived yet."""
        waiting = [vertex]
        while waiting:
            try:
                self.dag.append(waiting[-1])
                waiting.pop()
            except UnknownParentError as missing:
                if len(waiting) > MAX_FETCHES:
                    raise
                question = Message(FETCH, {"hash": missing.parent})
                answer = await self._send(vertex.author, question)
                data = cast("Mapping[str, object]", answer.fields["vertex"])
                waiting.append(Vertex.from_dict(data))

    async def _give_vertex(self, message: Message) -> Message:
        wanted = str(message.fields["hash"])
        vertex = self.dag.get(wanted)
        if vertex is None:
            raise UnknownParentError(wanted)
        return Message("found", {"vertex": vertex.as_dict()})

    async def _submit(
        self, work: Callable[[], Awaitable[object]], task_type: str, priority: str
    ) -> None:
        async def task() -> None:
            if self.task_delay_seconds:
                await asyncio.sleep(self.task_delay_seconds)
            await work()

        await self.parts.swarm.submit(task, task_type=task_type, priority=priority)

    async def index_file(self, content: bytes) -> None:
        """Count the words of a file."""
        self.index.update(work.words(content))
        if len(self.index) > 2 * work.INDEX_WORDS:
            self.index = Counter(dict(self.index.most_common(work.INDEX_WORDS)))

    async def archive_file(self, content: bytes) -> None:
        """Compress a file well, in a thread, and count the bytes that it would take."""
        self.archived_bytes += await asyncio.to_thread(work.archived_size, content)

    async def _send(self, peer: str, message: Message) -> Message:
        return await self.parts.flow.send(message, message.type, peer)

    @contextlib.contextmanager
    def _counted(self, message_type: str, direction: str) -> Generator[None]:
        try:
            yield
        except Exception as error:
            self.errors[type(error)] += 1
            raise
        self.messages[message_type, direction] += 1

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served = cast("asyncio.Task[None]", asyncio.current_task())
        self._served[served] = writer
        try:
            # A peer that hangs up, or sends what is no frame, ends its connection only.
            with contextlib.suppress(asyncio.IncompleteReadError, FrameError, ConnectionError):
                while True:
                    answer = await self._answer(await read_message(reader))
                    writer.write(answer.pack())
                    await writer.drain()
        finally:
            await close(writer)
            del self._served[served]

    async def _answer(self, message: Message) -> Message:
        self.answering += 1
        try:
            return await self.parts.flow.handle(message, message.type)
        except Exception as error:  # noqa: BLE001  # whatever it is, the peer gets an answer
            return Message("error", {"type": type(error).__name__, "message": str(error)})
        finally:
            self.answering -= 1


def _cache_key(kind: bytes, author: str, signature: bytes, *content: bytes) -> bytes:
    key = hashlib.sha256(b"\0".join((kind, author.encode(), signature)))
    for piece in content:
        key.update(piece)
    return key.digest()
