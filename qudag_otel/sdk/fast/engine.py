"""The fast path: all call sites bound to providers that `configure` made.

A finished call waits in its site's records. A collection of metrics, the thread that exports
spans, or a site with too many records drains them: durations go into the SDK's histograms in
bulk, sampled spans to the export queue.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import logging
import threading
import time
from types import MethodType
from typing import TYPE_CHECKING, Any, Final, Protocol

from opentelemetry.sdk.trace import TracerProvider

from qudag_otel._calls import plain
from qudag_otel._calls.outcome import Outcome
from qudag_otel._calls.plain import complain
from qudag_otel._calls.registry import bind_with
from qudag_otel._calls.timed import Priced
from qudag_otel._foreign import interrupts
from qudag_otel._otel.measure import BulkHistogram
from qudag_otel._otel.spans import root_bound, unlimited
from qudag_otel._series.drains import before_collection
from qudag_otel._series.series import HANDED
from qudag_otel.catalogue import metrics as m
from qudag_otel.instruments import SCOPE, exported, instrument, scope_version
from qudag_otel.sdk.fast.batch import SpanBatch, TimerBatch
from qudag_otel.sdk.fast.births import Births
from qudag_otel.sdk.fast.opening import open_timer, span_openers
from qudag_otel.sdk.fast.operations import said, says_error, silent
from qudag_otel.sdk.fast.price import probe
from qudag_otel.sdk.fast.site import RECORDS_LIMIT, FastSite, context_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import SpanProcessor

    from qudag_otel._calls.site import Site
    from qudag_otel.sdk.fast.call import FastSpan
    from qudag_otel.sdk.fast.opening import FastOpener

_LOGGER: Final = logging.getLogger("qudag_otel")
_DRIFT_NS: Final = 1_000_000
_EVERY_ID: Final = 1 << 64
_TIMED: Final = 0xF  # one look at a site's records of sixteen: one call of 4,096
_TIMED_FIRST: Final = 256  # every look, so that a quiet process knows its price, too
_VALUE: Final = 0.2  # of an empty call: docs/performance.md, `record_throughput` by `call`
_PATIENCE_SECONDS: Final = 5.0
_RECORDS_LEAST: Final = 512
_RECORDS_TOTAL: Final = 1 << 20
_GOOD: Final = 3  # the length of what a call without a span leaves that ended well


class Listener(Protocol):
    """Wants to know of calls that wait; safe to call anywhere."""

    def rouse(self) -> None:
        """There are calls again: look for them now and then."""
        ...

    def wake(self) -> None:
        """Many wait: look now."""
        ...


class Engine:
    """The fast path of one set-up.

    Args:
        tracer_provider: The SDK's tracer provider, with a sampler that `root_bound` knows and no
            processor but those behind `queues`; None leaves spans to the plain path.
        meter_provider: The SDK's meter provider.
        queues: Take sampled spans for export; none where traces are not exported.
    """

    def __init__(
        self,
        tracer_provider: TracerProvider | None,
        meter_provider: MeterProvider,
        queues: Sequence[Callable[[Sequence[Any]], None]],
    ) -> None:
        self.tracer: Any = None
        self.unlimited = False
        """Whether attributes are exported as they are: no limit makes them shorter or fewer."""
        self._openers: tuple[FastOpener, FastOpener] | None = None
        self._all = False
        if tracer_provider is not None:
            bound = root_bound(tracer_provider.sampler)
            if bound is not None:
                self._openers = span_openers(bound[0], follows=bound[1])
                self._all = bound[0] >= _EVERY_ID
            self.tracer = tracer_provider.get_tracer(SCOPE, scope_version())
            self.unlimited = unlimited(self.tracer)
        self.detours: list[str] = []
        """Why spans are left to the plain path."""
        self._queues = list(queues)
        self._listeners: list[Listener] = []
        self._cursor = 0
        self._fast: dict[Site, FastSite] = {}
        self.most = RECORDS_LIMIT
        """How many finished calls wait at a site: fewer where there are very many sites."""
        self.finished = {True: 0.0, False: 0.0}
        """Calls that were drained, with spans and without, each by its weight."""
        self._looks = itertools.count()
        self.drained_seconds = 0.0
        """CPU time that drains took of callers."""
        self.price = {False: probe(self, open_timer, spans=False)}
        if self._openers is not None:
            self.price[True] = probe(self, self._openers[1], spans=True)
        self._spent = self._expenses()
        self._stop: Callable[[], None] = _nothing
        self._draining = threading.Lock()
        self._offset = time.time_ns() - time.perf_counter_ns()
        histogram = meter_provider.get_meter(SCOPE, scope_version()).create_histogram(
            exported(m.OPERATION_DURATION),
            m.OPERATION_DURATION.unit,
            m.OPERATION_DURATION.description,
            explicit_bucket_boundaries_advisory=list(m.OPERATION_DURATION.bounds),
        )
        self._bulk: BulkHistogram | None = None
        self._births: Births | None = None
        try:
            self._bulk = BulkHistogram(meter_provider, histogram)
            self._births = Births(self._bulk)
        except AttributeError as error:
            # Slower and otherwise the same: nobody has to do anything about it.
            _LOGGER.debug("this release of the SDK takes measurements one by one: %r", error)

    def follow(self, queue: Callable[[Sequence[Any]], None]) -> None:
        """Export sampled spans of calls that are drained from now on through another queue."""
        self.drain_all()
        self._queues.append(queue)

    def install(self) -> None:
        """Bind all call sites."""
        bind_with(self._bind)
        # First, as what it counts waits in the series of errors.
        self._stop = before_collection(self.drain_all, first=True)

    def uninstall(self) -> None:
        """Bind all call sites to the plain path again, with everything drained."""
        self._stop()
        bind_with(plain.bind)
        self.drain_all()
        self.waiting()  # for what another thread has in hand

    def leave_spans(self, reason: str) -> None:
        """Give spans back to the SDK: somebody wants to see them start and end."""
        self.detours.append(reason)
        self._openers = None
        bind_with(self._bind)

    def _bind(self, site: Site) -> None:
        if self._births is not None:
            self._births.add(site)
        if site.options.spans and self._openers is None:
            plain.bind(site)
            return
        fast = FastSite(site, self)
        if site.options.spans:
            site.begin, site.start = (MethodType(one, fast) for one in self._openers or ())
            site.timed = None
        else:
            site.begin = site.start = MethodType(open_timer, fast)
            site.timed = fast  # pyright: ignore[reportAttributeAccessIssue] - `count` is C's
        self._fast[site] = fast
        share = _RECORDS_TOTAL // len(self._fast)
        self.most = max(_RECORDS_LEAST, min(RECORDS_LIMIT, share))

    def half(self, site: Site) -> FastSite:
        """The fast half of a site, also of one whose calls go another way by now."""
        found = self._fast.get(site)
        if found is None:
            found = self._fast[site] = FastSite(site, self)
        return found

    def _sites(self) -> list[FastSite]:
        return list(self._fast.values())

    def wall(self, reading: int) -> int:
        """A reading of the performance counter as nanoseconds since the epoch."""
        return reading + self._offset

    def relieve(self, fast: FastSite) -> None:
        """Drain a site on its caller's time, unless a drain is under way.

        Whoever calls may be a destructor or signal handler that interrupts that very drain.
        """
        if self._draining.acquire(blocking=False):
            began = time.thread_time()
            try:
                self._drain(fast)
            finally:
                self.drained_seconds += time.thread_time() - began
                self._draining.release()

    def sample(self, *, spans: bool) -> None:
        """Time an empty call of a kind where a real one begins, one time of a few."""
        price = self.price.get(spans)
        look = next(self._looks)
        if price is not None and (look < _TIMED_FIRST or not look & _TIMED):
            price.sample()

    def _expenses(self) -> list[Priced]:
        """What calls of both kinds have cost, and values that were recorded one by one."""
        prices = self.price
        calls = [
            Priced(functools.partial(self.finished.__getitem__, spans), price.seconds)
            for spans, price in prices.items()
        ]
        one = prices.get(True, prices[False])
        return [*calls, Priced(lambda: int(HANDED), lambda: _VALUE * one.seconds())]

    def cost_of_calls(self) -> float:
        """The CPU seconds that all calls so far took of their callers."""
        return self.drained_seconds + sum(spent.seconds for spent in self._spent)

    def drain_all(self) -> None:
        """Drain the records of all sites."""
        self._set_clock()
        if self._births is not None:
            self._births.deliver()
        for fast in self._sites():
            if fast.records:
                self.drain(fast)

    def _set_clock(self) -> None:
        offset = time.time_ns() - time.perf_counter_ns()
        if abs(offset - self._offset) > _DRIFT_NS:
            # Only when the system's clock was set: spans of one trace keep their order otherwise.
            self._offset = offset

    @contextlib.contextmanager
    def _alone(self) -> Generator[bool]:
        """While nobody else drains; what somebody has in hand is handed on before."""
        # Bounded: a destructor may run, and wait for this, inside of a drain of its own thread.
        alone = self._draining.acquire(timeout=_PATIENCE_SECONDS)
        try:
            yield alone
        finally:
            if alone:
                self._draining.release()

    def drain(self, fast: FastSite) -> None:
        """Move a site's finished calls into the histogram and the export queue."""
        with self._alone() as alone:
            if alone:
                self._drain(fast)

    def _drain(self, fast: FastSite, most: int | None = None) -> None:
        site, records = fast.site, fast.records
        try:
            with site.lock:
                count = len(records) if most is None else min(len(records), most)
                calls = records[:count]
                del records[:count]
                site.drained += count
            self.finished[site.options.spans] += count * site.weight
            if not calls:
                return
            if self._queues and site.options.spans:
                sampled = [call for call in calls if call.flags & 1]
                for queue in self._queues if sampled else ():
                    queue(sampled)
            groups = fast.noted(calls) if fast.notes else {site: calls}
            if site.options.metrics:
                for one, group in groups.items():
                    self._measure(one, group)
            if site.tally is not None:
                site.tally(calls, self._offset)
        except BaseException as error:  # views and reservoirs of somebody else
            if interrupts(error):
                raise
            complain(site, error)

    # -- as the source of the export queues

    def tell(self, listener: Listener) -> None:
        """Tell somebody of calls that wait from now on."""
        self._listeners.append(listener)

    def waiting(self) -> int:
        """How many finished calls with spans wait at their sites, and in no other drain's hand."""
        with self._alone():
            return sum([len(fast.records) for fast in self._sites() if fast.site.options.spans])

    def in_flight(self) -> int:
        """How many calls with recorded spans are under way; 0 if not every one is sampled."""
        if not self._all:
            return 0
        return sum([s.site.in_flight() or 0 for s in self._sites() if s.site.options.spans])

    def fetch(self, most: int) -> bool:
        """Drain at most so many calls, site after site; whether more wait."""
        self._set_clock()
        sites = self._sites()
        moved = 0
        with self._alone() as alone:
            for _ in range(len(sites) if alone else 0):
                self._cursor = (self._cursor + 1) % len(sites)
                fast = sites[self._cursor]
                if not fast.site.options.spans:
                    continue
                found = min(len(fast.records), most - moved)
                if found:
                    self._drain(fast, found)
                    moved += found
                    if moved >= most:
                        return True
        return False

    def rest(self) -> bool:
        """Whether no call waits or is under way; then the next one rouses the listeners."""
        sites = [fast for fast in self._sites() if fast.site.options.spans]
        if any(fast.records or fast.site.in_flight() for fast in sites):
            return False
        for fast in sites:
            fast.rest()
        return not any(fast.records for fast in sites)

    def rouse(self) -> None:
        """Tell the listeners that calls come again."""
        for listener in self._listeners:
            listener.rouse()

    def wake(self) -> None:
        """Tell the listeners that many calls wait."""
        for listener in self._listeners:
            listener.wake()

    def _measure(self, site: Site, calls: list[Any]) -> None:
        """Count the calls by their outcome, and the errors by their type."""
        timed = not site.options.spans
        good, other = _sorted_timed(calls) if timed else _sorted(calls)
        groups: dict[Outcome, list[Any]] = {Outcome.OK: good} if good else {}
        errors: dict[str, list[Any]] = {}
        for call, outcome, error in other:
            groups.setdefault(outcome, []).append(call)
            if error:
                errors.setdefault(error, []).append(call)
        kind = TimerBatch if timed else SpanBatch
        for outcome, ended in groups.items():
            self._record(site, kind(ended, self._offset), outcome)
        for error, failed in errors.items():
            span = failed[-1][2] if timed else failed[-1]
            site.count_error(error, context_of(span), len(failed))

    def _record(self, site: Site, batch: SpanBatch | TimerBatch, outcome: Outcome) -> None:
        labels = site.labels(outcome)
        if self._bulk is not None:
            self._bulk.record(batch, labels)
            return
        histogram: Any = instrument(m.OPERATION_DURATION)
        for index, value in enumerate(batch.values):
            histogram.record(value, labels, context=batch.context(index))

    def after_fork(self) -> None:
        """Start anew in a child process, whose sites are empty already."""
        if self._births is not None:
            self._births.again()
        self._draining = threading.Lock()
        self.finished = {True: 0.0, False: 0.0}
        self.drained_seconds = 0.0
        self._spent = self._expenses()
        self._fast = {
            site: fast for site, fast in self._fast.items() if fast.records is site.records
        }


