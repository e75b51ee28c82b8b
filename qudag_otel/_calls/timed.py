"""The time of what is too short to be timed each time: one of a few is."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_SAMPLES: Final = 31
_TIMED: Final = (
    0xF  # one of sixteen, and the first of all: one alone, the very first, is no measure
)
_clock = time.perf_counter_ns


class Priced:
    """What something has cost so far: each time at the price of the time when it was counted.

    Not the number of all times the latest price: that would be less than before when the price
    falls, and what is exported only ever grows.

    Args:
        count: How often it has happened.
        price: The seconds of one.
    """

    def __init__(self, count: Callable[[], float], price: Callable[[], float]) -> None:
        self._count = count
        self._price = price
        self._lock = threading.Lock()
        self._known = count()
        self._seconds = 0.0

    @property
    def seconds(self) -> float:
        """The seconds of all so far; what cannot be priced yet waits."""
        # Never waited for: a child may have been forked while somebody held it.
        if self._lock.acquire(blocking=False):
            try:
                price = self._price()
                if price:
                    known, self._known = self._known, self._count()
                    self._seconds += max(0.0, self._known - known) * price
            finally:
                self._lock.release()
        return self._seconds


class Timed:
    """Something that happens often, timed where it happens."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._seen = 0
        self._took: deque[int] = deque(maxlen=_SAMPLES)
        self._spent = Priced(lambda: self._seen, self._price)

    def begin(self) -> tuple[int, int]:
        """Its number, and a reading of the clock if this one is timed, else 0."""
        number = next(self._numbers)
        return number, 0 if number & _TIMED and number > _TIMED else _clock()

    def end(self, number: int, began: int) -> None:
        """Take what `begin` gave."""
        if began:
            self._took.append(_clock() - began)
            self._seen = number + 1

    def _price(self) -> float:
        took = sorted(self._took)
        return took[len(took) // 2] * 1e-9 if took else 0.0

    @property
    def seconds(self) -> float:
        """What all so far have taken."""
        return self._spent.seconds


CARRIED: Final = Timed()
"""What carrying the context in messages costs, there and back alike."""
