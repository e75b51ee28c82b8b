"""A cache of validated content: least recently used, aged out, and limited in bytes."""

from __future__ import annotations

import time
from collections import Counter, OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


class ValidationCache:
    """Keeps content whose signature was verified, so that it need not be verified again.

    Args:
        max_entries: How many entries it holds.
        max_bytes: How many bytes its keys and values take together.
        ttl_seconds: How long an entry is believed, in seconds.
        clock: A monotonic clock in seconds.
        on_eviction: Called with the reason whenever an entry leaves: capacity,
            memory_pressure, expired or explicit.
    """

    def __init__(
        self,
        max_entries: int = 192,
        max_bytes: int = 4 * 1024 * 1024,
        ttl_seconds: float = 30.0,
        clock: Callable[[], float] = time.monotonic,
        on_eviction: Callable[[str], None] = lambda _reason: None,
    ) -> None:
        self.max_entries = max_entries
        self.max_bytes = max_bytes
        self.ttl_seconds = ttl_seconds
        self.on_eviction = on_eviction
        self._clock = clock
        self._entries: OrderedDict[bytes, tuple[float, bytes]] = OrderedDict()
        self._memory_bytes = 0
        self.lookups: Counter[str] = Counter()
        self.evictions: Counter[str] = Counter()

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def memory_bytes(self) -> int:
        """Bytes of the keys and values that it holds."""
        return self._memory_bytes

    def get(self, key: bytes) -> bytes | None:
        """The content under the key, or None if it is unknown or too old."""
        entry = self._entries.get(key)
        if entry is not None and entry[0] <= self._clock():
            self._evict(key, "expired")
            entry = None
        self.lookups["miss" if entry is None else "hit"] += 1
        if entry is None:
            return None
        self._entries.move_to_end(key)
        return entry[1]

    def put(self, key: bytes, value: bytes) -> None:
        """Remember the content; what is larger than the whole cache is not kept."""
        size = len(key) + len(value)
        if size > self.max_bytes:
            return
        if key in self._entries:
            self._drop(key)
        self._entries[key] = (self._clock() + self.ttl_seconds, value)
        self._memory_bytes += size
        while len(self._entries) > self.max_entries:
            self._evict(next(iter(self._entries)), "capacity")
        while self._memory_bytes > self.max_bytes:
            self._evict(next(iter(self._entries)), "memory_pressure")

    def remove(self, key: bytes) -> bool:
        """Forget one entry; whether it was there."""
        if key not in self._entries:
            return False
        self._evict(key, "explicit")
        return True

    def clear(self) -> None:
        """Forget everything."""
        for key in list(self._entries):
            self._evict(key, "explicit")

    def _drop(self, key: bytes) -> None:
        _, value = self._entries.pop(key)
        self._memory_bytes -= len(key) + len(value)

    def _evict(self, key: bytes, reason: str) -> None:
        self._drop(key)
        self.evictions[reason] += 1
        self.on_eviction(reason)
