"""What became of every span, data point and record on one way out: the one place that counts.

The log lines, the metrics, the doctor and the answers of `force_flush` and `shutdown` all read
it, so that they cannot disagree.
"""

from __future__ import annotations

from collections import Counter
from typing import Final

from qudag_otel._series.sums import Tally

QUEUE_FULL: Final = "queue_full"
CLOSED: Final = "already_shutdown"


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
