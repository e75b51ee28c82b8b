"""Which connections a pool has given out before, and which were lost without being given back."""

from __future__ import annotations

import weakref
from collections import deque
from typing import Final

from qudag_otel._warnings import warn_once


class Ledger:
    """Connections by identity, held weakly: it keeps none of them alive.

    A connection that the garbage collector takes while it is out counts as leaked.

    Safe to share between threads, and without a lock: the collector runs at any allocation, and a
    destructor that gives a connection back would wait for what its own thread holds. So each step
    is one operation of a dictionary or a deque, and what another thread may have put in between is
    looked at again.
    """

    def __init__(self) -> None:
        self._known: Final[dict[int, weakref.ref[object]]] = {}
        self.out: Final[dict[int, weakref.ref[object]]] = {}
        """Connections that are out, by identity; one that comes back is taken from here."""
        self.gone: Final[deque[tuple[int, weakref.ref[object]]]] = deque()
        """What the garbage collector took and nobody has looked at yet."""
        self._leaked: Final[deque[int]] = deque()

    def take(self, connection: object) -> bool:
        """Note that a connection went out; whether it was known before."""
        key = id(connection)
        if self.gone:  # first: the address of a connection that is gone may be this one's
            self._settle()
        reference = self._known.get(key)
        known = reference is not None and reference() is connection
        if reference is None or not known:
            reference = self._reference(connection)
            if reference is None:
                return False
            self._known[key] = reference
        self.out[key] = reference
        return known

    def take_leaked(self) -> int:
        """How many connections were leaked since the last question."""
        self._settle()
        leaked = 0
        while self._leaked:
            try:
                self._leaked.popleft()
            except IndexError:  # another thread asked, too
                break
            leaked += 1
        return leaked

    def _settle(self) -> None:
        """Strike out what the garbage collector took."""
        while self.gone:
            try:
                key, reference = self.gone.popleft()
            except IndexError:  # another thread strikes out, too
                return
            _strike(self._known, key, reference)
            if _strike(self.out, key, reference):
                self._leaked.append(key)

    def _reference(self, connection: object) -> weakref.ref[object] | None:
        key, gone = id(connection), self.gone
        try:
            return weakref.ref(connection, lambda reference: gone.append((key, reference)))
        except TypeError:
            warn_once(
                f"ledger:{type(connection).__name__}",
                "a %s cannot be weakly referenced: every acquisition counts as a miss and leaks"
                " stay unseen; give reused=, or a __weakref__ slot",
                type(connection).__name__,
            )
            return None


def _strike(
    among: dict[int, weakref.ref[object]], key: int, reference: weakref.ref[object]
) -> bool:
    """Remove a reference, and only that one: another connection may have its address by now."""
    if among.get(key) is not reference:
        return False
    found = among.pop(key, None)
    if found is not None and found is not reference:
        among.setdefault(key, found)
    return found is reference
