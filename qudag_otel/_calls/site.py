"""A call site: everything about an instrumented operation that does not change between calls."""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeAlias

from opentelemetry.metrics import Observation
from opentelemetry.trace import Link, SpanKind

from qudag_otel import identity
from qudag_otel._calls import plain
from qudag_otel._calls.outcome import Outcome
from qudag_otel._warnings import warn_once
from qudag_otel.catalogue import OTHER
from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue import metrics as m
from qudag_otel.instruments import check, complete, observe_raw, on_reset, series

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from qudag_otel.catalogue import Metric
    from qudag_otel.instruments import Series

Value: TypeAlias = str | bool | int | float
Attributes: TypeAlias = Mapping[str, Value]

_SITES_LIMIT: Final = 10_000
_NAMED: Final = (a.OPERATION.key, a.COMPONENT.key, a.NODE_ID.key)
RELIEVE: Final = 0xFF
"""A mask: each time a site's count of starts has these bits zero, its records are looked at."""
RESERVED: Final = frozenset({
    a.OPERATION.key, a.COMPONENT.key, a.OUTCOME.key, a.ERROR_TYPE.key, "code.function.name",
    "error.type", "instance", "job", "le", "qudag.component", "qudag.outcome",
})  # fmt: skip
"""Attribute names that telemetry sets itself, or that Prometheus does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the decorator was told, checked; equal options share one site."""

    operation: str
    component: str
    function: str
    attributes: tuple[tuple[str, Value], ...] = ()
    expected: tuple[type[BaseException], ...] = ()
    kind: SpanKind = SpanKind.INTERNAL
    links: tuple[Link, ...] = ()
    metrics: bool = True
    spans: bool = True


class Call(Protocol):
    """One call under observation: what a site's `begin` gives, and `start` gives resumed."""

    def resume(self) -> None:
        """Make the call's span current."""

    def pause(self) -> None:
        """Give the context back as it was at `resume`."""

    def leave(self) -> None:
        """Pause, and record that the call ended well."""

    def fail(self, error: BaseException) -> None:
        """Pause, and record that the call ended with an exception."""


Opener: TypeAlias = Callable[["Attributes | None"], Call]


class Timed(Protocol):
    """What calls without a span leave their record with, once set-up owns the providers."""

    def relieve(self) -> None:
        """Look whether too many records wait; called every `RELIEVE` + 1 starts."""

    def time_failed(
        self, began: int, ended: int, around: Span | None, error: BaseException
    ) -> None:
        """Record a call that raised: clock readings in nanoseconds, the span around it."""


