"""A call site: everything about an instrumented operation that does not change between calls."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from opentelemetry.trace import Link, SpanKind

from qudag_otel import identity
from qudag_otel._calls.capture import PREFIX, shown
from qudag_otel._calls.outcome import Outcome
from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue import metrics as m
from qudag_otel.instruments import check, complete, series

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from qudag_otel.catalogue import Metric
    from qudag_otel.instruments import Series

Value: TypeAlias = str | bool | int | float
Values: TypeAlias = "tuple[Value | None, ...] | None"
"""What a call tells of itself: a value for each of its site's `varying` keys; None is left out."""

_NAMED: Final = (a.OPERATION.key, a.COMPONENT.key, a.NODE_ID.key)
_IDENTITY: Final[dict[str, Callable[[], str]]] = {
    identity.NODE_ATTRIBUTE: identity.node_id,
    identity.SWARM_ATTRIBUTE: identity.swarm_id,
}
_UNMADE: Final = (-1, None, None)
_ERRORS_LIMIT: Final = 1000
RELIEVE: Final = 0xFF
"""A mask: each time a site's count of starts has these bits zero, its records are looked at."""
RESERVED: Final = frozenset({
    a.OPERATION.key, a.COMPONENT.key, a.OUTCOME.key, a.ERROR_TYPE.key, "code.function.name",
    "error.type", "instance", "job", "le", "qudag.component", "qudag.outcome",
})  # fmt: skip
"""Attribute names that telemetry sets itself, or that Prometheus does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the decorator or a wrapper was told, checked; equal options share one site.

    Args:
        operation: The name of the span and the value of the label.
        component: The part of the program; empty if spans shall not say.
        function: The function's full name; empty if spans shall not say.
        attributes: Of every span and measurement.
        expected: Exceptions that are an outcome and no error.
        ends: Exceptions with which such a call ends well.
        kind: The span's.
        links: The span's.
        varying: Keys of span attributes whose values each call brings.
        late: Further keys, whose values follow those and are known when a call ends.
        identity: Span attributes that say which node or swarm this process is.
        metrics: Whether there are metrics.
        spans: Whether there is a span.
    """

    operation: str
    component: str = ""
    function: str = ""
    attributes: tuple[tuple[str, Value], ...] = ()
    expected: tuple[type[BaseException], ...] = ()
    ends: tuple[type[BaseException], ...] = ()
    kind: SpanKind = SpanKind.INTERNAL
    links: tuple[Link, ...] = ()
    varying: tuple[str, ...] = ()
    late: tuple[str, ...] = ()
    identity: tuple[str, ...] = ()
    metrics: bool = True
    spans: bool = True


class Call(Protocol):
    """One call under observation: what a site's `begin` gives, and `start` gives resumed.

    `given` is what it was begun with; it may be set anew before the call ends, with what is known
    only then added. `began` is a reading of `time.perf_counter_ns`.
    """

    @property
    def given(self) -> Values:
        """What it tells of itself."""
        ...

    @given.setter
    def given(self, values: Values, /) -> None: ...

    @property
    def seconds(self) -> float:
        """How long it has run, or did."""
        ...

    @property
    def began(self) -> int:
        """When it began, by `time.perf_counter_ns`."""
        ...

    @property
    def origin(self) -> Site | None:
        """The site that it is a call of; None if it leaves nothing."""
        ...

    @property
    def span(self) -> Span:
        """Its span; one that ignores everything if it has none."""
        ...

    def resume(self) -> None:
        """Make the call's span current."""

    def pause(self) -> None:
        """Give the context back as it was at `resume`, with what the body attached since."""

    def leave(self) -> None:
        """Give the context back, and record that the call ended well."""

    def fail(self, error: BaseException) -> None:
        """Give the context back, and record that the call ended with an exception."""

    def say(self, outcome: Outcome, error: str) -> None:
        """Keep how the body says that the call ends, however it does; the last word counts.

        Args:
            outcome: The outcome.
            error: The type of an error; if empty, that of the exception with which it ends.
        """

    def move(self, site: Site) -> None:
        """Make it a call of another site, which differs in the name of the operation."""


Opener: TypeAlias = Callable[["Values"], Call]


class Ended(Protocol):
    """A call that has ended, as the `tally` of its site is told of it.

    `outcome` is None if it ended well; `began` and `ended` are readings of `time.perf_counter_ns`,
    `flags` those of its trace.
    """

    @property
    def given(self) -> Values: ...
    @property
    def began(self) -> int: ...
    @property
    def ended(self) -> int: ...
    @property
    def flags(self) -> int: ...
    @property
    def outcome(self) -> Outcome | None: ...
    @property
    def span(self) -> Span: ...


Tally: TypeAlias = Callable[[Sequence[Ended], int], None]
"""Counts what calls have measured, some time after they ended; calls as many as there are at once.

Its second argument turns their clock into nanoseconds since the epoch.
"""


class Timed(Protocol):
    """What calls without a span leave their record with, once set-up owns the providers."""

    records: list[Any]
    notes: dict[int, Any]
    site: Site

    @property
    def count(self) -> Callable[[], int]:
        """Counts a start."""
        ...

    def relieve(self) -> None:
        """Look whether too many records wait; called every `RELIEVE` + 1 starts."""

    def time_failed(
        self, began: int, ended: int, around: Span | None, error: BaseException
    ) -> None:
        """Record a call that raised: clock readings in nanoseconds, the span around it."""

    def resumed(self, began: int, around: Span | None) -> Call:
        """A call that has begun already, to be ended later."""
        ...

    def note(self, began: int) -> Note:
        """What is said of the call that began then, while it runs."""
        ...


class Note(Protocol):
    """What is said of a call that left nothing yet but when it began."""

    said: tuple[Outcome, str] | None
    site: Site


