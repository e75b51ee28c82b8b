"""asyncio: tasks by the coroutine that they run, how many are not done, how late loops are.

Beside opentelemetry-instrumentation-asyncio, which makes spans and counts of those coroutines that
its variables name.
"""

from __future__ import annotations

import asyncio
import functools
import os
import weakref
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.instrumentation.qudag.adapters._adapter import Adapter, guarded
from opentelemetry.instrumentation.qudag.adapters._tasks import Task, kind_of

from qudag_otel.catalogue import metrics as m
from qudag_otel.process import watch_event_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.instrumentation.qudag.adapters._adapter import Observed, Reading

__all__ = ["AsyncioInstrumentor"]

_LABELS: Final = {"queue_type": "asyncio", "priority": "normal"}
_CONTRIB: Final = "AsyncioInstrumentor.trace_coroutine"
"""What its create_task hands on in place of the coroutine that it was given."""


class AsyncioInstrumentor(Adapter):
    """Watches tasks, and the loops that begin to run; `watch(loop)` one that runs already.

    A task's latency is the time from its creation to its end. Loops of uvloop make their tasks
    themselves: of those, `watch` shows how late they are.
    """

    def __init__(self) -> None:
        if not hasattr(self, "alive"):
            self.alive: weakref.WeakSet[Any] = weakref.WeakSet()
            """Tasks that are not done."""
            self.loops: weakref.WeakKeyDictionary[Any, Callable[[], None]] = (
                weakref.WeakKeyDictionary()
            )
            """Loops that run, with what ends their watch."""
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(after_in_child=self.alive.clear)  # they are the parent's

    def hooks(self) -> Iterable[tuple[Any, str, Any]]:
        """Tasks that are made, and loops that run."""
        yield asyncio.BaseEventLoop, "create_task", self._creating
        yield asyncio.BaseEventLoop, "run_forever", self._running

    def watch(self, loop: asyncio.AbstractEventLoop, interval: float = 0.5) -> None:
        """Measure how late a loop wakes a timer, until it ends.

        Args:
            loop: The loop, of any thread; one that does not run yet is measured from its start on.
            interval: How often, in seconds; 0.01 or more.
        """
        super().begin()
        loop.call_soon_threadsafe(guarded, self._look, loop, interval)

    def begin(self) -> None:
        """Have the tasks counted at each collection; watch the loop that runs here, if one does."""
        super().begin()
        here = asyncio._get_running_loop()
        if here is not None:
            self.watch(here)

    def end(self) -> None:
        """Count them no more."""
        super().end()
        self.alive.clear()
        for loop in list(self.loops):
            if not loop.is_closed():
                loop.call_soon_threadsafe(guarded, self._leave, loop)

    def observed(self) -> Iterable[Observed]:
        """How many tasks are not done."""
        yield m.QUEUE_DEPTH, self._depth

    def _depth(self) -> Iterable[Reading]:
        yield _LABELS, len(self.alive)

    def _look(self, loop: Any, interval: float = 0.5) -> None:
        if self._stops and loop not in self.loops:
            self.loops[loop] = watch_event_loop(interval)

    def _leave(self, loop: Any) -> None:
        stop = self.loops.pop(loop, None)
        if stop is not None:
            stop()

    def _running(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def run_forever(loop: Any) -> Any:
            if loop.is_closed() or loop.is_running():
                return original(loop)  # which refuses
            guarded(loop.call_soon, guarded, self._look, loop)
            try:
                return original(loop)
            finally:
                guarded(self._leave, loop)

        return run_forever

    def _creating(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def create_task(loop: Any, coroutine: Any, *args: Any, **kwargs: Any) -> Any:
            task = guarded(lambda: Task(_kind(coroutine)))
            made = original(loop, coroutine, *args, **kwargs)
            if task is not None:
                guarded(self._follow, made, task)
            return made

        return create_task

    def _follow(self, made: Any, task: Task) -> None:
        self.alive.add(made)
        made.add_done_callback(functools.partial(self._ended, task))

    def _ended(self, task: Task, done: Any) -> None:
        self.alive.discard(done)
        guarded(lambda: task.ended(_status(done)))


def _kind(coroutine: Any) -> str:
    if getattr(coroutine, "__qualname__", None) == _CONTRIB:
        coroutine = coroutine.cr_frame.f_locals.get("coro", coroutine)
    return kind_of(coroutine)


def _status(done: Any) -> str:
    if done.cancelled():
        return "cancelled"
    error = done._exception  # `exception()` would count as somebody having looked at it
    if error is None:
        return "success"
    return "timeout" if isinstance(error, TimeoutError) else "failure"
