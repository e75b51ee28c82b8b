"""What somebody else's code raises while telemetry calls it, and what only comes by it.

A `__repr__`, a callback or an exporter may raise anything, `SystemExit` included, and none of it
may reach the application, or end a thread of ours. But what a signal's handler raises meanwhile,
as to end the program or to give up a call that takes too long, is the application's and goes on.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final, cast

if TYPE_CHECKING:
    from types import FrameType

# By these gevent, eventlet and greenlets end what waits; a lock or a log line may wait.
_SCHEDULING: Final = {
    ("greenlet", "GreenletExit"),
    ("gevent.timeout", "Timeout"),
    ("eventlet.timeout", "Timeout"),
}


def interrupts(error: BaseException) -> bool:
    """Whether an exception that came out of foreign code is not that code's own.

    Python's own handler of a signal raises `KeyboardInterrupt`, in the main thread; any other one
    stands in the traceback, right below the frame that it interrupted. Never raises.
    """
    try:
        if isinstance(error, KeyboardInterrupt):
            return threading.current_thread() is threading.main_thread()
        kinds = type(error).__mro__
        if any((kind.__module__, kind.__qualname__) in _SCHEDULING for kind in kinds):
            return True
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            if _handles(trace.tb_next.tb_frame, trace.tb_frame):
                return True
            trace = trace.tb_next
    except Exception:  # noqa: BLE001 - no depth is left, or a metaclass is odd
        return False
    return False


def _handles(frame: FrameType, interrupted: FrameType) -> bool:
    """Whether a frame is a signal's handler: it was given the frame that it interrupted."""
    code = frame.f_code
    given = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + 1]  # and *arguments
    local = frame.f_locals
    for name in given:
        one: object = local.get(name)
        parts = cast("tuple[object, ...]", one) if type(one) is tuple else (one,)
        if any(part is interrupted for part in parts):
            return True
    return False
