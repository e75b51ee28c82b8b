"""Pooled TCP connections to a node's peers."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from typing import TYPE_CHECKING, Final

from qudag_otel.demo.wire import Message, close, read_message

if TYPE_CHECKING:
    from collections.abc import Mapping

Address = tuple[str, int]

MAX_USES: Final = 40
"""After so many requests a connection is retired, as peers do to spread load."""


class PoolExhaustedError(Exception):
    """No connection became free in time."""


class PeerRefusedError(Exception):
    """The peer answered with an error.

    Args:
        error_type: The class of error that the peer named.
        message: What it said.
    """

    def __init__(self, error_type: str, message: str) -> None:
        super().__init__(f"{error_type}: {message}")
        self.error_type = error_type


class Connection:
    """One TCP connection to a peer, for one request at a time.

    Args:
        peer: The peer's name.
        reader: The stream from it.
        writer: The stream to it.
    """

    def __init__(
        self, peer: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.peer = peer
        self._reader = reader
        self._writer = writer
        self._uses = 0
        self._between_requests = True

    @property
    def reusable(self) -> bool:
        """Whether another request can be sent: not worn out, not closed, no answer outstanding."""
        return (
            self._between_requests
            and self._uses < MAX_USES
            and not self._writer.is_closing()
            and not self._reader.at_eof()
        )

    async def request(self, message: Message) -> Message:
        """Send a message and return the peer's answer.

        Raises:
            PeerRefusedError: If the answer is an error.
            OSError, asyncio.IncompleteReadError: If the connection fails.
        """
        self._uses += 1
        self._between_requests = False
        self._writer.write(message.pack())
        await self._writer.drain()
        answer = await read_message(self._reader)
        self._between_requests = True
        if answer.type == "error":
            raise PeerRefusedError(str(answer.fields["type"]), str(answer.fields["message"]))
        return answer

    def close(self) -> None:
        """Close it, without waiting for the peer."""
        self._writer.close()

    async def aclose(self) -> None:
        """Close it, and wait until the system has."""
        await close(self._writer)


class ConnectionPool:
    """Connections to all peers of one node, opened on demand and kept for the next request.

    Args:
        addresses: Where each peer listens.
        limit: How many connections it holds at most.
        timeout_seconds: How long `acquire` waits for one, in seconds.
    """

    def __init__(
        self, addresses: Mapping[str, Address], limit: int = 16, timeout_seconds: float = 5.0
    ) -> None:
        self._addresses = addresses
        self._limit = limit
        self._timeout_seconds = timeout_seconds
        self._idle: dict[str, deque[Connection]] = {}
        self._active: set[Connection] = set()
        self._opening = 0
        self._waiters: deque[asyncio.Future[None]] = deque()
        self.requests: Counter[str] = Counter()
        self.obtained = 0
        self.waited_seconds = 0.0
        self.errors: Counter[type[Exception]] = Counter()

    @property
    def limit(self) -> int:
        """How many connections it holds at most."""
        return self._limit

    @property
    def active(self) -> int:
        """How many connections are in use, those being opened included."""
        return len(self._active) + self._opening

    @property
    def idle(self) -> int:
        """How many connections wait for the next request."""
        return sum(len(connections) for connections in self._idle.values())

    async def acquire(self, peer: str) -> Connection:
        """A connection to the peer, for the caller alone until `release`.

        Raises:
            PoolExhaustedError: If none became free in time.
            OSError: If the peer does not answer.
        """
        clock = asyncio.get_running_loop().time
        started = clock()
        result = "miss"
        try:
            async with asyncio.timeout(self._timeout_seconds):
                connection = await self._reserve(peer)
                if connection is None:
                    connection = await self._open(peer)
                else:
                    result = "hit"
        except TimeoutError as error:
            self.errors[PoolExhaustedError] += 1
            raise PoolExhaustedError(
                f"no connection to {peer} within {self._timeout_seconds:g} s; "
                f"{self.active} of {self._limit} in use"
            ) from error
        except Exception as error:
            self.errors[type(error)] += 1
            raise
        finally:
            self.requests[result] += 1
        self.obtained += 1
        self.waited_seconds += clock() - started
        return connection

    def release(self, connection: Connection) -> None:
        """Give a connection back; one that cannot be used again is closed."""
        self._active.discard(connection)
        if connection.reusable:
            self._idle.setdefault(connection.peer, deque()).append(connection)
        else:
            connection.close()
        self._wake()

    async def close(self) -> None:
        """Close every connection, those in use included."""
        held = (*self._active, *(c for idle in self._idle.values() for c in idle))
        self._active.clear()
        self._idle.clear()
        await asyncio.gather(*(connection.aclose() for connection in held))

    async def _reserve(self, peer: str) -> Connection | None:
        """An idle connection, or None and the right to open one."""
        while True:
            idle = self._idle.get(peer)
            while idle:
                connection = idle.pop()
                if connection.reusable:
                    self._active.add(connection)
                    return connection
                connection.close()
            if self.active + self.idle < self._limit or self._drop_other():
                self._opening += 1
                return None
            await self._wait()

    def _drop_other(self) -> bool:
        # Called when the peer asked for has no idle connection, so any idle one is another's.
        for idle in self._idle.values():
            if idle:
                idle.popleft().close()
                return True
        return False

    async def _open(self, peer: str) -> Connection:
        try:
            reader, writer = await asyncio.open_connection(*self._addresses[peer])
        except BaseException:
            self._opening -= 1
            self._wake()
            raise
        self._opening -= 1
        connection = Connection(peer, reader, writer)
        self._active.add(connection)
        return connection

    async def _wait(self) -> None:
        waiter = asyncio.get_running_loop().create_future()
        self._waiters.append(waiter)
        try:
            await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled():
                self._wake()  # woken and timed out in the same step: the next one may go
            raise

    def _wake(self) -> None:
        while self._waiters:
            waiter = self._waiters.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
