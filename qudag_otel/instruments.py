"""Catalogue metrics as OpenTelemetry instruments, through the API alone.

`series()` binds a metric to its labels once; `observe()` registers what is read at collection.
Values and labels are checked here, so that no caller can break the application or the contract.
"""

from __future__ import annotations

import functools
import logging
import math
import os
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, TypeAlias, cast

from opentelemetry import metrics as metrics_api
from opentelemetry import trace as trace_api
from opentelemetry.metrics import Observation

from qudag_otel import identity
from qudag_otel._warnings import warn_once
from qudag_otel.catalogue import OTHER, Attribute, Instrument, Metric

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.metrics import CallbackOptions, Counter, Histogram, Meter, UpDownCounter
    from opentelemetry.metrics import _Gauge as Gauge  # the API has no public name for it yet
    from opentelemetry.trace import Tracer

SCOPE: Final = "qudag_otel"
"""The instrumentation scope of everything that this package emits."""

Labels: TypeAlias = Mapping[str, str]
Observer: TypeAlias = Callable[[], Iterable[tuple[Labels, float]]]

_LOGGER: Final = logging.getLogger("qudag_otel")
_IDENTITY: Final[dict[str, Callable[[], str]]] = {
    "node_id": identity.node_id,
    "swarm_id": identity.swarm_id,
}


@functools.cache
def scope_version() -> str:
    """The version of this package; loaded on use, as the metadata of packages takes a while."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("qudag-otel")
    except PackageNotFoundError:  # imported from a source tree that was never installed
        return "0"


_lock = threading.RLock()
_instruments: dict[str, object] = {}
_series: dict[tuple[object, ...], Series] = {}
_observers: dict[str, dict[object, Callable[[], list[Observation]]]] = {}
_values: dict[tuple[str, str], set[str]] = {}


def meter() -> Meter:
    """The meter that all metrics of the catalogue come from."""
    return metrics_api.get_meter(SCOPE, scope_version())


def tracer() -> Tracer:
    """The tracer that all spans of this package come from."""
    return trace_api.get_tracer(SCOPE, scope_version())


class Series:
    """A metric bound to its labels; made by `series()`, safe to share between threads."""

    __slots__ = ("_bound", "_epoch", "_labels", "_zeroed", "metric")

    def __init__(self, metric: Metric, labels: Labels) -> None:
        self.metric = metric
        self._labels = labels
        self._epoch = -1
        self._bound: dict[str, str] = {}
        self._zeroed = False

    @property
    def labels(self) -> Labels:
        """The labels as they are exported, identity included."""
        if self._epoch != identity.STATE.epoch:
            # Identity may be configured after a module bound its series.
            self._epoch = identity.STATE.epoch
            self._bound = complete(self.metric, self._labels)
        return self._bound

    def add(self, amount: float = 1, context: Context | None = None) -> None:
        """Add to a counter; `add(0)` makes the series exist before its first event.

        Args:
            amount: How much, in the metric's unit.
            context: What an exemplar names the span of; the current context by default.
        """
        if self._usable(amount):
            if amount == 0:
                self._zeroed = True
            counter = cast("Counter | UpDownCounter", instrument(self.metric))
            counter.add(amount, self.labels, context)

    def record(self, value: float, context: Context | None = None) -> None:
        """Record into a histogram.

        Args:
            value: The value, in the metric's unit.
            context: What an exemplar names the span of; the current context by default.
        """
        if self._usable(value):
            cast("Histogram", instrument(self.metric)).record(value, self.labels, context)

    def set(self, value: float) -> None:
        """Set a gauge, in the metric's unit."""
        if self._usable(value):
            cast("Gauge", instrument(self.metric)).set(value, self.labels)

    def initialise(self) -> None:
        """Send the initial zero again, to providers that were set after it was sent."""
        if self._zeroed:
            self.add(0)

    def _usable(self, value: float) -> bool:
        signed = self.metric.instrument in {Instrument.GAUGE, Instrument.UP_DOWN_COUNTER}
        return usable(self.metric, value, signed=signed)


def usable(metric: Metric, value: float, *, signed: bool) -> bool:
    """Whether a value can be exported; what cannot is dropped with one warning a metric.

    Args:
        metric: What it would be recorded into.
        value: The value, in the metric's unit.
        signed: Whether the instrument takes negative values.
    """
    if isinstance(value, (int, float)) and math.isfinite(value) and (signed or value >= 0):
        return True
    warn_once(
        f"value:{metric.name}",
        "%s got %r, which is not a %s; such values are dropped",
        metric.name,
        value,
        "finite number" if signed else "finite number of 0 or more",
    )
    return False


def series(metric: Metric, /, **labels: str) -> Series:
    """Bind a metric to labels.

    Args:
        metric: A metric of the catalogue.
        labels: A value for each of its labels; `node_id` and `swarm_id` default to the process's
            identity. A value that is not allowed, or one too many, is reported as "other".

    Raises:
        TypeError: A label is missing, or the metric does not have it.
    """
    key = (metric.name, *sorted(labels.items()))
    try:
        return _series[key]
    except KeyError:
        checked = check(metric, labels)
    except TypeError:  # an unhashable value
        return series(metric, **{name: str(value) for name, value in labels.items()})
    with _lock:
        # Keyed by what is exported, so that values beyond the limit share one series.
        return _series.setdefault((metric.name, *sorted(checked.items())), Series(metric, checked))


