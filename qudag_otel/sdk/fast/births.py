"""Operations whose failures are counted from 0 on, before there is one.

A counter that is born at 100 has no increase: the first failures of an operation would be seen by
nobody who compares two samples. What an operation is called is known when it is bound, so its
series of errors begins with the next collection, on the time of the thread that collects.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qudag_otel import identity
from qudag_otel._calls.outcome import Outcome

if TYPE_CHECKING:
    from qudag_otel._calls.site import Site
    from qudag_otel._otel.measure import BulkHistogram

LIMIT: Final = 200
"""Of so many operations a process, the first that are bound; each is one histogram."""


class Births:
    """The operations of one set-up.

    Args:
        bulk: The histogram of durations.
    """

    def __init__(self, bulk: BulkHistogram) -> None:
        self._bulk = bulk
        self._waiting: list[Site] = []
        self._born: dict[Site, None] = {}
        self._epoch = identity.STATE.epoch

    def add(self, site: Site) -> None:
        """Have an operation's errors begin with the next collection."""
        if site.options.metrics and site not in self._born:
            self._waiting.append(site)

    def again(self) -> None:
        """Have all begin again: in a child process, or under another identity."""
        self._waiting = [*self._born, *self._waiting]
        self._born.clear()

    def deliver(self) -> None:
        """Begin what is due; what is not in use since a reset waits for its next call."""
        if self._epoch != identity.STATE.epoch:
            self._epoch = identity.STATE.epoch
            self.again()
        waiting, self._waiting = self._waiting, []
        for site in waiting:
            if len(self._born) >= LIMIT:
                return
            if site.in_flight() is None:
                self._waiting.append(site)
            else:
                self._born[site] = None
                self._bulk.begin(site.labels(Outcome.ERROR))
