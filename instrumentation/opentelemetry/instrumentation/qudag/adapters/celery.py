"""Celery's tasks, in the processes that send them and in the workers.

Beside opentelemetry-instrumentation-celery, which makes their spans. By Celery's own signals; the
latency is the time from sending to the end, as the clocks of both hosts tell it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.qudag.adapters._adapter import Adapter, guarded

from qudag_otel.catalogue import metrics as m
from qudag_otel.instruments import series

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["CeleryTaskInstrumentor"]

_SENT = "qudag_sent"
_STATUS = {"SUCCESS": "success", "FAILURE": "failure", "REVOKED": "cancelled"}


class CeleryTaskInstrumentor(Adapter):
    """Counts tasks by name: created where they are sent, completed where they ran.

    A task that is retried or ignored has not ended.
    """

    requires = ("celery >= 5.3, < 6",)
    _connected: tuple[tuple[Any, Callable[..., None]], ...] = ()

    def begin(self) -> None:
        """Connect to Celery's signals."""
        from celery import signals

        connected: Any = (
            (signals.before_task_publish, _sent),
            (signals.task_postrun, _ended),
            (signals.task_revoked, _revoked),
        )
        for signal, receiver in connected:
            signal.connect(receiver, weak=False)
        self._connected = connected

    def end(self) -> None:
        """Disconnect from them."""
        for signal, receiver in self._connected:
            signal.disconnect(receiver)
        self._connected = ()


def _sent(sender: Any = None, headers: Any = None, **_: Any) -> None:
    def count() -> None:
        if isinstance(headers, dict):
            headers[_SENT] = time.time()
        series(m.TASKS_CREATED, task_type=str(sender), priority="normal").add()

    guarded(count)


def _ended(task: Any = None, state: Any = None, **_: Any) -> None:
    def count() -> None:
        status = _STATUS.get(str(state))
        if status is not None:
            _complete(task.name, status, getattr(task.request, _SENT, None))

    guarded(count)


def _revoked(request: Any = None, **given: Any) -> None:
    status = "timeout" if given.get("expired") or given.get("terminated") else "cancelled"
    guarded(lambda: _complete(str(request.task), status, getattr(request, _SENT, None)))


def _complete(name: str, status: str, sent: Any) -> None:
    series(m.TASKS_COMPLETED, task_type=name, status=status).add()
    if isinstance(sent, (int, float)):
        series(m.TASK_LATENCY, task_type=name).record(max(0.0, time.time() - sent))