def observe(metric: Metric, callback: Observer) -> Callable[[], None]:
    """Have a metric read at each collection.

    Args:
        metric: A metric of the catalogue that is not a histogram.
        callback: Gives (labels, value) pairs; called at collection, possibly from any thread. If
            it raises, that is logged once and its values are missing from this collection.

    Returns:
        A function that ends the observation.
    """
    signed = metric.instrument is not Instrument.COUNTER

    def checked() -> list[Observation]:
        return [
            Observation(value, series(metric, **labels).labels)
            for labels, value in callback()
            if usable(metric, value, signed=signed)
        ]

    return observe_raw(metric, checked)


def observe_raw(metric: Metric, callback: Callable[[], list[Observation]]) -> Callable[[], None]:
    """As `observe`, for a callback whose attributes are complete and checked already."""
    token = object()
    with _lock:
        _observers.setdefault(metric.name, {})[token] = callback
    _asynchronous(metric)

    def stop() -> None:
        with _lock:
            _observers.get(metric.name, {}).pop(token, None)

    return stop


def instrument(metric: Metric) -> object:
    """The OpenTelemetry instrument of a metric that is recorded when things happen."""
    found = _instruments.get(metric.name)
    if found is None:
        with _lock:
            found = _instruments.get(metric.name)
            if found is None:
                found = _instruments[metric.name] = _create(metric)
    return found


def _create(metric: Metric) -> object:
    source, unit, text = meter(), metric.unit, metric.description
    if metric.instrument is Instrument.COUNTER:
        return source.create_counter(metric.name, unit, text)
    if metric.instrument is Instrument.UP_DOWN_COUNTER:
        return source.create_up_down_counter(metric.name, unit, text)
    if metric.instrument is Instrument.GAUGE:
        return source.create_gauge(metric.name, unit, text)
    return source.create_histogram(
        metric.name, unit, text, explicit_bucket_boundaries_advisory=list(metric.bounds)
    )


def _asynchronous(metric: Metric) -> None:
    """Create the one asynchronous instrument that serves all observers of a metric.

    Not under the lock: a collection that waits for it holds the SDK's, which creation needs.
    """
    with _lock:
        if metric.name in _instruments:
            return
        _instruments[metric.name] = None  # ours to make
    source = meter()
    create = {
        Instrument.COUNTER: source.create_observable_counter,
        Instrument.UP_DOWN_COUNTER: source.create_observable_up_down_counter,
        Instrument.GAUGE: source.create_observable_gauge,
    }[metric.instrument]

    def read(_: CallbackOptions) -> Iterable[Observation]:
        return _read(metric)

    _instruments[metric.name] = create(
        metric.name, [read], unit=metric.unit, description=metric.description
    )


def _read(metric: Metric) -> list[Observation]:
    with _lock:
        callbacks = list(_observers.get(metric.name, {}).values())
    found: list[Observation] = []
    for callback in callbacks:
        try:
            found += callback()
        except Exception as error:  # noqa: BLE001 - an observer's failure must not end a scrape
            warn_once(
                f"observer:{metric.name}:{type(error).__name__}",
                "an observer of %s failed and its values are missing: %r",
                metric.name,
                error,
            )
    return found


def check(metric: Metric, labels: Labels) -> dict[str, str]:
    """The labels with every value allowed, identity left out where the caller did not give it.

    Raises:
        TypeError: A label is missing, or the metric does not have it.
    """
    known = metric.attribute_keys
    unknown = sorted(set(labels) - set(known))
    missing = [key for key in known if key not in labels and key not in _IDENTITY]
    if unknown or missing:
        problem = f"has no label {unknown[0]!r}" if unknown else f"needs the label {missing[0]!r}"
        raise TypeError(f"{metric.name} {problem}; its labels are {', '.join(known)}")
    return {
        attribute.key: _allowed(metric, attribute, labels[attribute.key])
        for attribute in metric.attributes
        if attribute.key in labels
    }


def complete(metric: Metric, labels: Labels) -> dict[str, str]:
    """The labels in the catalogue's order, with the process's identity where none was given."""
    return {
        key: labels[key] if key in labels else _IDENTITY[key]() for key in metric.attribute_keys
    }


def _allowed(metric: Metric, attribute: Attribute, value: object) -> str:
    text = value if isinstance(value, str) else str(value)
    if attribute.values:
        if text in attribute.values:
            return text
        reason = f"is none of {', '.join(attribute.values)}"
    else:
        with _lock:
            seen = _values.setdefault((metric.name, attribute.key), set())
            if text in seen or text == OTHER:
                return text
            if len(seen) < attribute.limit:
                seen.add(text)
                return text
        reason = f"is one more than the {attribute.limit} values that a process may report"
    warn_once(
        f"label:{metric.name}:{attribute.key}",
        "%s: the value %.100r of the label %s %s; it is reported as %r",
        metric.name,
        text,
        attribute.key,
        reason,
        OTHER,
    )
    return OTHER


def initialise() -> None:
    """Bind everything to the providers that are now set; set-up calls it last."""
    with _lock:
        found = list(_series.values())
    for one in found:
        one.initialise()


_resets: list[Callable[[], None]] = []


def on_reset(forget: Callable[[], None]) -> None:
    """Have a function called by `reset`."""
    _resets.append(forget)


def reset() -> None:
    """Forget all instruments, series and label values; for tests that replace the providers.

    Observers stay registered, and series that somebody holds keep working: both bind again.
    """
    with _lock:
        _series.clear()
        _values.clear()
    for forget in _resets:
        forget()
    rebind()


def rebind() -> None:
    """Make all instruments anew: those of a provider that was shut down record nothing."""
    from qudag_otel.catalogue.metrics import METRICS

    with _lock:
        _instruments.clear()
        held = [metric for metric in METRICS if _observers.get(metric.name)]
    for metric in held:
        _asynchronous(metric)


def _after_fork() -> None:
    """Renew a lock that a thread of the parent may have held."""
    global _lock  # noqa: PLW0603 - a lock of another process cannot be released
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
