"""A metric bound to its labels: what `add`, `record` and `set` leave, and how it is handed on.

A value is appended to a list, and that is all. Before a collection, or at `LIMIT` values, the list
goes into the SDK's own storage at once, so that views, temporality, the cardinality limit,
exemplars and start times are the SDK's. Where the provider is not the SDK's, or its storage is
not as it is known, values go through the API one by one.

No value waits for a lock: it may be recorded at any moment, in a signal handler, in `__del__`,
by an observer, while this very thread collects.
"""

from __future__ import annotations

import _thread
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

from opentelemetry import trace as trace_api
from opentelemetry.context import Context

from qudag_otel import identity
from qudag_otel._foreign import interrupts
from qudag_otel._otel.context import CURRENT, SPAN_KEY, SUPPORTED
from qudag_otel._otel.measure import Target, is_sdks, target
from qudag_otel._series import gauges, instruments, labels, observers
from qudag_otel._series.sums import Tally
from qudag_otel._series.values import HIGHEST, PLAIN, shown
from qudag_otel._series.waiting import Waiting
from qudag_otel._warnings import warn_once
from qudag_otel.catalogue import Instrument

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.trace import Span

    from qudag_otel._series.labels import Labels
    from qudag_otel.catalogue import Metric

LIMIT: Final = 512
"""How many values wait before one that records hands them on itself."""

_MOST: Final = 1 << 20  # 8 MB; never reached but where the SDK is stuck in a collection
_LOOKS: Final = 512
"""After each collection this many additions look for a sampled span, for an exemplar; a counter
that is added to less often has exact ones."""
_FOUND: Final = 32  # what one that is found costs of these
_GLANCES: Final = 4  # as many again each time that `LIMIT` values were handed on in between
_ALWAYS: Final = 1 << 60
_PATIENCE: Final = 0.2  # seconds that a collection waits for somebody who hands values on
_PATIENCE_WITH_THREADS: Final = 2.0
_ONE: Final = 1
_UNBOUND: Final[tuple[int, dict[str, str]]] = (-1, {})

HANDED: Final = Tally()
"""How many values were handed on of those that were recorded one by one."""

_current = CURRENT.get
_now = time.time_ns


class Made(Protocol):
    """A call that values were measured of."""

    @property
    def ended(self) -> int:
        """When it ended, by a clock of its own, in nanoseconds."""
        ...

    @property
    def flags(self) -> int:
        """The flags of its trace."""
        ...

    @property
    def span(self) -> Span:
        """Its span."""
        ...


