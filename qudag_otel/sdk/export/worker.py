"""The thread behind a batch or a periodic reader: it waits, works on request, and ends in time."""

from __future__ import annotations

import enum
import math
import threading
import time
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Final

from qudag_otel._foreign import interrupts
from qudag_otel._warnings import warn_once
from qudag_otel.sdk.export.failures import described

if TYPE_CHECKING:
    from collections.abc import Callable

_FOREVER: Final = threading.TIMEOUT_MAX
_NEVER: Final = math.inf
_now = time.monotonic


class Due(enum.Enum):
    """Why the work is called."""

    LOOK = enum.auto()
    """Enough may wait, or the time to look for it has come."""
    TIME = enum.auto()
    """The interval is over: everything has to go out."""
    FLUSH = enum.auto()
    """Somebody asked for everything to go out, and waits for the answer."""


class _Request(enum.Enum):
    ARM = enum.auto()
    WAKE = enum.auto()


class Worker:
    """A daemon thread that calls `work` when it is due, on `wake`, and before it ends.

    Without a request and with nothing due it sleeps: an idle application is not woken. Nothing
    that the work raises ends it.

    Requests travel through a SimpleQueue, because its `put` is reentrant: a signal handler or a
    destructor that interrupts another `put` cannot deadlock on it.

    Args:
        name: The thread's name.
        interval: Seconds from `arm` to the call.
        work: What to do; told why.
        repeat: Whether the call is due again each `interval`, without `arm`.
        look: While the call is due, look every so many seconds in between.
    """

    def __init__(
        self,
        name: str,
        interval: float,
        work: Callable[[Due], None],
        *,
        repeat: bool = False,
        look: float = _FOREVER,
    ) -> None:
        self._name = name
        self._interval = min(interval, _FOREVER)
        self._work = work
        self._repeat = repeat
        self.look = look
        self._start()

    def _start(self) -> None:
        self._requests: SimpleQueue[threading.Event | _Request] = SimpleQueue()
        self._closing = False
        self.cpu_seconds = 0.0
        """The CPU time that the thread has taken."""
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        due = self._next() if self._repeat else _NEVER
        while not self._closing:
            wait = due - _now()
            if due is not _NEVER:
                wait = min(wait, self.look)
            try:
                request = self._requests.get(timeout=min(_FOREVER, max(0.0, wait)))
            except Empty:
                if _now() < due:
                    self._call(Due.LOOK)
                    continue
                due = self._next() if self._repeat else _NEVER
                self._call(Due.TIME)
                continue
            if request is _Request.ARM:
                due = min(due, self._next())
            elif request is _Request.WAKE:
                self._call(Due.LOOK)
            elif isinstance(request, threading.Event):
                due = due if self._repeat else _NEVER
                self._call(Due.FLUSH)
                request.set()
        self._call(Due.FLUSH)
        while not self._requests.empty():
            late = self._requests.get()
            if isinstance(late, threading.Event):
                late.set()

    def _call(self, due: Due) -> None:
        try:
            self._work(due)
        except BaseException as error:  # the thread outlives whatever it calls
            if interrupts(error):
                raise
            warn_once(
                f"worker:{self._name}:{type(error).__name__}",
                "the thread %s goes on after an error: %s", self._name, described(error),
            )  # fmt: skip
        self.read_clock()

    def read_clock(self) -> None:
        """Note the CPU time so far; called by the thread, in long work now and then."""
        self.cpu_seconds = time.thread_time()

    def _next(self) -> float:
        return _now() + self._interval

    def arm(self) -> None:
        """Have `work` called when the interval is over, or earlier."""
        self._requests.put(_Request.ARM)

    def wake(self) -> None:
        """Have `work` called soon, to look."""
        self._requests.put(_Request.WAKE)

    def begin_flush(self) -> threading.Event:
        """Have `work` called for everything; the event tells when it ended."""
        request = threading.Event()
        self._requests.put(request)
        return request

    def begin_close(self) -> None:
        """Ask the thread to call `work` once more and to end; do not wait."""
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
