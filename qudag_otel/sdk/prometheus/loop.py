"""One thread that waits for all sockets of /metrics: the door's and those between workers."""

from __future__ import annotations

import contextlib
import functools
import json
import selectors
import socket
import struct
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from qudag_otel._foreign import interrupts
from qudag_otel._warnings import warn_once

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_READ_BYTES: Final = 1 << 18
_LENGTH: Final = struct.Struct("!II")


class Loop:
    """A daemon thread over a selector; callbacks run in it and must not block.

    Args:
        name: The thread's name.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._start()

    def _start(self) -> None:
        self._calls: deque[Callable[[], object]] = deque()
        self._timers: list[tuple[float, Callable[[], object]]] = []
        self._selector = selectors.DefaultSelector()
        self._wake, self._woken = socket.socketpair()
        self._wake.settimeout(0)
        self._ended = False
        self._selector.register(self._woken, selectors.EVENT_READ)
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    @property
    def started(self) -> bool:
        """Whether the thread was started."""
        return self._thread.ident is not None

    def _run(self) -> None:
        while not self._ended:
            for key, events in self._selector.select(self._wait()):
                if key.fileobj is self._woken:
                    self._woken.recv(_READ_BYTES)
                else:
                    self._guarded(functools.partial(key.data, events))
            while self._calls:
                self._guarded(self._calls.popleft())
            now = time.monotonic()
            due = [timer for timer in self._timers if timer[0] <= now]
            for timer in due:
                self._timers.remove(timer)
                self._guarded(timer[1])

    def _wait(self) -> float | None:
        """Seconds until a function is due; None where none is, so that nobody is woken."""
        if not self._timers:
            return None
        return max(0.0, min(when for when, _ in self._timers) - time.monotonic())

    def _guarded(self, function: Callable[[], object]) -> None:
        try:
            function()
        except BaseException as error:  # the thread serves others, too
            if interrupts(error):
                raise
            warn_once(f"loop:{type(error).__name__}", "/metrics: %r", error)

    def call(self, function: Callable[[], object]) -> None:
        """Have a function called in the thread; from any thread."""
        self._calls.append(function)
        with contextlib.suppress(OSError):  # full of wake-ups already, or closed
            self._wake.send(b".")

    def later(self, seconds: float, function: Callable[[], object]) -> None:
        """Have a function called in so many seconds. In the thread only."""
        self._timers.append((time.monotonic() + seconds, function))

    def watch(self, one: socket.socket, callback: Callable[[int], object], events: int) -> None:
        """Have a callback called with what a socket is ready for; 0 events end this."""
        known = one in self._selector.get_map()
        if events and known:
            self._selector.modify(one, events, callback)
        elif events:
            self._selector.register(one, events, callback)
        elif known:
            self._selector.unregister(one)

    def close(self, timeout: float) -> None:
        """End the thread, after what it was asked to do before.

        Args:
            timeout: How long to wait for that, in seconds.
        """

        def end() -> None:
            self._ended = True

        self.call(end)
        if threading.current_thread() is not self._thread:
            self._thread.join(timeout)
        if not self._thread.is_alive():
            self.abandon()

    def abandon(self) -> None:
        """Let go of everything, where the thread was never started or has ended."""
        self._selector.close()
        self._wake.close()
        self._woken.close()

    def after_fork(self) -> None:
        """Leave the parent's sockets alone in a child, and be ready to start again."""
        self.abandon()
        self._start()


class Connection:
    """Messages over a stream: a JSON object and bytes each way, neither side ever waits.

    Args:
        loop: What waits for the socket; all methods are called in its thread.
        stream: The connected socket.
        receive: Called with each message that arrives.
        lost: Called once when the other side is gone.
    """

    def __init__(
        self,
        loop: Loop,
        stream: socket.socket,
        receive: Callable[[dict[str, Any], list[bytes]], object],
        lost: Callable[[], object],
    ) -> None:
        stream.settimeout(0)
        self.stream = stream
        self._loop = loop
        self._receive = receive
        self._lost = lost
        self._in = bytearray()
        self._out = bytearray()
        self.open = True
        loop.watch(stream, self._ready, selectors.EVENT_READ)

    @property
    def idle(self) -> bool:
        """Whether everything that was sent has left this process."""
        return not self._out or not self.open

    def send(self, head: dict[str, Any], bodies: Sequence[bytes] = ()) -> None:
        """Send a message."""
        text = json.dumps({**head, "sizes": [len(body) for body in bodies]}).encode()
        self._out += _LENGTH.pack(len(text), sum(map(len, bodies))) + text + b"".join(bodies)
        self.flush()

    def flush(self) -> None:
        """Send as much as the other side takes now."""
        if not self.open:
            return
        try:
            while self._out:
                sent = self.stream.send(self._out)
                del self._out[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._end()
            return
        writing = selectors.EVENT_WRITE if self._out else 0
        self._loop.watch(self.stream, self._ready, selectors.EVENT_READ | writing)

    def step(
        self, timeout: float, events: int = selectors.EVENT_READ | selectors.EVENT_WRITE
    ) -> None:
        """Send and read once, waiting; for the end, when the loop does not.

        Args:
            timeout: How long to wait for the other side, in seconds.
            events: What to do of both.
        """
        if self.open:
            self.stream.settimeout(max(0.01, timeout))
            self._ready(events)

    def _ready(self, events: int) -> None:
        if events & selectors.EVENT_WRITE:
            self.flush()
        if not events & selectors.EVENT_READ or not self.open:
            return
        try:
            got = self.stream.recv(_READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            got = b""
        self._in += got
        try:
            self._messages()
        except Exception:
            self._end()
            raise
        if not got:
            self._end()

    def _messages(self) -> None:
        while len(self._in) >= _LENGTH.size:
            length, rest = _LENGTH.unpack_from(self._in)
            end = _LENGTH.size + length
            if len(self._in) < end + rest:
                return
            head: dict[str, Any] = json.loads(self._in[_LENGTH.size : end])
            bodies: list[bytes] = []
            for size in head["sizes"]:
                bodies.append(bytes(self._in[end : end + size]))
                end += size
            del self._in[:end]
            self._receive(head, bodies)

    def _end(self) -> None:
        if self.open:
            self.close()
            self._lost()

    def close(self) -> None:
        """Hang up."""
        if self.open:
            self.open = False
            self._loop.watch(self.stream, self._ready, 0)
            self.stream.close()