class Series:
    """A metric bound to its labels; made by `series()`, safe to share between threads."""

    __slots__ = (
        "__weakref__",
        "_aside",
        "_bound",
        "_given",
        "_holder",
        "_lock",
        "_opened",
        "_target",
        "least",
        "marked",
        "metric",
        "records",
        "value",
        "zeroed",
    )

    def __init__(self, metric: Metric, given: Labels) -> None:
        self.metric = metric
        self._given = given
        self._bound = _UNBOUND
        self._lock = threading.Lock()
        self._holder = 0
        self.zeroed = False
        self.value: float | None = None
        """What a gauge shows."""
        least = observers.lowest(metric)
        self.least = -HIGHEST if least is None else least
        """The least value that is let through."""
        if metric.instrument is Instrument.GAUGE:
            self.least = HIGHEST * 2  # none before it is observed
        self.records: list[float] = []
        self.marked: list[tuple[float, Span, int]] = []
        self.unbind()

    def unbind(self) -> None:
        """Look the instrument up again before the next value goes on."""
        self._target: Target | None = None
        self._opened = False
        # Truthy while values need more than being appended: how many times, for a counter.
        self._aside = _ALWAYS

    @property
    def labels(self) -> dict[str, str]:
        """The labels as they are exported, identity included."""
        epoch, bound = self._bound
        if epoch != identity.STATE.epoch:
            # Both at once: another thread must not see the one without the other.
            epoch = identity.STATE.epoch
            bound = labels.complete(self.metric, self._given)
            self._bound = (epoch, bound)
        return bound

    def add(self, amount: float = 1, context: Context | None = None) -> None:
        """Add to a counter; `add(0)` makes the series exist before its first event.

        Args:
            amount: How much, in the metric's unit.
            context: What an exemplar names the span of; the current context by default.
        """
        if self._aside or (
            amount is not _ONE and (amount.__class__ not in PLAIN or not amount >= self.least)
        ):
            self._put(amount, context)
            return
        records = self.records
        records.append(amount)
        if len(records) > LIMIT:
            self._relieve()

    def record(self, value: float, context: Context | None = None) -> None:
        """Record into a histogram.

        Args:
            value: The value, in the metric's unit.
            context: What an exemplar names the span of; the current context by default.
        """
        if self._aside or value.__class__ not in PLAIN or not value >= 0:
            self._put(value, context)
            return
        span: Any = (_current() if context is None else context).get(SPAN_KEY)
        if span is None:
            records: list[Any] = self.records
            records.append(value)
        else:
            records = self.marked
            records.append((value, span, _now()))
        if len(records) > LIMIT:
            self._relieve()

    def set(self, value: float) -> None:
        """Set a gauge, in the metric's unit; it shows this until it is set again."""
        try:
            if self.least <= value <= HIGHEST:
                self.value = value
                return
        except BaseException as odd:  # no number, which is told below
            if interrupts(odd):
                raise
        found = observers.usable(self.metric, value)
        if found is not None:
            gauges.show(self)
            self.value = found

    def take(self, values: Sequence[float], calls: Sequence[Made], offset: int) -> None:
        """Record a value for each of some calls that have ended, in its own context.

        Args:
            values: Numbers that can be exported, at least one.
            calls: The calls.
            offset: What turns their clock into nanoseconds since the epoch.
        """
        target = self._target
        if self._aside == _ALWAYS or target is None or target.offers == "every":
            for value, call in zip(values, calls, strict=True):
                self._put(value, trace_api.set_span_in_context(call.span, Context()))
            return
        waiting = len(self.records) + len(self.marked)
        if self.metric.instrument is Instrument.HISTOGRAM:
            times = zip(values, calls, strict=True)
            self.marked += [(value, one.span, one.ended + offset) for value, one in times]
        else:
            last = next((one for one in reversed(calls) if one.flags & 1), None)
            if last is None:
                self.records.append(sum(values))
            else:  # all but one exemplar of a batch would be replaced by the next
                self.records += [sum(values[:-1])] if len(values) > 1 else []
                self.marked.append((values[-1], last.span, last.ended + offset))
        HANDED.add(waiting - len(self.records) - len(self.marked))  # not on a caller's time
        if len(self.records) > LIMIT or len(self.marked) > LIMIT:
            self._relieve()

    # -- on the way

    def _put(self, value: object, context: Context | None) -> None:
        """Take a value that needs more than being appended, or might."""
        aside = self._aside
        looks = value is _ONE and context is None and 0 < aside <= _LOOKS
        if looks and _current().get(SPAN_KEY) is None:
            self._aside = aside - 1  # no span; what threads get wrong here, `_settle` mends
            self.records.append(_ONE)
            return
        found = observers.usable(self.metric, value)
        if found is None:
            return
        self.zeroed = self.zeroed or found == 0
        try:
            if self._ready() and self._target is not None:
                self._mark(found, context, self._target.offers)
            else:
                self._slowly(found, context)
        except BaseException as error:  # providers and contexts are somebody else's
            if interrupts(error):
                raise
            _lost(self.metric, error)

    def _mark(self, value: float, context: Context | None, offers: str) -> None:
        """Append a value, with its span if that may become an exemplar."""
        span = trace_api.get_current_span(context)
        marked = offers == "every" or span.get_span_context().trace_flags.sampled
        if marked:
            self.marked.append((value, span, _now()))
        else:
            self.records.append(value)
        self._settle(marked=marked)
        if len(self.records) > LIMIT or len(self.marked) > LIMIT:
            self._relieve()

    def _slowly(self, value: float, context: Context | None) -> None:
        """Through the API, unless this thread is just making the instrument.

        The SDK takes locks, which this thread may hold, interrupted: values wait for a collection.
        """
        if not _binding.acquire(blocking=False):
            self.records.append(value)
            return
        try:
            instrument = instruments.instrument(self.metric)
        finally:
            _binding.release()
        if is_sdks(instrument):
            self._mark(value, context, "sampled")
        else:
            self._send(instrument, value, context)

    def _send(self, instrument: Any, value: float, context: Context | None) -> None:
        if self.metric.instrument is Instrument.HISTOGRAM:
            instrument.record(value, self.labels, context)
        else:
            instrument.add(value, self.labels, context)

    def _ready(self) -> bool:
        """Bind to the instrument that is now; False where it is being made."""
        if self._opened:
            return True
        instruments.follow()
        if not _binding.acquire(blocking=False):
            return False  # by this thread, interrupted, or by another that will be done soon
        try:
            made = instruments.instrument(self.metric)
            self._target = target(made, self.labels) if SUPPORTED else None
            self._opened = self._target is not None and self._target.open(wait=False)
        finally:
            _binding.release()
        return True

    def _settle(self, *, marked: bool) -> None:
        """Let the next values be appended, as soon as they may be."""
        if self._target is None or not self._opened or self._target.offers == "every":
            return
        if self.metric.instrument is Instrument.HISTOGRAM or self._target.offers == "none":
            self._aside = 0
        else:
            self._aside = max(0, min(self._aside, _LOOKS) - (_FOUND if marked else 1))

    # -- handing on

    def _relieve(self) -> None:
        """Hand on what waits, on the time of one that records: never wait for anything."""
        if self._target is None:
            # No Thread: that takes a lock of the interpreter's, which this thread may hold.
            _thread.start_new_thread(self.drain, ())
        elif self._lock.acquire(blocking=False):
            self._holder = _thread.get_ident()
            try:
                bad = self._hand_on(wait=False)
                self._look(_GLANCES)
            finally:
                self._lock.release()
            self._complain(bad)
        for records in (self.records, self.marked):
            if len(records) > _MOST:
                del records[:LIMIT]
                _lost(self.metric, "the SDK takes none")

    def drain(self) -> None:
        """Hand on what waits; a collection follows."""
        if not self._lock.acquire(timeout=_PATIENCE):
            # Held by one that this collection interrupted, or by a thread that is slow.
            own = self._holder == _thread.get_ident()
            if own or not self._lock.acquire(timeout=_PATIENCE_WITH_THREADS):
                return
        self._holder = _thread.get_ident()
        try:
            bad = self._hand_on(wait=True)
            self._look(_LOOKS)
        finally:
            self._lock.release()
        self._complain(bad)

    def _look(self, times: int) -> None:
        """Have the next additions to a counter look for a span."""
        if self._opened and self._aside < times:
            self._aside = times
            self._settle(marked=False)

    def _hand_on(self, *, wait: bool) -> list[float]:
        """Hand on, holding the lock; gives what could not be exported."""
        plain, marked = len(self.records), len(self.marked)
        bad: list[float] = []
        try:
            if not plain + marked or not self._ready():
                return bad
            batch = Waiting(self.records[:plain], self.marked[:marked])
            if self._target is None:
                instrument = instruments.instrument(self.metric)
                for index, value in enumerate(batch.values):
                    self._send(instrument, value, batch.context(index))
            elif batch.values and not self._target.take(batch, wait=wait):
                return bad
            bad = batch.bad
        except BaseException as error:  # the provider is somebody else's
            if interrupts(error):
                raise
            _lost(self.metric, error)
        del self.records[:plain]
        del self.marked[:marked]
        HANDED.add(plain + marked)
        return bad

    def _complain(self, bad: list[float]) -> None:
        for value in bad[:1]:
            observers.usable(self.metric, value)

    # -- for the registry

    def initialise(self) -> None:
        """Send the initial zero again, to providers that were set after it was sent."""
        if self.zeroed:
            self.add(0)

    def forget(self) -> None:
        """Forget what was recorded and is not handed on."""
        self.records.clear()
        self.marked.clear()
        self.value = None
        self.zeroed = False

    def renew(self) -> None:
        """Start empty in a forked child."""
        self._lock = threading.Lock()
        self.forget()
        self.unbind()


class Off(Series):
    """A series where nothing is to be recorded: the disabled form of any."""

    __slots__ = ()

    def add(self, amount: float = 1, context: Context | None = None) -> None:
        """Nothing."""

    def record(self, value: float, context: Context | None = None) -> None:
        """Nothing."""

    def set(self, value: float) -> None:
        """Nothing."""

    def take(self, values: Sequence[float], calls: Sequence[Made], offset: int) -> None:
        """Nothing."""


_binding = threading.Lock()


def after_fork() -> None:
    """Renew a lock that a thread of the parent may have held."""
    global _binding  # noqa: PLW0603 - a lock of another process cannot be released
    _binding = threading.Lock()


def _lost(metric: Metric, reason: object) -> None:
    warn_once(f"lost:{metric.name}", "measurements of %s are lost: %s", metric.name, shown(reason))
