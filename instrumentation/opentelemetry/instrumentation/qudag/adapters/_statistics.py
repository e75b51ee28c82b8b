"""Counters from totals that a library keeps itself: what grew since the collection before."""

from __future__ import annotations

import os
import weakref
from typing import TYPE_CHECKING, Final

from opentelemetry.instrumentation.qudag.adapters._adapter import guarded

from qudag_otel._series.drains import before_collection

if TYPE_CHECKING:
    from collections.abc import Callable

    from qudag_otel.instruments import Series


class Totals:
    """Hands a library's running totals on to counters, before each collection.

    Args:
        read: Gives the totals, one for each counter; they may begin anew.
        series: The counters.
    """

    def __init__(self, read: Callable[[], tuple[float, ...] | None], *series: Series) -> None:
        self._read = read
        self._series = series
        self._former: tuple[float, ...] = read() or (0,) * len(series)
        for one in series:
            one.add(0)
        _all.add(self)
        self.stop: Callable[[], None] = before_collection(self._add, first=True)

    def moved(self) -> None:
        """In a forked child: what was counted so far is the parent's to report."""
        self._former = self._read() or self._former

    def _add(self) -> None:
        latest = self._read()
        if latest is None:
            self.stop()
            return
        former, self._former = self._former, latest
        for one, before, now in zip(self._series, former, latest, strict=True):
            grown = now - before if now >= before else now  # begun anew
            if grown:
                one.add(grown)


_all: Final[weakref.WeakSet[Totals]] = weakref.WeakSet()


def _after_fork() -> None:
    for one in list(_all):
        guarded(one.moved)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
