"""Gauges: the latest value of each series, read at each collection."""

from __future__ import annotations

import threading
import weakref
from typing import TYPE_CHECKING

from opentelemetry.metrics import Observation

from qudag_otel._series import observers
from qudag_otel._series.values import HIGHEST, number

if TYPE_CHECKING:
    from qudag_otel._series.series import Series
    from qudag_otel.catalogue import Metric

_shown: dict[str, list[weakref.ref[Series]]] = {}
_lock = threading.RLock()


def show(one: Series) -> None:
    """Have a gauge read at collections from now on."""
    metric = one.metric
    with _lock:
        first = metric.name not in _shown
        held = _shown.setdefault(metric.name, [])
        if one.least > HIGHEST:
            least = observers.lowest(metric)
            one.least = -HIGHEST if least is None else least
            held.append(weakref.ref(one))
    if first:
        observers.observe_raw(metric, lambda: _read(metric))


def _read(metric: Metric) -> list[Observation]:
    found: list[Observation] = []
    for reference in _shown[metric.name].copy():
        one = reference()
        value = None if one is None else number(one.value)
        if one is not None and value is not None:
            found.append(Observation(value, one.labels))
    return found


def tidy() -> None:
    """Let go of those that nobody holds any more."""
    with _lock:
        for held in _shown.values():
            held[:] = [reference for reference in held if reference() is not None]


def after_fork() -> None:
    """Renew a lock that a thread of the parent may have held."""
    global _lock  # noqa: PLW0603 - a lock of another process cannot be released
    _lock = threading.RLock()
