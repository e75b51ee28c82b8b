"""What became of every span, data point and record on one way out: the one place that counts.

The log lines, the metrics, the doctor and the answers of `force_flush` and `shutdown` all read
it, so that they cannot disagree.
"""

from __future__ import annotations

from collections import Counter, deque
from typing import Final

QUEUE_FULL: Final = "queue_full"
CLOSED: Final = "already_shutdown"
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


class Ledger:
    """The account of one exporter and the queue before it."""

    def __init__(self) -> None:
        self.delivered = 0
        self.in_flight = 0
        self.failed: Counter[str] = Counter()
        """Exports that failed, in items, by what stands in the metric's `error.type`."""
        self._dropped = {QUEUE_FULL: Tally(), CLOSED: Tally()}

    def drop(self, items: int, kind: str = QUEUE_FULL) -> None:
        """Count items that never reached an exporter; safe anywhere."""
        self._dropped[kind].add(items)

    @property
    def dropped(self) -> dict[str, int]:
        """Items that never reached an exporter, by reason."""
        return {kind: int(tally) for kind, tally in self._dropped.items()}

    @property
    def lost(self) -> int:
        """All that was not delivered."""
        return sum(list(self.failed.values())) + sum(self.dropped.values())
