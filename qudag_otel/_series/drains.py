"""What has to happen before a collection: whatever waits elsewhere goes to the SDK's storage.

Every collection of every reader asks the observers of asynchronous instruments first, so one of
those, which never reports anything, is where it happens. This needs no cooperation of readers.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from qudag_otel._foreign import interrupts
from qudag_otel._otel.measure import Emptied
from qudag_otel._warnings import warn_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.metrics import CallbackOptions, Meter, Observation

NAME: Final = "qudag.drain"

_drains: list[Callable[[], None]] = []


class _Collecting(threading.local):
    now = False


COLLECTING: Final = _Collecting()
"""Whether this thread is answering a collection: `now`."""


def before_collection(drain: Callable[[], None], *, first: bool = False) -> Callable[[], None]:
    """Have a function called before each collection of each reader, from any thread.

    Args:
        drain: The function.
        first: Whether it leaves values that others drain.

    Returns:
        A function that ends this.
    """
    _drains.insert(0 if first else len(_drains), drain)

    def stop() -> None:
        if drain in _drains:
            _drains.remove(drain)

    return stop


def drain_all() -> None:
    """Call all the functions; what one raises is logged once."""
    for drain in _drains.copy():
        try:
            drain()
        except BaseException as error:  # a collection must go on
            if interrupts(error):
                raise
            warn_once(f"drain:{type(error).__name__}", "measurements are missing: %.200r", error)


def watch(meter: Meter) -> None:
    """Call the functions before the collections of this meter's provider."""
    Emptied.at = time.time_ns()
    meter.create_observable_gauge(NAME, [_asked])


def _asked(_: CallbackOptions) -> Iterable[Observation]:
    COLLECTING.now = True
    at = time.time_ns()
    try:
        drain_all()
        Emptied.at = at
    finally:
        COLLECTING.now = False
    return ()