class Site:
    """The state that all calls of one operation share.

    `begin` and `start` open a call; they are replaced when set-up owns the providers, and
    `records` is then what a finished call appends itself to, until it is drained.
    """

    __slots__ = (
        "_errors",
        "_labels",
        "_named",
        "begin",
        "drained",
        "ended",
        "forgotten",
        "lock",
        "options",
        "reads",
        "records",
        "start",
        "started",
        "tally",
        "timed",
        "weight",
    )

    begin: Opener
    start: Opener
    timed: Timed | None

    def __init__(self, options: Options) -> None:
        self.options = options
        self._named: tuple[str | None, ...] = ()
        if options.metrics:
            named = {a.OPERATION.key: options.operation, a.COMPONENT.key: options.component}
            node = dict(options.attributes).get(a.NODE_ID.key)
            if node is not None:
                named[a.NODE_ID.key] = str(node)
            # Through the catalogue's check, so that the number of operations stays bounded. A
            # process may have thousands of sites: what is easily made again is not kept.
            checked = check(m.OPERATION_ACTIVE, named)
            self._named = tuple(checked.get(key) for key in _NAMED)
        # Of calls in flight and of those that ended well, with the epoch of the identity they are
        # of: another thread must not see the one without the other.
        self._labels: tuple[int, dict[str, Value] | None, dict[str, Value] | None] = _UNMADE
        self._errors: dict[str, Series] | None = None
        self.timed = None
        self.tally: Tally | None = None
        """What else is measured of its calls; it lives as long as the process."""
        self.weight = 1.0
        """What a call costs, in empty ones: what surrounds it counts, too."""
        self.renew()

    def renew(self) -> None:
        """Start from nothing: no call in flight, none waiting.

        A call that is under way keeps what it began with, and ends nowhere: in the child of a
        forked process it is the parent's.
        """
        # Advanced by next() alone, which is one atomic step in every build of Python. They begin
        # anywhere, as the number of a call is the id of its span: counting is cheaper than drawing.
        first = int.from_bytes(os.urandom(8), "big") >> 3 & ~RELIEVE or RELIEVE + 1
        self.started = itertools.count(first)
        self.ended = itertools.count(first)
        self.records: list[Any] = []
        self.drained = 0
        self.reads = 0
        self.forgotten = -1
        self.lock = threading.Lock()

    @property
    def span_attributes(self) -> dict[str, Value]:
        """What every span of this site starts with."""
        options = self.options
        found: dict[str, Value] = {key: _IDENTITY[key]() for key in options.identity}
        if options.function:
            found["code.function.name"] = options.function
        if options.component:
            found["qudag.component"] = options.component
        for key, value in options.attributes:
            if key == a.NODE_ID.key:
                found[identity.NODE_ATTRIBUTE] = str(value)
            else:
                found[key] = value
        return found

    def attributes(self, values: Values) -> dict[str, Value]:
        """What a span of this site starts with, given the values of its call."""
        found = self.span_attributes
        for key, value in zip(self.options.varying, values or (), strict=False):
            if value is not None:
                argument = type(value) is str and key.startswith(PREFIX)
                found[key] = shown(key[len(PREFIX) :], value) if argument else value
        return found

    def late(self, values: Values) -> list[tuple[str, Value]]:
        """What a span of this site gets at its end, given the values of its call."""
        options = self.options
        pairs = zip(options.late, (values or ())[len(options.varying) :], strict=False)
        return [(key, value) for key, value in pairs if value is not None]

    def labels(self, outcome: Outcome | None = None) -> dict[str, Value]:
        """The metric attributes; without an outcome, those of the calls in flight."""
        epoch = identity.STATE.epoch
        made_at, active, well = self._labels
        if made_at != epoch:
            active = well = None
        if outcome is None:
            if active is None:
                active = self._make(m.OPERATION_ACTIVE, {})
                self._labels = (epoch, active, well)
            return active
        if outcome is Outcome.OK and well is not None:
            return well
        found = self._make(m.OPERATION_DURATION, {a.OUTCOME.key: outcome.value})
        if outcome is Outcome.OK:
            self._labels = (epoch, active, found)
        return found

    def _make(self, metric: Metric, more: dict[str, str]) -> dict[str, Value]:
        extra = {key: v for key, v in self.options.attributes if key != a.NODE_ID.key}
        return {**complete(metric, self._checked() | more), **extra}

    def _checked(self) -> dict[str, str]:
        return {key: v for key, v in zip(_NAMED, self._named, strict=True) if v is not None}

    def count_error(self, error_type: str, context: Context | None, amount: int = 1) -> None:
        """Count calls that ended in an error, in the context of the span of one of them."""
        errors = self._errors
        if errors is None:
            errors = self._errors = {}
        found = errors.get(error_type)
        if found is None:
            named = {k: v for k, v in self._checked().items() if k in m.ERRORS.attribute_keys}
            found = series(m.ERRORS, **named, error_type=error_type)
            if len(errors) < _ERRORS_LIMIT:
                errors[error_type] = found
        found.add(amount, context)

    def in_flight(self) -> int | None:
        """Calls that started and did not end; None if there was no call since a reset."""
        with self.lock:
            # Reading a count advances it, equally on both sides. Ends are read first: a call
            # that ends in between is counted a little too long, never below zero.
            ended = next(self.ended) + self.drained + len(self.records)
            started = next(self.started)
            self.reads += 1
            unused = started - self.reads < self.forgotten
            return None if unused and started == ended else started - ended

    def forget(self) -> None:
        """Report nothing until the next call; for tests."""
        with self.lock:
            next(self.ended)
            self.forgotten = next(self.started) - self.reads
            self.reads += 1
