"""The fast path: all call sites bound to providers that `configure` made.

A finished call waits in its site's records. A collection of metrics, the thread that exports
spans, or a site with too many records drains them: durations go into the SDK's histograms in
bulk, sampled spans to the export queue.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from types import MethodType
from typing import TYPE_CHECKING, Any, Final, Protocol

from opentelemetry.sdk.trace import TracerProvider

from qudag_otel._calls import plain
from qudag_otel._calls.outcome import Outcome
from qudag_otel._calls.site import bind_with
from qudag_otel._otel.measure import BulkHistogram
from qudag_otel._otel.spans import root_bound, supported
from qudag_otel._warnings import warn_once
from qudag_otel.catalogue import metrics as m
from qudag_otel.instruments import SCOPE, instrument, scope_version
from qudag_otel.sdk.fast.batch import SpanBatch, TimerBatch
from qudag_otel.sdk.fast.call import open_timer, span_openers
from qudag_otel.sdk.fast.site import FastSite

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.trace import SpanProcessor

    from qudag_otel._calls.site import Site
    from qudag_otel.sdk.fast.call import FastOpener

_DRIFT_NS: Final = 1_000_000
_TRANSIT_SECONDS: Final = 1.0


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
        self._openers: tuple[FastOpener, FastOpener] | None = None
        if tracer_provider is not None:
            bound = root_bound(tracer_provider.sampler)
            if bound is not None:
                self._openers = span_openers(bound[0], follows=bound[1])
            self.tracer = tracer_provider.get_tracer(SCOPE, scope_version())
        self._queues = queues
        self._listeners: list[Listener] = []
        self._cursor = 0
        self._transit: deque[None] = deque()
        self._sites: list[FastSite] = []
        self._lock = threading.RLock()
        self._offset = time.time_ns() - time.perf_counter_ns()
        histogram = meter_provider.get_meter(SCOPE, scope_version()).create_histogram(
            m.OPERATION_DURATION.name,
            m.OPERATION_DURATION.unit,
            m.OPERATION_DURATION.description,
            explicit_bucket_boundaries_advisory=list(m.OPERATION_DURATION.bounds),
        )
        self._bulk: BulkHistogram | None = None
        try:
            self._bulk = BulkHistogram(meter_provider, histogram)
        except AttributeError as error:
            warn_once("bulk", "this release of the SDK takes measurements one by one: %r", error)

    def install(self) -> None:
        """Bind all call sites."""
        bind_with(self._bind, self.drain_all)

    def uninstall(self) -> None:
        """Bind all call sites to the plain path again, with everything drained."""
        bind_with(plain.bind)
        self.drain_all()
        deadline = time.monotonic() + _TRANSIT_SECONDS
        while self._transit and time.monotonic() < deadline:
            time.sleep(0.001)  # what another thread has taken and not handed on yet

    def leave_spans(self) -> None:
        """Give spans back to the SDK: somebody wants to see them start and end."""
        self._openers = None
        bind_with(self._bind, self.drain_all)

    def _bind(self, site: Site) -> None:
        fast = FastSite(site, self)
        site.timed = None
        if not site.options.spans:
            site.begin = site.start = MethodType(open_timer, fast)
            site.timed = fast
        elif self._openers is not None:
            site.begin, site.start = (MethodType(opener, fast) for opener in self._openers)
        else:
            plain.bind(site)
            return
        with self._lock:
            self._sites.append(fast)

    def wall(self, reading: int) -> int:
        """A reading of the performance counter as nanoseconds since the epoch."""
        return reading + self._offset

    def drain_all(self) -> None:
        """Drain the records of all sites."""
        self._set_clock()
        with self._lock:
            sites = list(self._sites)
        for fast in sites:
            if fast.records:
                self.drain(fast)

    def _set_clock(self) -> None:
        offset = time.time_ns() - time.perf_counter_ns()
        if abs(offset - self._offset) > _DRIFT_NS:
            # Only when the system's clock was set: spans of one trace keep their order otherwise.
            self._offset = offset

    def drain(self, fast: FastSite, most: int | None = None) -> None:
        """Move a site's finished calls into the histogram and the export queue.

        Args:
            fast: The site.
            most: Of how many calls at most.
        """
        site, records = fast.site, fast.records
        self._transit.append(None)
        try:
            with site.lock:
                count = len(records) if most is None else min(len(records), most)
                calls = records[:count]
                del records[:count]
                site.drained += count
            if not calls:
                return
            if self._queues and site.options.spans:
                sampled = [call for call in calls if call.full is None and call.flags & 1]
                for queue in self._queues if sampled else ():
                    queue(sampled)
            if site.options.metrics:
                try:
                    self._measure(site, calls)
                except Exception as error:  # noqa: BLE001 - a view's reservoir may be anybody's
                    warn_once(
                        f"measure:{type(error).__name__}",
                        "durations of %s are not all measured: %s", site.options.operation,
                        type(error).__qualname__,
                    )  # fmt: skip
        finally:
            self._transit.pop()

    # -- as the source of the export queues

    def tell(self, listener: Listener) -> None:
        """Tell somebody of calls that wait from now on."""
        self._listeners.append(listener)

    def waiting(self) -> int:
        """How many finished calls with spans wait at their sites."""
        return sum([len(fast.records) for fast in self._sites if fast.site.options.spans])

    def fetch(self, most: int) -> bool:
        """Drain at most so many calls, site after site; whether more wait."""
        self._set_clock()
        sites = self._sites
        moved = 0
        for _ in range(len(sites)):
            self._cursor = (self._cursor + 1) % len(sites)
            fast = sites[self._cursor]
            if not fast.site.options.spans:
                continue
            found = min(len(fast.records), most - moved)
            if found:
                self.drain(fast, found)
                moved += found
                if moved >= most:
                    return True
        return False

    def rest(self) -> bool:
        """Whether no call waits or is under way; then the next one rouses the listeners."""
        sites = [fast for fast in self._sites if fast.site.options.spans]
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
        kind = SpanBatch if site.options.spans else TimerBatch
        batch = kind(calls, self._offset)
        labels = site.labels(Outcome.OK)
        if self._bulk is not None:
            self._bulk.record(batch, labels)
            return
        histogram: Any = instrument(m.OPERATION_DURATION)
        for index, value in enumerate(batch.values):
            histogram.record(value, labels, context=batch.context(index))

    def after_fork(self) -> None:
        """Start empty in a child process: what is in the lists belongs to the parent."""
        self._transit.clear()
        self._lock = threading.RLock()
        for fast in self._sites:
            fast.forget()


class OurTracerProvider(TracerProvider):
    """The SDK's, which tells when the application adds a span processor to it."""

    when_extended: Callable[[], None] | None = None

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Add a processor; it sees every sampled span that starts from now on."""
        super().add_span_processor(span_processor)
        if self.when_extended is not None:
            self.when_extended()


def fast_spans(tracer_provider: TracerProvider) -> bool:
    """Whether the fast form can stand for the spans of a tracer provider."""
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

    return (
        supported()
        and type(tracer_provider.id_generator) is RandomIdGenerator
        and root_bound(tracer_provider.sampler) is not None
    )
