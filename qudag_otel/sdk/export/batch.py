"""Batches of spans and log records on their way to an exporter."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from qudag_otel._series.sums import Tally
from qudag_otel.sdk.export.ledger import CLOSED, QUEUE_FULL
from qudag_otel.sdk.export.weight import weight_of_record, weight_of_span
from qudag_otel.sdk.export.worker import Due, Worker

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk._logs import ReadWriteLogRecord
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Span

    from qudag_otel.sdk.export.exporting import Exporting

T = TypeVar("T")

CLOSE_SECONDS: Final = 5.0
"""How long the end of the program may take when nobody says otherwise."""
HEAVY_BYTES: Final = 64 << 20
"""How much the heavy items of a queue may weigh together."""
LIGHT_ITEMS: Final = 1 << 16
"""How many finished calls may wait while the receiver takes them: a burst of them is cheap."""
_LOOK_SECONDS: Final = 0.5  # how long what waits elsewhere may go unnoticed
_LEAST_DELAY: Final = 0.1  # the same for a delay of nothing: a thread that never sleeps is a burden


class Source(Protocol):
    """Where items wait before a queue, without saying so each time."""

    def tell(self, listener: Batches[Any], /) -> None:
        """Call `rouse` when items come after a rest, and `wake` when many wait."""
        ...

    def waiting(self) -> int:
        """How many wait, once what others are fetching is in the queue."""
        ...

    def fetch(self, most: int) -> bool:
        """Put at most so many into the queue, behind what others fetch; whether more wait."""
        ...

    def rest(self) -> bool:
        """Whether nothing waits or is under way; then the next one rouses the queues."""
        ...


class Batches(Generic[T]):
    """A bounded queue that a thread empties into an exporter.

    Args:
        export: Where batches go.
        weigh: How many bytes an item keeps; 0 if it is of the common size.
        what: The items, for the thread's name.
        delay: Seconds that an item may wait for its batch to fill.
        size: How many items a batch holds at most.
        limit: How many items may wait; further ones are dropped and counted.
        timeout: How long emptying the queue may take, in seconds.
    """

    def __init__(
        self,
        export: Exporting,
        weigh: Callable[[T], int],
        *,
        what: str,
        delay: float,
        size: int,
        limit: int,
        timeout: float,
    ) -> None:
        self.export = export
        self._weigh = weigh
        self.size = size
        self.limit = limit
        self._delay = delay
        self._timeout = timeout
        self._source: Source | None = None
        self._worker = Worker(f"qudag-otel-{what}", delay, self._work)
        self._start()

    def _start(self) -> None:
        self._queue: deque[T] = deque()
        self._light: deque[T] = deque()
        self._heavy = Tally()
        self._weights: dict[int, int] = {}
        self._closed = False
        self._ended = False
        self._resting = False
        self._awake = False
        self._armed = False
        self.began, self.came, self.calls = Tally(), Tally(), Tally()
        """What the SDK began; what came one by one, spans and records; finished calls."""
        self._accounted = 0  # what was lost when a flush told last
        self._delivered = True

    def gather_from(self, source: Source) -> None:
        """Fetch what waits elsewhere, a batch at a time, whenever there is room for it."""
        self._source = source
        source.tell(self)
        self._worker.look = min(_LOOK_SECONDS, max(self._delay, _LEAST_DELAY))
        self.rouse()

    # -- callers: any thread, signal handlers, destructors; no lock, no log line

    def put(self, item: T) -> None:
        """Queue an item; never blocks, never raises."""
        self.came.add(1)
        waiting = len(self._queue)
        if waiting >= self.limit or self._ended or not self._weighed(item):
            self._drop(1)
            return
        self._queue.append(item)
        self._tell(waiting + 1)

    def put_all(self, items: Sequence[T]) -> None:
        """Queue finished calls, most of which weigh next to nothing; never blocks, never raises.

        While the receiver takes what is sent, more may wait than the limit: calls are finished
        faster than any spans that the limit was made for.
        """
        self.calls.add(len(items))
        bound = self.limit if self.failing else max(self.limit, LIGHT_ITEMS)
        room = 0 if self._ended else max(0, bound - len(self._light))
        taken = [item for item in items[:room] if self._weighed(item)]
        self._light.extend(taken)
        if len(taken) < len(items):
            self._drop(len(items) - len(taken))
        self._tell(len(self._light))

    def _weighed(self, item: T) -> bool:
        """Account for the weight of an item, unless that is too much."""
        weight = self._weigh(item)
        if weight:
            if int(self._heavy) + weight > HEAVY_BYTES:
                return False
            self._heavy.add(weight)
            self._weights[id(item)] = weight
        return True

    @property
    def failing(self) -> bool:
        """Whether the last export failed: what waits here may well be lost."""
        return self.export.outage.failing

    def __len__(self) -> int:
        # In this order: what is fetched in between is counted twice, rather than not at all.
        waiting = 0 if self._source is None else self._source.waiting()
        return waiting + self._queued

    @property
    def _queued(self) -> int:
        return len(self._queue) + len(self._light)

    def rouse(self) -> None:
        """Look for what waits elsewhere from now on; safe anywhere."""
        if not self._armed:
            self._armed = True
            self._worker.arm()

    def wake(self) -> None:
        """Look now, because a batch may be full; safe anywhere."""
        if not self._awake:
            self._awake = True
            self._worker.wake()

    def _tell(self, waiting: int) -> None:
        # After the item is queued: the worker takes the flags back before it looks at the queue.
        self.rouse()
        if waiting >= self.size:
            self.wake()

    def _drop(self, items: int) -> None:
        self.export.ledger.drop(items, CLOSED if self._ended else QUEUE_FULL)

    # -- the worker's thread

    def _work(self, due: Due) -> None:
        self._awake = False
        everything = due is not Due.LOOK
        if everything:
            self._armed = False
        self.export.outage.dropping(self.limit)
        out_of_time = time.monotonic() + self._timeout
        ahead = len(self)  # what comes while it works goes with a later batch
        while ahead > 0 and (everything or len(self) >= self.size):
            # With the receiver gone each batch would wait for its turn to fail.
            if time.monotonic() > out_of_time or (self._closed and self.failing):
                break
            batch = self._take()
            if not batch:
                ahead = 0  # what waited was not sampled
                break
            self.export(batch, len(batch))
            self._trim()
            self._worker.read_clock()
            ahead -= len(batch)
        if due is Due.FLUSH:
            lost = self.export.ledger.lost
            self._delivered = lost == self._accounted and ahead <= 0
            self._accounted = lost
        self.export.outage.dropping(self.limit)
        if not self._closed:
            self._rest()

    def _take(self) -> list[T]:
        """The next batch; fewer than fit only if no more wait."""
        source = self._source
        while source is not None and self._queued < self.size:
            if not source.fetch(self.size - self._queued):
                break
        batch: list[T] = []
        for waiting in (self._queue, self._light):
            while waiting and len(batch) < self.size:
                item = waiting.popleft()
                self._lighten(item)
                batch.append(item)
        return batch

    def _lighten(self, item: T) -> None:
        if self._weights:
            self._heavy.add(-self._weights.pop(id(item), 0))

    def _trim(self) -> None:
        """Keep to the limit while the receiver takes nothing."""
        over = len(self._light) - self.limit
        if self.failing and over > 0:
            for _ in range(over):
                self._lighten(self._light.pop())
            self._drop(over)

    def _rest(self) -> None:
        """Sleep if there is nothing to do, and see to it that somebody wakes the thread."""
        resting = not self._queued and (self._source is None or self._source.rest())
        # Twice: a call that began just when the source came to rest is seen the second time.
        if not (resting and (self._resting or self._source is None)):
            self.rouse()
        self._resting = resting

    # -- the end of a set-up, a flush, a fork

    @property
    def cpu_seconds(self) -> float:
        """The CPU time that the thread has taken."""
        return self._worker.cpu_seconds

    def begin_flush(self) -> threading.Event:
        """Send what is queued; the event tells when that ended, `delivered` how."""
        return self._worker.begin_flush()

    @property
    def delivered(self) -> bool:
        """Whether the receiver has all that came between the last two flushes."""
        return self._delivered

    def begin_close(self, deadline: float) -> None:
        """Take nothing more and send what is queued; do not wait.

        Args:
            deadline: When to give up, on the monotonic clock.
        """
        if self._closed:
            return
        self._closed = True
        self.export.limit(deadline)
        self._worker.begin_close()

    def close(self, deadline: float) -> bool:
        """Wait for the end of what `begin_close` began, and say what is lost for good.

        Returns:
            Whether the receiver has everything that was ever recorded.
        """
        ended = self._worker.join(deadline - time.monotonic())
        self._ended = True
        self.export.close()
        ledger = self.export.ledger
        remaining = self._queued + (0 if ended else ledger.in_flight)
        self._queue.clear()
        self._light.clear()
        if remaining:
            ledger.drop(remaining, CLOSED)
        self.export.outage.ended(remaining)
        return ended and not ledger.lost

    def end(self) -> None:
        """Close as the SDK's provider asks; nothing if it was done before."""
        if self._closed:
            return
        deadline = time.monotonic() + CLOSE_SECONDS
        self.begin_close(deadline)
        self.close(deadline)

    def flushed(self, timeout: float) -> bool:
        """Flush and wait for it."""
        return self.begin_flush().wait(timeout) and self.delivered

    def after_fork(self) -> None:
        """Start empty in a child process: what is queued belongs to the parent, which sends it."""
        closed, ended = self._closed, self._ended
        self._start()
        self._closed, self._ended = closed, ended
        self.export.after_fork()
        self._worker.after_fork()
        if self._source is not None and not closed:
            self.rouse()


