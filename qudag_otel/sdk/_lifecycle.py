"""The end of the program: nothing recorded is lost, and nobody waits long.

A signal handler interrupts the main thread anywhere, possibly while it holds the very lock that a
collection needs. So the handler only starts threads, by the one way that takes no lock, and goes
back to what it interrupted; a thread sends what is recorded, and another one ends the process when
that is done or takes too long. Neither of them needs the main thread again.

The same module catches the two ends that run no exit function: a child of multiprocessing or of
Celery's pool, and a server that restores the default action and raises the signal once more.
"""

from __future__ import annotations

import _thread
import atexit
import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any, Final

from qudag_otel.sdk.export.batch import CLOSE_SECONDS

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

try:
    import ctypes
except ImportError:  # a Python that was built without libffi
    _set_action: Any = None
else:
    # The action of a signal can be set from any thread in C only.
    _set_action = getattr(getattr(ctypes, "pythonapi", None), "PyOS_setsig", None)
    if _set_action is not None:
        _set_action.argtypes = [ctypes.c_int, ctypes.c_void_p]
        _set_action.restype = ctypes.c_void_p

OURS: Final = "qudag-otel-"
"""How the names of all threads of telemetry begin."""
_SLACK_SECONDS: Final = 1.0  # for what ends just at its deadline
_raise_signal: Final = signal.raise_signal


def aside(function: Callable[[], object]) -> None:
    """Run a function in a thread of its own, also from a signal handler; it must not raise.

    `threading.Thread` takes a lock to start, which what the handler interrupted may hold.
    """
    _thread.start_new_thread(function, ())


def bounded(function: Callable[[], object], timeout: float) -> bool:
    """Run what may block for long, such as the application's own processors, and wait for it.

    Args:
        function: What to run; it must not raise.
        timeout: How long to wait, in seconds.

    Returns:
        Whether it ended in time.
    """
    done = threading.Event()

    def work() -> None:
        function()
        done.set()

    try:
        aside(work)
    except RuntimeError:  # no more threads: too late in the interpreter's end, or too many
        function()
        return True
    return done.wait(max(0.0, timeout))


def die_of(number: int) -> None:
    """End this process as the signal would have if nobody had handled it; from any thread."""
    try:
        signal.signal(number, signal.SIG_DFL)
    except ValueError:  # not the main thread
        if _set_action is not None:
            _set_action(number, None)
    os.kill(os.getpid(), number)


