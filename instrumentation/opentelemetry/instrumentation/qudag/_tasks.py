"""A swarm task from its creation to its end, whichever way its coordinator tells of it."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context

if TYPE_CHECKING:
    from collections.abc import Callable

    from qudag_otel._calls.site import Call

_STATUSES: Final[tuple[tuple[tuple[type[BaseException], ...], str], ...]] = (
    ((TimeoutError,), "timeout"),
    ((asyncio.CancelledError, GeneratorExit), "cancelled"),
    ((BaseException,), "failure"),
)


def status_of(error: BaseException | None) -> str:
    """The value of the label `status` for what a task ended with."""
    if error is None:
        return "success"
    return next(status for kinds, status in _STATUSES if isinstance(error, kinds))


class Task:
    """One task; reports its end exactly once.

    Args:
        task_type: The kind of task.
        priority: Its priority.
        report: Called with the task and what it ended with, in the context it was submitted in.
    """

    def __init__(
        self,
        task_type: str,
        priority: str,
        report: Callable[[Task, BaseException | None], None],
    ) -> None:
        self.task_type = task_type
        self.priority = priority
        self.seconds = 0.0
        self.context = context.get_current()
        self._report = report
        self._created = time.perf_counter()
        self._lock = threading.Lock()
        self._reported = False
        self._handed_over = False
        self._followed = False
        self._worked: tuple[float, BaseException | None] | None = None

    def ran(
        self, _call: Call, _values: object, _result: object, error: BaseException | None
    ) -> None:
        """Its work has run; that is its end unless a handle tells of it."""
        now = time.perf_counter()
        with self._lock:
            self._worked = (now, error)
            if self._followed or not self._handed_over:
                return
        self._end(now, error)

    def handed_over(self, result: object, error: BaseException | None) -> None:
        """The coordinator's `submit` has returned, or raised."""
        now = time.perf_counter()
        follow = getattr(result, "add_done_callback", None)
        with self._lock:
            self._handed_over = True
            self._followed = callable(follow)
            worked = self._worked
        if error is not None:
            self._end(now, error)
        elif callable(follow):
            follow(self._done)
        elif worked is not None:
            self._end(*worked)

    def _done(self, handle: Any) -> None:
        now = time.perf_counter()
        self._end(now, asyncio.CancelledError() if handle.cancelled() else self._error(handle))

    def _error(self, handle: Any) -> BaseException | None:
        """What a handle that was not cancelled ended with."""
        if isinstance(handle, asyncio.Future) and self._worked is not None:
            # Asking asyncio's future would silence its warning that nobody looked at the error;
            # it is only asked where the work does not tell, such as after a time limit.
            _, error = self._worked
            if not isinstance(error, asyncio.CancelledError):
                return error
        error = handle.exception()
        return error if isinstance(error, BaseException) else None

    def _end(self, now: float, error: BaseException | None) -> None:
        with self._lock:
            if self._reported:
                return
            self._reported = True
        self.seconds = now - self._created
        token = context.attach(self.context)
        try:
            self._report(self, error)
        finally:
            context.detach(token)