class BatchSpans(Batches[ReadableSpan], SpanProcessor):
    """The span processor over `Batches`."""

    def __init__(self, export: Exporting, **sizes: Any) -> None:
        super().__init__(export, weight_of_span, what="spans", **sizes)

    parents: tuple[Resource, ...] = ()
    """The resources of the processes that this one was forked from."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Count a span that is recorded."""
        del span, parent_context
        self.began.add(1)

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a span, if it is sampled."""
        context = span.context
        if context is not None and context.trace_flags.sampled and not self._inherited(span):
            self.put(span)
        else:
            self.came.add(1)

    def _inherited(self, span: ReadableSpan) -> bool:
        """Whether a span was open when this process was forked: its parent exports it."""
        return any(span.resource is theirs for theirs in self.parents)

    def shutdown(self) -> None:
        """Send what is queued and end, within `CLOSE_SECONDS`."""
        self.end()

    def force_flush(self, timeout_millis: int | None = None) -> bool:
        """Send what is queued."""
        return self.flushed(30.0 if timeout_millis is None else timeout_millis / 1000)


class BatchLogs(Batches[ReadableLogRecord], LogRecordProcessor):
    """The log record processor over `Batches`."""

    def __init__(self, export: Exporting, **sizes: Any) -> None:
        super().__init__(export, weight_of_record, what="logs", **sizes)

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Queue a record."""
        self.began.add(1)
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
        self.end()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Send what is queued."""
        return self.flushed(timeout_millis / 1000)
