"""multiprocessing's pools: tasks by the function that is called, and how many wait."""

from __future__ import annotations

import multiprocessing.pool
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.qudag.adapters._adapter import after_init, guarded
from opentelemetry.instrumentation.qudag.adapters._tasks import Queues, Task, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["ProcessPoolInstrumentor"]


class ProcessPoolInstrumentor(Queues):
    """Watches pools: `instrument()` those to come, `watch(pool, name)` one that is there.

    A task is one `apply` or `apply_async`, or one whole `map`, `map_async`, `starmap` or
    `starmap_async`; what `imap` yields is not seen.
    """

    what = "multiprocessing pools"

    def hooks(self) -> Iterable[tuple[Any, str, Any]]:
        """Pools that are made, and tasks that are handed to them."""
        pool = multiprocessing.pool.Pool
        yield (
            pool,
            "__init__",
            after_init(self._made),
        )
        yield pool, "apply_async", self._handing
        yield pool, "_map_async", self._handing

    def _made(self, pool: object) -> None:
        self.watch(pool, "multiprocessing")

    def waiting(self, one: Any) -> int:
        """Tasks that are not done, those at work among them: the pool does not tell them apart."""
        return len(one._cache)

    def _handing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def hand(pool: Any, function: Any, *args: Any, **kwargs: Any) -> Any:
            task = None
            if self.watched.find(pool) is not None:
                task = guarded(Task, kind_of(function))
            result = original(pool, function, *args, **kwargs)
            if task is not None:
                guarded(_follow, result, task)
            return result

        return hand


def _follow(result: Any, task: Task) -> None:
    """Have a result tell its end, in the pool's own thread."""
    settle = result._set
    waiting = [task]

    def tell() -> None:
        if result.ready() and waiting:
            waiting.pop().ended("success" if result._success else "failure")

    def done(index: Any, outcome: Any) -> None:
        settle(index, outcome)
        guarded(tell)

    result._set = done
    tell()  # if it was done before
