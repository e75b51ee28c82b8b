"""Batches of spans and log records on their way to an exporter."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from qudag_otel._warnings import warn_once
from qudag_otel.sdk.export.worker import Worker

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk._logs import ReadWriteLogRecord
    from opentelemetry.sdk.trace import Span

    from qudag_otel.sdk.export.exporting import Exporting

T = TypeVar("T")

CLOSE_SECONDS: Final = 5.0
"""How long the end of the program may take when nobody says otherwise."""


class Batches(Generic[T]):
    """A bounded queue that a thread empties into an exporter.

    Args:
        export: Where batches go.
        what: The items, for the thread's name and the warning.
        delay: Seconds that an item may wait for its batch to fill.
        size: How many items a batch holds at most.
        limit: How many items may wait; further ones are dropped, with one warning.
        timeout: How long emptying the queue may take, in seconds.
    """

    def __init__(
        self, export: Exporting, *, what: str, delay: float, size: int, limit: int, timeout: float
    ) -> None:
        self.export = export
        self._what = what
        self._size = size
        self._limit = limit
        self._timeout = timeout
        self._queue: deque[T] = deque()
        self._closed = False
        self._failed = False
        self._awake = False
        self._armed = False
        self.dropped = 0
        self._gather: Callable[[], None] | None = None
        self._worker = Worker(f"qudag-otel-{what}", delay, self._work, repeat=False)

    def gather_with(self, gather: Callable[[], None]) -> None:
        """Have a function called before the queue is emptied, to fetch what waits elsewhere.

        What waits there does not say so: from now on the queue is emptied regularly.
        """
        self._gather = gather
        self._worker.repeat = True
        self._worker.arm()

    def put(self, item: T) -> None:
        """Queue an item; never blocks, never raises."""
        waiting = len(self._queue)
        if waiting >= self._limit or self._closed:
            self._drop(1)
            return
        self._queue.append(item)
        self._tell(waiting + 1)

    def put_all(self, items: Sequence[T]) -> None:
        """Queue items; never blocks, never raises."""
        room = 0 if self._closed else max(0, self._limit - len(self._queue))
        self._queue.extend(items[:room])
        if len(items) > room:
            self._drop(len(items) - room)
        self._tell(len(self._queue))

    def _tell(self, waiting: int) -> None:
        # After the item is queued: the worker takes the flags back before it looks at the queue.
        if not self._armed:
            self._armed = True
            self._worker.arm()
        if waiting >= self._size and not self._awake:
            self._awake = True
            self._worker.wake()

    def _drop(self, items: int) -> None:
        self.dropped += items
        warn_once(
            f"dropped:{self._what}",
            "%s are dropped: %d wait for export already",
            self._what,
            len(self._queue),
        )

    def _work(self, everything: bool) -> None:  # noqa: FBT001 - the worker's callback
        self._awake = False
        if everything:
            self._armed = False
        if self._gather is not None:
            self._gather()
        deadline = time.monotonic() + self._timeout
        while self._queue and (everything or len(self._queue) >= self._size):
            if time.monotonic() > deadline or (self._closed and self._failed):
                break
            batch: list[T] = []
            while self._queue and len(batch) < self._size:
                batch.append(self._queue.popleft())
            self._failed = not self.export(batch, len(batch))
        if self._queue and not self._closed:
            self._tell(0)  # out of time, or items that came meanwhile

    def begin_flush(self) -> threading.Event:
        """Send what is queued; the event tells when that ended, `delivered` how."""
        self._failed = False
        return self._worker.begin_flush()

    @property
    def delivered(self) -> bool:
        """Whether the receiver took everything since the last `begin_flush` or `begin_close`."""
        return not self._failed

    def begin_close(self, deadline: float) -> None:
        """Take nothing more and send what is queued; do not wait.

        Args:
            deadline: When to give up, on the monotonic clock.
        """
        if self._closed:
            return
        self._failed = False
        self._closed = True
        self.export.limit(deadline)
        self._worker.begin_close()

    def close(self, deadline: float) -> bool:
        """Wait for the end of what `begin_close` began.

        Returns:
            Whether everything reached the receiver in time.
        """
        ended = self._worker.join(deadline - time.monotonic())
        self.export.close()
        return ended and not self._failed and not self._queue

    def after_fork(self) -> None:
        """Start empty in a child process: what is queued belongs to the parent, which sends it."""
        self._queue = deque()
        self._awake = self._armed = False
        self.dropped = 0
        self.export.after_fork()
        self._worker.after_fork()


class BatchSpans(Batches[ReadableSpan], SpanProcessor):
    """The span processor over `Batches`."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Do nothing: a span counts when it ends."""

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a span, if it is sampled."""
        context = span.context
        if context is not None and context.trace_flags.sampled:
            self.put(span)

    def shutdown(self) -> None:
        """Send what is queued and end, within `CLOSE_SECONDS`."""
        _end(self)

    def force_flush(self, timeout_millis: int | None = None) -> bool:
        """Send what is queued."""
        timeout = 30.0 if timeout_millis is None else timeout_millis / 1000
        return self.begin_flush().wait(timeout) and self.delivered


class BatchLogs(Batches[ReadableLogRecord], LogRecordProcessor):
    """The log record processor over `Batches`."""

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Queue a record."""
        resource = log_record.resource
        if resource is None:
            return
        self.put(
            ReadableLogRecord(
                log_record=log_record.log_record,
                resource=resource,
                instrumentation_scope=log_record.instrumentation_scope,
                limits=log_record.limits,
            )
        )

    def shutdown(self) -> None:
        """Send what is queued and end, within `CLOSE_SECONDS`."""
        _end(self)

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Send what is queued."""
        return self.begin_flush().wait(timeout_millis / 1000) and self.delivered


def _end(batches: Batches[T]) -> None:
    deadline = time.monotonic() + CLOSE_SECONDS
    batches.begin_close(deadline)
    batches.close(deadline)
