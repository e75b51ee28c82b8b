"""What a forked child must not inherit: sums, locks, threads and sockets of its parent.

The child counts from zero under a resource of its own (another process and service instance id),
so that whatever parent and children report adds up to what happened.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Any

from qudag_otel._foreign import interrupts
from qudag_otel._warnings import warn_once

if TYPE_CHECKING:
    from collections.abc import Callable


_children: list[Callable[[bool], None]] = []
_parents: list[Callable[[], None]] = []
_registered = False


class _Forking(threading.local):
    """What the forking thread knew before the fork."""

    mask: set[Any] | None = None
    in_thread = False


_forking = _Forking()


def watch(in_child: Callable[[bool], None], in_parent: Callable[[], None]) -> Callable[[], None]:
    """Call functions after each fork.

    Meanwhile SIGTERM waits, so that it finds a child that can act upon it.

    Args:
        in_child: What to call, with whether another thread than the process's first one forked.

        in_parent: What to call in the parent.

    Returns:
        A function that ends this.
    """
    global _registered  # noqa: PLW0603 - a hook of the process cannot be taken back
    if not _registered and hasattr(os, "register_at_fork"):
        _registered = True
        os.register_at_fork(before=_before, after_in_parent=_in_parent, after_in_child=_in_child)
    _children.append(in_child)
    _parents.append(in_parent)

    def stop() -> None:
        if in_child in _children:
            _children.remove(in_child)
            _parents.remove(in_parent)

    return stop


def _before() -> None:
    held = {signal.SIGTERM} if _children else ()
    _forking.mask = signal.pthread_sigmask(signal.SIG_BLOCK, held)
    _forking.in_thread = _in_thread()


def _in_thread() -> bool:
    if sys.platform == "linux":  # where gevent's greenlets cannot be mistaken for threads
        return threading.get_native_id() != os.getpid()
    return threading.current_thread() is not threading.main_thread()


def _after() -> None:
    if _forking.mask is not None:
        signal.pthread_sigmask(signal.SIG_SETMASK, _forking.mask)


def _in_parent() -> None:
    _after()
    for function in _parents:
        function()


def _in_child() -> None:
    for function in _children:
        try:
            function(_forking.in_thread)
        except BaseException as error:  # a fork must succeed
            if interrupts(error):
                raise
            warn_once(
                f"fork:{type(error).__name__}", "after a fork telemetry is incomplete: %r", error
            )
    _after()
