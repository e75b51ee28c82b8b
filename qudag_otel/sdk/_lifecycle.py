"""The end of the program: nothing recorded is lost, and nobody waits long.

A helper thread does what must not happen inside a signal handler: a handler interrupts the main
thread anywhere, possibly while it holds the very lock that a collection needs.
"""

from __future__ import annotations

import atexit
import os
import signal
import threading
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final

from qudag_otel.sdk.export.batch import CLOSE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

_SLACK_SECONDS: Final = 1.0  # for what ends just at its deadline


class Helper:
    """A daemon thread that runs functions on request, also from a signal handler."""

    def __init__(self) -> None:
        self._start()

    def _start(self) -> None:
        self._queue: SimpleQueue[Callable[[], object] | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="qudag-otel-helper", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while (function := self._queue.get()) is not None:
            function()

    def submit(self, function: Callable[[], object]) -> None:
        """Have a function run soon; it must not raise."""
        self._queue.put(function)

    def run(self, function: Callable[[], object], timeout: float) -> bool:
        """Have a function run and wait for it.

        Args:
            function: What to run; it must not raise.
            timeout: How long to wait, in seconds.

        Returns:
            Whether it ended in time.
        """
        if not self._thread.is_alive() or threading.current_thread() is self._thread:
            function()
            return True
        done = threading.Event()

        def work() -> None:
            function()
            done.set()

        self._queue.put(work)
        return done.wait(max(0.0, timeout))

    def close(self) -> None:
        """End the thread after what it was asked to do, unless that takes long."""
        self._queue.put(None)
        if threading.current_thread() is not self._thread:
            self._thread.join(_SLACK_SECONDS)

    def after_fork(self) -> None:
        """Start again in a child process."""
        self._start()


class Ending:
    """Closes telemetry at normal exit and on SIGTERM.

    On SIGTERM with its default action telemetry is closed within `CLOSE_SECONDS` and the process
    then dies of the signal, as it would have. A handler of the application is called at once,
    while telemetry is flushed beside it. A second SIGTERM does not wait.

    Args:
        helper: The thread that works while a signal is handled.
        flush: Sends what is recorded, given seconds.
        close: Sends what is recorded and ends, given seconds.
    """

    def __init__(
        self,
        helper: Helper,
        flush: Callable[[float], object],
        close: Callable[[float], object],
    ) -> None:
        self._helper = helper
        self._flush = flush
        self._close = close
        self._previous: Any = None
        self._installed = False
        self._dying = False

    def watch(self, *, sigterm: bool) -> None:
        """Begin to watch for the end.

        Args:
            sigterm: Watch for the signal, too; only possible on the main thread, and pointless
                where the signal is ignored.
        """
        atexit.register(self._at_exit)
        if not sigterm or threading.current_thread() is not threading.main_thread():
            return
        previous = signal.getsignal(signal.SIGTERM)
        if previous is None or previous == signal.SIG_IGN:
            return
        self._previous = previous
        signal.signal(signal.SIGTERM, self._on_sigterm)
        self._installed = True

    def forget(self) -> None:
        """Stop watching, and give the signal back unless somebody else took it since."""
        atexit.unregister(self._at_exit)
        on_main = threading.current_thread() is threading.main_thread()
        if self._installed and on_main and not self._dying:
            self._installed = False
            if signal.getsignal(signal.SIGTERM) == self._on_sigterm:
                signal.signal(signal.SIGTERM, self._previous)

    def _at_exit(self) -> None:
        self._close(CLOSE_SECONDS)

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        if callable(self._previous):
            if self._installed:
                self._helper.submit(lambda: self._flush(CLOSE_SECONDS))
            self._previous(number, frame)
        elif self._dying or not self._installed:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        else:
            self._dying = True
            self._helper.submit(self._die)

    def _die(self) -> None:
        self._close(CLOSE_SECONDS + _SLACK_SECONDS)
        # Only the main thread may restore the default action; the handler does, this second time.
        # A signal to the process could reach another thread and leave the main one asleep.
        main = threading.main_thread().ident
        if main is not None and hasattr(signal, "pthread_kill"):
            signal.pthread_kill(main, signal.SIGTERM)
        else:
            os.kill(os.getpid(), signal.SIGTERM)
