"""queue.Queue, asyncio.Queue, multiprocessing.Queue: how many wait, read at collection."""

from __future__ import annotations

from typing import Any

from opentelemetry.instrumentation.qudag.adapters._tasks import Queues

__all__ = ["QueueInstrumentor"]


class QueueInstrumentor(Queues):
    """Watches queues by name: `QueueInstrumentor().watch(queue, "orders")`.

    Anything with a `qsize()` that can be asked from any thread. `instrument()` finds none by
    itself: a queue has no name.
    """

    def waiting(self, one: Any) -> int:
        """Without a lock where that can be: a forked child may find it taken for ever."""
        held = getattr(one, "queue", None)
        return int(one.qsize()) if held is None else len(held)
