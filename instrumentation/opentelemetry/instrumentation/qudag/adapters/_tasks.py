"""Tasks that are handed to somebody: created, completed, how long they took, how many wait."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.qudag.adapters._adapter import Adapter, Members, guarded

from qudag_otel.catalogue import metrics as m
from qudag_otel.instruments import series

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.instrumentation.qudag.adapters._adapter import Observed, Reading


class Task:
    """One task that is counted from its creation to its end.

    Args:
        kind: Its `task_type`.
    """

    __slots__ = ("_began", "_kind")

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._began = time.perf_counter()
        series(m.TASKS_CREATED, task_type=kind, priority="normal").add()

    def ended(self, status: str) -> None:
        """Count its end: success, failure, timeout or cancelled."""
        series(m.TASKS_COMPLETED, task_type=self._kind, status=status).add()
        series(m.TASK_LATENCY, task_type=self._kind).record(time.perf_counter() - self._began)


def kind_of(function: Any) -> str:
    """A task's type: what it calls."""
    while hasattr(function, "func"):  # a partial
        function = function.func
    name = getattr(function, "__qualname__", None)
    return name if isinstance(name, str) else type(function).__qualname__


class Queues(Adapter):
    """An adapter that reports how many wait in its objects."""

    what = "queues"
    """What they are, for the warning about too many."""

    def __init__(self) -> None:
        if not hasattr(self, "watched"):
            self.watched: Members[str] = Members(self.what)

    def waiting(self, one: Any) -> int:
        """How many wait in an object; called at collection, from any thread."""
        return int(one.qsize())

    def watch(self, one: object, name: str) -> None:
        """Watch an object that is there; what waits in those of one name is added up.

        Args:
            one: The object, held weakly.
            name: Its `queue_type`.
        """
        self.watched.add(one, name)
        self.begin()

    def observed(self) -> Iterable[Observed]:
        """What waits."""
        yield m.QUEUE_DEPTH, self._depths

    def end(self) -> None:
        """Read it no more."""
        super().end()
        self.watched.clear()

    def _depths(self) -> Iterable[Reading]:
        depths: dict[str, int] = {}
        for one, name in self.watched:
            depths[name] = depths.get(name, 0) + (guarded(self.waiting, one) or 0)
        for name, depth in depths.items():
            yield {"queue_type": name, "priority": "normal"}, depth