class Site:
    """The state that all calls of one operation share.

    `begin` and `start` open a call; they are replaced when set-up owns the providers, and
    `records` is then what a finished call appends itself to, until a collection drains it.
    """

    __slots__ = (
        "_errors",
        "_labels",
        "_labels_epoch",
        "_named",
        "_ok_labels",
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
        "timed",
    )

    begin: Opener
    start: Opener
    timed: Timed | None

    def __init__(self, options: Options) -> None:
        self.options = options
        named = {a.OPERATION.key: options.operation, a.COMPONENT.key: options.component}
        node = dict(options.attributes).get(a.NODE_ID.key)
        if node is not None:
            named[a.NODE_ID.key] = str(node)
        # Through the catalogue's check, so that the number of operations stays bounded. A process
        # may have thousands of sites: what is easily made again is not kept.
        checked = check(m.OPERATION_ACTIVE, named)
        self._named = tuple(checked.get(key) for key in _NAMED)
        self._labels: dict[str, Value] | None = None
        self._ok_labels: dict[str, Value] | None = None
        self._labels_epoch = -1
        self._errors: dict[str, Series] | None = None
        # Advanced by next() alone, which is one atomic step in every build of Python.
        self.started = itertools.count()
        self.ended = itertools.count()
        self.records: list[Any] = []
        self.timed = None
        self.drained = 0
        self.reads = 0
        self.forgotten = -1
        self.lock = threading.Lock()

    @property
    def span_attributes(self) -> dict[str, Value]:
        """What every span of this site starts with."""
        options = self.options
        found: dict[str, Value] = {
            "code.function.name": options.function,
            "qudag.component": options.component,
        }
        for key, value in options.attributes:
            if key == a.NODE_ID.key:
                found[identity.NODE_ATTRIBUTE] = str(value)
            else:
                found[key] = value
        return found

    def labels(self, outcome: Outcome | None = None) -> dict[str, Value]:
        """The metric attributes; without an outcome, those of the calls in flight."""
        if self._labels_epoch != identity.STATE.epoch:
            self._labels = self._ok_labels = None
            self._labels_epoch = identity.STATE.epoch
        if outcome is None:
            self._labels = found = self._labels or self._make(m.OPERATION_ACTIVE, {})
            return found
        if outcome is not Outcome.OK:
            return self._make(m.OPERATION_DURATION, {a.OUTCOME.key: outcome.value})
        self._ok_labels = found = self._ok_labels or self._make(
            m.OPERATION_DURATION, {a.OUTCOME.key: outcome.value}
        )
        return found

    def _make(self, metric: Metric, more: dict[str, str]) -> dict[str, Value]:
        extra = {key: v for key, v in self.options.attributes if key != a.NODE_ID.key}
        return {**complete(metric, self._checked() | more), **extra}

    def _checked(self) -> dict[str, str]:
        return {key: v for key, v in zip(_NAMED, self._named, strict=True) if v is not None}

    def count_error(self, error_type: str, context: Context | None) -> None:
        """Count a call that ended in an error, in the context of its span."""
        if self._errors is None:
            self._errors = {}
        found = self._errors.get(error_type)
        if found is None:
            named = {k: v for k, v in self._checked().items() if k in m.ERRORS.attribute_keys}
            found = self._errors[error_type] = series(m.ERRORS, **named, error_type=error_type)
        found.add(1, context)

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


_sites: dict[Options, Site] = {}
_lock = threading.Lock()
_binders: list[Callable[[Site], None]] = [plain.bind]
_drains: list[Callable[[], None]] = []


def site_for(options: Options) -> Site:
    """The site of these options, made and bound on first use."""
    with _lock:
        found = _sites.get(options)
        if found is not None:
            return found
        if len(_sites) >= _SITES_LIMIT:
            warn_once(
                "sites",
                "more than %d different operations are instrumented; %r and those that follow "
                "are reported as %r. Name operations after code, not after data.",
                _SITES_LIMIT,
                options.operation,
                OTHER,
            )
            options = replace(options, operation=OTHER, attributes=(), links=())
            found = _sites.get(options)
            if found is not None:
                return found
        found = _sites[options] = Site(options)
        _binders[-1](found)
        if len(_sites) == 1:
            observe_raw(m.OPERATION_ACTIVE, _active)
    return found


def bind_with(binder: Callable[[Site], None], drain: Callable[[], None] | None = None) -> None:
    """Bind all sites, present and future, with another kind of call.

    Args:
        binder: Sets a site's `begin` and `start`.
        drain: Called before each collection, to count what waits in the sites' records.
    """
    with _lock:
        _binders[:] = [binder]
        _drains[:] = [drain] if drain else []
        for site in _sites.values():
            binder(site)


def all_sites() -> list[Site]:
    """Every site so far."""
    with _lock:
        return list(_sites.values())


def _active() -> list[Observation]:
    """Calls in flight by label set: sites that differ in their spans only are one series."""
    for drain in _drains:
        drain()
    totals: dict[tuple[tuple[str, Value], ...], int] = {}
    for site in all_sites():
        if site.options.metrics:
            in_flight = site.in_flight()
            if in_flight is not None:
                key = tuple(site.labels().items())
                totals[key] = totals.get(key, 0) + in_flight
    return [Observation(total, dict(key)) for key, total in totals.items()]


def _forget() -> None:
    for site in all_sites():
        site.forget()


on_reset(_forget)


def _after_fork() -> None:
    """Renew locks that a thread of the parent may have held."""
    global _lock  # noqa: PLW0603 - a lock of another process cannot be released
    _lock = threading.Lock()
    for site in _sites.values():
        site.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
