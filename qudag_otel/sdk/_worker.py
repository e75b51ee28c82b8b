"""The thread behind a batch or a periodic reader: it waits, works on request, and ends in time."""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_FOREVER: Final = threading.TIMEOUT_MAX


class Worker:
    """A daemon thread that calls `work` every so often, on `wake`, and before it ends.

    Requests travel through a SimpleQueue, because its `put` is reentrant: a signal handler or a
    destructor that interrupts another `put` cannot deadlock on it.

    Args:
        name: The thread's name.
        interval: Seconds between two calls without a request.
        work: Called with True when everything has to go out, with False after a plain `wake`.
    """

    def __init__(self, name: str, interval: float, work: Callable[[bool], None]) -> None:
        self._name = name
        self._interval = min(interval, _FOREVER)
        self._work = work
        self._start()

    def _start(self) -> None:
        self._requests: SimpleQueue[threading.Event | None] = SimpleQueue()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        due = time.monotonic() + self._interval
        while not self._closing:
            try:
                request = self._requests.get(timeout=max(0.0, due - time.monotonic()))
            except Empty:
                due = time.monotonic() + self._interval
                self._work(True)  # noqa: FBT003 - the one argument of the callback
                continue
            self._work(request is not None)
            if request is not None:
                request.set()
        self._work(True)  # noqa: FBT003 - the one argument of the callback
        while not self._requests.empty():
            late = self._requests.get()
            if late is not None:
                late.set()

    def wake(self) -> None:
        """Have `work(False)` called soon."""
        self._requests.put(None)

    def begin_flush(self) -> threading.Event:
        """Have `work(True)` called; the event tells when it ended."""
        request = threading.Event()
        self._requests.put(request)
        return request

    def begin_close(self) -> None:
        """Ask the thread to call `work(True)` once more and to end; do not wait."""
        self._closing = True
        self._requests.put(None)

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