def _nothing() -> None:
    """Stands in while nothing is installed."""


def _sorted(calls: list[FastSpan]) -> tuple[list[FastSpan], list[tuple[FastSpan, Outcome, str]]]:
    """Calls that ended well in their order, and the others with outcome and error type."""
    good = [
        call for call in calls if call.outcome is None and (call.more is None or silent(call.more))
    ]
    if len(good) == len(calls):
        return good, []
    ends = [(call, *_end(call)) for call in calls]
    good = [call for call, outcome, _ in ends if outcome is Outcome.OK]
    return good, [end for end in ends if end[1] is not Outcome.OK]


def _end(call: FastSpan) -> tuple[Outcome, str]:
    told = said(call.more)
    if told is not None:
        failure = call.failure if call.outcome else None
        return told[1], told[2] or ("" if failure is None else failure.type)
    if call.outcome is None or call.outcome is Outcome.OK:
        wrong = call.more is not None and says_error(call.more)
        return (Outcome.ERROR if wrong else Outcome.OK), ""
    return call.outcome, call.failure.type if call.failure is not None else ""


def _sorted_timed(calls: list[Any]) -> tuple[list[Any], list[tuple[Any, Outcome, str]]]:
    """As `_sorted`, for calls without spans."""
    good = [call for call in calls if len(call) == _GOOD]
    other = [call for call in calls if len(call) != _GOOD] if len(good) < len(calls) else []
    return good, [(call, call[3], call[4] if call[3] is Outcome.ERROR else "") for call in other]


class OurTracerProvider(TracerProvider):
    """The SDK's, which tells when the application adds a span processor to it."""

    when_extended: Callable[[SpanProcessor], None] | None = None
    before_flush: Callable[[float], bool] | None = None

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Add a processor; it sees every sampled span that starts from now on."""
        super().add_span_processor(span_processor)
        if self.when_extended is not None:
            self.when_extended(span_processor)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush all processors, after they were given what waits for them."""
        handed = self.before_flush is None or self.before_flush(timeout_millis / 1e3)
        return super().force_flush(timeout_millis) and handed
