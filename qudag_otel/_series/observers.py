"""What is read at each collection: observers of a metric, each asked for its series."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

from opentelemetry.metrics import Observation

from qudag_otel._foreign import interrupts
from qudag_otel._series.drains import COLLECTING
from qudag_otel._series.instruments import observed
from qudag_otel._series.labels import Labels, check, complete
from qudag_otel._series.values import number, shown
from qudag_otel._warnings import warn_once
from qudag_otel.catalogue import Instrument

if TYPE_CHECKING:
    from collections.abc import Generator

    from qudag_otel.catalogue import Metric

Observer: TypeAlias = Callable[[], Iterable[tuple[Labels, float]]]

# By the metric's name: the metric, and its observers in the order in which they came.
_observers: dict[str, tuple[Metric, dict[object, Callable[[], list[Observation]]]]] = {}


def usable(metric: Metric, value: object) -> float | None:
    """A value as it is exported; None, with one warning a metric, for one that cannot be."""
    found = number(value)
    least = lowest(metric)
    if found is not None and (least is None or found >= least):
        return found
    warn_once(
        f"value:{metric.name}",
        "%s got %s, which is not a %s; such values are dropped",
        metric.name,
        shown(value),
        "finite number" if least is None else f"finite number of {least:g} or more",
    )
    return None


def lowest(metric: Metric) -> float | None:
    """The least value that a metric takes; None if it takes any."""
    if metric.instrument in {Instrument.COUNTER, Instrument.HISTOGRAM}:
        return 0
    return metric.minimum


def observe(metric: Metric, callback: Observer) -> Callable[[], None]:
    """Have a metric read at each collection.

    Args:
        metric: A metric that is not a histogram.
        callback: Gives (labels, value) pairs; called at collection, possibly from any thread. If
            it raises, that is logged once and its values are missing from this collection.

    Returns:
        A function that ends the observation.
    """

    def checked() -> list[Observation]:
        found: list[Observation] = []
        for labels, given in callback():
            value = usable(metric, given)
            if value is not None:
                found.append(Observation(value, complete(metric, check(metric, labels))))
        return found

    return observe_raw(metric, checked)


def observe_raw(metric: Metric, callback: Callable[[], list[Observation]]) -> Callable[[], None]:
    """As `observe`, for a callback whose attributes are complete and checked already."""
    token = object()
    _, callbacks = _observers.setdefault(metric.name, (metric, {}))
    callbacks[token] = callback
    observed(metric, lambda: _read(metric))

    def stop() -> None:
        callbacks.pop(token, None)

    return stop


def _read(metric: Metric) -> list[Observation]:
    found: list[Observation] = []
    if _Silence.reigns:
        return found
    before, COLLECTING.now = COLLECTING.now, True
    try:
        for callback in list(_observers[metric.name][1].values()):
            try:
                found += callback()
            except BaseException as error:  # its failure must not end a scrape
                if interrupts(error):
                    raise
                warn_once(
                    f"observer:{metric.name}:{type(error).__name__}",
                    "an observer of %s failed and its values are missing: %s",
                    metric.name,
                    shown(error),
                )
    finally:
        COLLECTING.now = before
    return found


class _Silence:
    reigns = False


@contextlib.contextmanager
def silenced() -> Generator[None]:
    """Have no observer report until the block ends: what it knows was read already."""
    _Silence.reigns = True
    try:
        yield
    finally:
        _Silence.reigns = False


def rebind() -> None:
    """Have all observers read by the provider that is now set."""
    for metric, callbacks in list(_observers.values()):
        if callbacks:
            observed(metric, lambda metric=metric: _read(metric))  # type: ignore[misc]
