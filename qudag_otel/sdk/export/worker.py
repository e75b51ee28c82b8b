"""The thread behind a batch or a periodic reader: it waits, works on request, and ends in time."""

from __future__ import annotations

import enum
import math
import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_FOREVER: Final = threading.TIMEOUT_MAX
_NEVER: Final = math.inf
_now = time.monotonic


class _Request(enum.Enum):
    ARM = enum.auto()
    WAKE = enum.auto()


class Worker:
    """A daemon thread that calls `work` when it is due, on `wake`, and before it ends.

    Without a request and with nothing due it sleeps: an idle application is not woken.

    Requests travel through a SimpleQueue, because its `put` is reentrant: a signal handler or a
    destructor that interrupts another `put` cannot deadlock on it.

    Args:
        name: The thread's name.
        interval: Seconds from `arm` to the call.
        work: Called with True when everything has to go out, with False after a plain `wake`.
        repeat: Whether the call is due again each `interval`, without `arm`.
    """

    def __init__(
        self, name: str, interval: float, work: Callable[[bool], None], *, repeat: bool
    ) -> None:
        self._name = name
        self._interval = min(interval, _FOREVER)
        self._work = work
        self.repeat = repeat
        self._start()

    def _start(self) -> None:
        self._requests: SimpleQueue[threading.Event | _Request] = SimpleQueue()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        due = self._next() if self.repeat else _NEVER
        while not self._closing:
            try:
                request = self._requests.get(timeout=min(_FOREVER, max(0.0, due - _now())))
            except Empty:
                due = self._next() if self.repeat else _NEVER
                self._work(True)  # noqa: FBT003 - the one argument of the callback
                continue
            if request is _Request.ARM:
                due = min(due, self._next())
                continue
            self._work(isinstance(request, threading.Event))
            if isinstance(request, threading.Event):
                request.set()
        self._work(True)  # noqa: FBT003 - the one argument of the callback
        while not self._requests.empty():
            late = self._requests.get()
            if isinstance(late, threading.Event):
                late.set()

    def _next(self) -> float:
        return _now() + self._interval

    def arm(self) -> None:
        """Have `work(True)` called when the interval is over, or earlier."""
        self._requests.put(_Request.ARM)

    def wake(self) -> None:
        """Have `work(False)` called soon."""
        self._requests.put(_Request.WAKE)

    def begin_flush(self) -> threading.Event:
        """Have `work(True)` called; the event tells when it ended."""
        request = threading.Event()
        self._requests.put(request)
        return request

    def begin_close(self) -> None:
        """Ask the thread to call `work(True)` once more and to end; do not wait."""
        self._closing = True
        self.wake()

    def join(self, timeout: float) -> bool:
        """Wait for the end after `begin_close`.

        Args:
            timeout: How long to wait, in seconds.

        Returns:
            Whether the thread has ended.
        """
        self._thread.join(max(0.0, timeout))
        return not self._thread.is_alive()

    def after_fork(self) -> None:
        """Start again in a child process, where the parent's thread does not exist."""
        if not self._closing:
            self._start()
