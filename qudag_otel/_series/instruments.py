"""Metrics as OpenTelemetry instruments, through the API alone, of whatever provider is set."""

from __future__ import annotations

import functools
import os
import threading
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import metrics as metrics_api
from opentelemetry import trace as trace_api

from qudag_otel._otel.globals import release
from qudag_otel._otel.measure import collecting
from qudag_otel._series import drains
from qudag_otel._warnings import warn_once
from qudag_otel.catalogue import Instrument
from qudag_otel.catalogue import prefix as prefixes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation
    from opentelemetry.trace import Tracer

    from qudag_otel.catalogue import Metric

SCOPE: Final = "qudag_otel"
"""The instrumentation scope of everything that this package emits."""


@functools.cache
def scope_version() -> str:
    """The version of this package; loaded on use, as the metadata of packages takes a while."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("qudag-otel")
    except PackageNotFoundError:  # imported from a source tree that was never installed
        return "0"


if hasattr(os, "register_at_fork"):
    # A child must not inherit another thread's half-done import: its lock is never released there.
    os.register_at_fork(before=scope_version)


class _Made:
    """The meter of one provider and what was made of it."""

    __slots__ = ("instruments", "meter", "provider")

    def __init__(self, provider: MeterProvider) -> None:
        self.provider = provider
        self.meter = provider.get_meter(SCOPE, scope_version())
        self.instruments: dict[str, Any] = {}


_made: _Made | None = None


def _here() -> _Made:
    global _made  # noqa: PLW0603 - one provider at a time
    if _made is None:
        made = _Made(metrics_api.get_meter_provider())
        drains.watch(made.meter)
        _made = made
    return _made


def meter() -> Meter:
    """The meter that all metrics of the catalogue come from."""
    return _here().meter


def tracer() -> Tracer:
    """The tracer that all spans of this package come from."""
    return trace_api.get_tracer(SCOPE, scope_version())


_followers: list[Callable[[], None]] = []


def when_outdated(rebind: Callable[[], None]) -> None:
    """Have a function called where `follow` finds another provider."""
    _followers.append(rebind)


def follow() -> None:
    """See whether another provider has been set since instruments were made."""
    if _made is not None and metrics_api.get_meter_provider() is not _made.provider:
        for rebind in _followers:
            rebind()


def forget() -> None:
    """Make all instruments anew when they are next used."""
    global _made
    made, _made = _made, None
    if made is not None:
        release(made.meter)


def instrument(metric: Metric) -> Any:
    """The OpenTelemetry instrument of a metric that is recorded when things happen."""
    made = _here()
    found = made.instruments.get(metric.name)
    if found is None:
        # Not under a lock: the SDK gives the same one twice, and may log.
        found = made.instruments[metric.name] = _create(made.meter, metric)
    return found


class Names:
    """How the metrics of operations begin."""

    prefix = prefixes.DEFAULT


def exported(metric: Metric) -> str:
    """The OpenTelemetry name of a metric in this process."""
    return prefixes.named(metric, Names.prefix)


def _create(source: Meter, metric: Metric) -> object:
    name, unit, text = exported(metric), metric.unit, metric.description
    if metric.instrument is Instrument.COUNTER:
        return source.create_counter(name, unit, text)
    if metric.instrument is Instrument.UP_DOWN_COUNTER:
        return source.create_up_down_counter(name, unit, text)
    return source.create_histogram(
        name, unit, text, explicit_bucket_boundaries_advisory=list(metric.bounds) or None
    )


def observed(metric: Metric, read: Callable[[], Iterable[Observation]]) -> None:
    """Have the one asynchronous instrument of a metric, which reads all its observers.

    The SDK makes it under the lock that a collection holds: where one is under way, in this thread
    or in another, a thread of its own waits for its end.
    """
    follow()
    made = _here()
    if metric.name in made.instruments:
        return
    made.instruments[metric.name] = None  # ours to make

    def asked(_: CallbackOptions) -> Iterable[Observation]:
        return read()

    def make() -> None:
        create = {
            Instrument.COUNTER: made.meter.create_observable_counter,
            Instrument.UP_DOWN_COUNTER: made.meter.create_observable_up_down_counter,
            Instrument.GAUGE: made.meter.create_observable_gauge,
        }[metric.instrument]
        create(exported(metric), [asked], unit=metric.unit, description=metric.description)

    if not (drains.COLLECTING.now or collecting(made.provider)):
        make()
        return
    try:
        threading.Thread(target=make, name="qudag-otel-observe", daemon=True).start()
    except RuntimeError as error:  # the interpreter is about to end
        warn_once(f"observe:{metric.name}", "%s is not observed: %s", metric.name, error)
