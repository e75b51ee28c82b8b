"""A swarm task from its creation to its end, whichever way its coordinator tells of it."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context

    from qudag_otel._calls.site import Call

_STATUSES: Final[tuple[tuple[tuple[type[BaseException], ...], str], ...]] = (
    ((TimeoutError,), "timeout"),
    ((asyncio.CancelledError, GeneratorExit), "cancelled"),
    ((BaseException,), "failure"),
)
_SUCCESS: Final = "success"


def status_of(error: BaseException | None) -> str:
    """The value of the label `status` for what a task ended with."""
    if error is None:
        return _SUCCESS
    return next(status for kinds, status in _STATUSES if isinstance(error, kinds))


class Task:
    """One task; reports its end exactly once.

    Each step is one that other threads see as a whole, so no lock is needed: whoever comes last, of
    the work and of the coordinator's `submit`, sees what the other has left.

    Args:
        task_type: The kind of task.
        priority: Its priority.
        report: Called with the task and what it ended with.
    """

    __slots__ = (
        "_created", "_followed", "_handed_over", "_report", "_worked", "context", "priority",
        "seconds", "task_type",
    )  # fmt: skip

    context: Context
    """Where it was submitted."""

    def __init__(
        self,
        task_type: str,
        priority: str,
        report: Callable[[Task, BaseException | None], None],
    ) -> None:
        self.task_type = task_type
        self.priority = priority
        self.seconds = 0.0
        self._report = [report]
        self._handed_over = self._followed = False
        self._worked: tuple[int, BaseException | None] | None = None
        self._created = time.perf_counter_ns()

    def ran(self, _call: Call, _result: object) -> None:
        """Its work has returned; that is its end unless a handle tells of it."""
        self._ran(None)

    def broke(self, _call: Call, error: BaseException) -> None:
        """Its work has raised."""
        self._ran(error)

    def accepted(self, _call: Call, handle: object) -> None:
        """The coordinator's `submit` has returned."""
        follow = None if handle is None else getattr(handle, "add_done_callback", None)
        self._followed = callable(follow)
        self._handed_over = True
        if callable(follow):
            follow(self._done)
        elif self._worked is not None:
            self._end(*self._worked)

    def refused(self, _call: Call, error: BaseException) -> None:
        """The coordinator's `submit` has raised."""
        self._handed_over = True
        self._end(time.perf_counter_ns(), error)

    def _ran(self, error: BaseException | None) -> None:
        now = time.perf_counter_ns()
        self._worked = (now, error)
        if self._handed_over and not self._followed:
            self._end(now, error)

    def _done(self, handle: Any) -> None:
        now = time.perf_counter_ns()
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

    def _end(self, now: int, error: BaseException | None) -> None:
        try:
            report = self._report.pop()
        except IndexError:
            return  # it has been told
        self.seconds = (now - self._created) * 1e-9
        report(self, error)
