"""concurrent.futures' executors: tasks by the function that is called, and how many wait.

Beside opentelemetry-instrumentation-threading, which passes the context on.
"""

from __future__ import annotations

import functools
from concurrent.futures import CancelledError, process, thread
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.qudag.adapters._adapter import after_init, guarded
from opentelemetry.instrumentation.qudag.adapters._tasks import Queues, Task, kind_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from concurrent.futures import Future

__all__ = ["ExecutorInstrumentor"]


class ExecutorInstrumentor(Queues):
    """Watches executors: `instrument()` those to come, `watch(executor, name)` one that is there.

    A task is `submit`ted, also by `map`; its latency ends when its future is done. The
    `queue_type` is the executor's thread name prefix, or its class.
    """

    what = "executors"

    def hooks(self) -> Iterable[tuple[Any, str, Any]]:
        """Executors that are made, and tasks that are submitted."""
        for executor in (thread.ThreadPoolExecutor, process.ProcessPoolExecutor):
            yield executor, "__init__", after_init(self._made)
            yield executor, "submit", self._submitting

    def waiting(self, one: Any) -> int:
        """Tasks that no thread or process has taken."""
        queue = getattr(one, "_work_queue", None)
        if queue is not None:
            return max(0, int(queue.qsize()) - bool(one._shutdown))  # the end is queued, too
        return sum(1 for item in list(one._pending_work_items.values()) if _waits(item))

    def _made(self, executor: Any) -> None:
        prefix = getattr(executor, "_thread_name_prefix", "")
        named = prefix and not prefix.startswith("ThreadPoolExecutor-")
        self.watch(executor, prefix if named else type(executor).__name__)

    def _submitting(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def submit(executor: Any, function: Any, /, *args: Any, **kwargs: Any) -> Any:
            if self.watched.find(executor) is None:
                return original(executor, function, *args, **kwargs)
            task = guarded(lambda: Task(kind_of(_called(function))))
            future = original(executor, function, *args, **kwargs)
            if task is not None:
                future.add_done_callback(functools.partial(_end, task))
            return future

        return submit


def _called(function: Any) -> Any:
    """What a task calls; a chunk of `map` calls what was mapped."""
    inner = getattr(function, "func", None)
    return function.args[0] if inner is process._process_chunk else function


def _waits(item: Any) -> bool:
    return not (item.future.running() or item.future.done())


def _end(task: Task, done: Future[Any]) -> None:
    guarded(lambda: task.ended(_status(done)))


def _status(done: Future[Any]) -> str:
    if done.cancelled():
        return "cancelled"
    error = done.exception(timeout=0)
    if error is None:
        return "success"
    if isinstance(error, CancelledError):
        return "cancelled"
    return "timeout" if isinstance(error, TimeoutError) else "failure"
