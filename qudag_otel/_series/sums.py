"""A sum that is safe to add to anywhere."""

from __future__ import annotations

from collections import deque
from typing import Final

_PARTS: Final = 256


class Tally:
    """A sum that any thread adds to, also a signal handler or destructor in the middle of it.

    No lock is taken: one that is held by what was interrupted would never be released.
    """

    def __init__(self) -> None:
        self._parts: deque[int] = deque()

    def add(self, number: int) -> None:
        """Add to the sum."""
        parts = self._parts
        parts.append(number)
        if len(parts) > _PARTS:
            # Each part is taken by one thread alone, and given back as part of a larger one.
            taken = 0
            try:
                for _ in range(_PARTS):
                    taken += parts.popleft()
            except IndexError:
                pass
            parts.append(taken)

    def __int__(self) -> int:
        while True:
            try:
                return sum(self._parts)
            except RuntimeError:  # it grew meanwhile
                continue
