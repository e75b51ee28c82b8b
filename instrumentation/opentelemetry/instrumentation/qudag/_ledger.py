"""Which connections a pool has given out before, and which were lost without being given back."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from typing import Final

from qudag_otel._warnings import warn_once


class Ledger:
    """Connections by identity, held weakly: it keeps none of them alive.

    Safe to share between threads. A connection that the garbage collector takes while it is out
    counts as leaked.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: dict[int, weakref.ref[object]] = {}
        self._out: dict[int, weakref.ref[object]] = {}
        # A weak reference's callback runs wherever the collector does, also while this thread
        # holds a lock of ours or of the SDK: it may only append.
        self._gone: Final[deque[tuple[int, weakref.ref[object]]]] = deque()
        self._leaked = 0

    def take(self, connection: object) -> bool:
        """Note that a connection went out; whether it was known before."""
        key = id(connection)
        with self._lock:
            # First, because the address of a connection that is gone may be this one's.
            self._settle()
            reference = self._known.get(key)
            known = reference is not None
            if reference is None:
                reference = self._reference(connection)
                if reference is None:
                    return False
                self._known[key] = reference
            self._out[key] = reference
            return known

    def give_back(self, connection: object) -> None:
        """Note that a connection came back."""
        with self._lock:
            self._out.pop(id(connection), None)

    def take_leaked(self) -> int:
        """How many connections were leaked since the last question."""
        with self._lock:
            self._settle()
            leaked, self._leaked = self._leaked, 0
        return leaked

    def _settle(self) -> None:
        """Strike out what the garbage collector took."""
        while self._gone:
            key, reference = self._gone.popleft()
            self._known.pop(key, None)
            if self._out.get(key) is reference:
                del self._out[key]
                self._leaked += 1

    def _reference(self, connection: object) -> weakref.ref[object] | None:
        key, gone = id(connection), self._gone
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