class Ending:
    """Closes telemetry at normal exit and on SIGTERM.

    On SIGTERM with its default action telemetry is closed within `CLOSE_SECONDS` and the process
    then dies of the signal, as it would have. A handler of the application is called at once,
    while telemetry is flushed beside it. A second SIGTERM does not wait.

    Args:
        flush: Sends what is recorded, given seconds.
        close: Sends what is recorded and ends, given seconds.
    """

    def __init__(self, flush: Callable[[float], object], close: Callable[[float], object]) -> None:
        self._flush = flush
        self._close = close
        self._previous: Any = None
        self._sigterm = False
        self._watching = False
        self._told_multiprocessing = False
        self._in_thread = False
        self._renew()

    def _renew(self) -> None:
        self._pid = os.getpid()
        self._dying = False

    def watch(self, *, sigterm: bool) -> None:
        """Begin to watch for the end.

        Args:
            sigterm: Watch for the signal, too; only possible on the main thread, and pointless
                where the signal is ignored.
        """
        self._watching = True
        self._sigterm = sigterm
        atexit.register(self._at_exit)
        setattr(signal, "raise_signal", self._before_default_action)  # noqa: B010 - a function, to type checkers
        self._watch_sigterm()
        self._watch_pools()

    def _watch_sigterm(self) -> None:
        if not self._sigterm or threading.current_thread() is not threading.main_thread():
            return
        previous: Any = signal.getsignal(signal.SIGTERM)
        # What was before any set-up of ours, closed ones included.
        while isinstance(owner := getattr(previous, "__self__", None), Ending):
            previous = owner._previous  # noqa: SLF001 - of its own kind
        if previous is None or previous == signal.SIG_IGN:
            return
        self._previous = previous
        signal.signal(signal.SIGTERM, self._on_sigterm)

    def _watch_pools(self) -> None:
        """Have telemetry closed at the end of a pool's worker, which runs no exit function."""
        process: Any = sys.modules.get("multiprocessing.process")
        if process is not None and process.parent_process() is not None:
            self._finalize()
        celery: Any = sys.modules.get("celery.signals")
        if celery is not None:
            celery.worker_process_init.connect(self._pool_started, weak=False)
            celery.worker_process_shutdown.connect(self._at_exit, weak=False)

    def _finalize(self) -> None:
        util: Any = sys.modules["multiprocessing.util"]
        util.Finalize(None, self._at_exit, exitpriority=0)

    def forget(self) -> None:
        """Stop watching, from any thread: signals do again what they did before.

        Only the main thread can take a handler away; until then ours does as the former one.
        """
        self._watching = False
        atexit.unregister(self._at_exit)
        if signal.raise_signal == self._before_default_action:
            setattr(signal, "raise_signal", _raise_signal)  # noqa: B010 - likewise
        on_main = threading.current_thread() is threading.main_thread()
        if on_main and not self._dying and signal.getsignal(signal.SIGTERM) == self._on_sigterm:
            signal.signal(signal.SIGTERM, self._previous)

    def after_fork(self, *, in_thread: bool) -> None:
        """Watch for the end of a child process, too.

        Args:
            in_thread: Whether it was forked in another thread than its parent's first.
        """
        self._renew()
        self._in_thread |= in_thread
        if self._in_thread:
            threading.Thread(target=self._end_with_threads, name=f"{OURS}end", daemon=True).start()
        util: Any = sys.modules.get("multiprocessing.util")
        if util is not None and not self._told_multiprocessing:
            self._told_multiprocessing = True
            # A child of multiprocessing forgets its finalizers and then calls what is given here.
            util.register_after_fork(self, Ending._finalize)
        self._watch_pools()

    def _end_with_threads(self) -> None:
        """End a child that was forked in a thread when its threads end, as it would without us.

        Such a process runs no exit function: it ends with its last thread, which would be ours.
        """
        while others := [one for one in threading.enumerate() if not one.name.startswith(OURS)]:
            for thread in others:
                thread.join()
        self._at_exit()
        os._exit(0)

    def _at_exit(self, *_: object, **__: object) -> None:
        if self._watching and self._pid == os.getpid():
            self._close(CLOSE_SECONDS)

    def _pool_started(self, *_: object, **__: object) -> None:
        if self._watching:
            self._watch_sigterm()  # Celery has just restored the default action

    def _on_sigterm(self, number: int, frame: FrameType | None) -> None:
        # A child may be hit before it is renewed: it has nothing of its own to send.
        ours = self._watching and self._pid == os.getpid()
        if callable(self._previous):
            if ours:
                aside(lambda: self._flush(CLOSE_SECONDS))
            self._previous(number, frame)
        elif ours and not self._dying:
            self._dying = True
            self._die(number)
        else:
            die_of(number)

    def _die(self, number: int) -> None:
        # Threads of the system, also where gevent has put greenlets in their place: a program that
        # never yields still ends.
        done = _native("allocate_lock")()
        done.acquire()

        def close() -> None:
            try:
                self._close(CLOSE_SECONDS)
            finally:
                done.release()

        def end() -> None:
            done.acquire(True, CLOSE_SECONDS + _SLACK_SECONDS)  # noqa: FBT003 - by position only
            die_of(number)

        try:
            _native("start_new_thread")(end, ())
            aside(close)
        except RuntimeError:  # no more threads
            die_of(number)

    def _before_default_action(self, number: int) -> None:
        """What stands for `signal.raise_signal` meanwhile.

        uvicorn, also under gunicorn, ends by restoring the default action and raising the signal.
        """
        fatal = number in _FATAL and signal.getsignal(number) == signal.SIG_DFL
        if fatal and self._watching and self._pid == os.getpid():
            self._close(CLOSE_SECONDS)
        _raise_signal(number)


_FATAL: Final = {
    getattr(signal, name)
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT", "SIGABRT")
    if hasattr(signal, name)
}


def _native(name: str) -> Any:
    """A function of `_thread` that gevent has not replaced."""
    monkey: Any = sys.modules.get("gevent.monkey")
    return monkey.get_original("_thread", name) if monkey else getattr(_thread, name)
