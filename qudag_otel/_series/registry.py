"""All series: found by their labels, drained before collections, bound anew for a new provider."""

from __future__ import annotations

import itertools
import math
import os
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import Context

from qudag_otel import identity
from qudag_otel._series import drains, gauges, instruments, labels, observers
from qudag_otel._series import series as _one
from qudag_otel._series.series import Off, Series
from qudag_otel._series.values import text
from qudag_otel.catalogue import Instrument

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qudag_otel.catalogue import Metric

KIN: Final = 16
"""How many counters one binding brings forth; where there would be more, it is one."""

_NOWHERE: Final = Context()

_lock = threading.RLock()
_series: dict[tuple[object, ...], Series] = {}
_keys: dict[str, tuple[str, ...]] = {}
_all: list[Series] = []
_former: list[weakref.ref[Series]] = []  # from before a reset, which somebody may hold
_rebinds: list[Callable[[], None]] = []
_resets: list[Callable[[], None]] = []
_form: type[Series] | None = None


def series(metric: Metric, /, **given: Any) -> Series:
    """Bind a metric to labels.

    With a counter those begin at 0 that differ from it in labels whose values the catalogue lists,
    `KIN` at most: their first event is an increase.

    Args:
        metric: A metric, of the catalogue or the application's own.
        given: A value for each of its labels; `node_id` and `swarm_id` default to the process's
            identity. A value that is not allowed, or one too many, is reported as "other".

    Raises:
        TypeError: A label is missing, or the metric does not have it.
    """
    for value in given.values():
        if value.__class__ is not str:
            given = {name: text(value) for name, value in given.items()}
            break
    keys = _keys.get(metric.name)
    if keys is None:
        keys = _keys[metric.name] = metric.attribute_keys
    found = _series.get((metric.name, len(given), *map(given.get, keys)))
    if found is not None:
        return found
    checked = labels.check(metric, given)
    found, _ = _bound(metric, checked)
    for kin in _kin(metric, checked):
        one, is_new = _bound(metric, kin)
        if is_new:
            one.add(0, _NOWHERE)
    return found


def _bound(metric: Metric, checked: dict[str, str]) -> tuple[Series, bool]:
    """The series of these labels, and whether it is new."""
    # Keyed by what is exported, so that values beyond the limit share one series.
    key = (metric.name, len(checked), *map(checked.get, metric.attribute_keys))
    with _lock:
        found = _series.get(key)
        if found is not None:
            return found, False
        found = _series[key] = _shape()(metric, checked)
        _all.append(found)
    return found, True


def _kin(metric: Metric, checked: dict[str, str]) -> Iterator[dict[str, str]]:
    """Of a counter, the labels that differ from these in values that are known in advance."""
    listed = {one.key: one.values for one in metric.attributes if one.values and one.key in checked}
    if metric.instrument is Instrument.COUNTER and math.prod(map(len, listed.values())) <= KIN:
        for values in itertools.product(*listed.values()):
            yield {**checked, **dict(zip(listed, values, strict=True))}


def _shape() -> type[Series]:
    global _form  # noqa: PLW0603 - decided at the first use after a set-up
    if _form is None:
        disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
        _form = Off if disabled else Series
    return _form


def _each() -> Iterator[Series]:
    yield from _all.copy()
    for reference in _former.copy():
        found = reference()
        if found is not None:
            yield found


def _drain() -> None:
    for one in _each():
        if one.records or one.marked:
            one.drain()


def rebind(*, disabled: bool | None = None) -> None:
    """Bind everything to the provider that is now set.

    What waits goes to the provider that it was recorded for. Set-up calls this last.

    Args:
        disabled: Whether nothing is to be recorded; by default as OTEL_SDK_DISABLED says.
    """
    global _form  # noqa: PLW0603 - see `_shape`
    _drain()
    _form = None if disabled is None else (Off if disabled else Series)
    instruments.forget()
    for forget in _rebinds:
        forget()
    for one in _each():
        one.unbind()
        one.__class__ = _shape()
        one.initialise()
    observers.rebind()


def begin_with(prefix: str) -> None:
    """Have the names of operations begin otherwise; what was made before is made anew."""
    if instruments.Names.prefix != prefix:
        _drain()  # to where it was recorded for
        instruments.Names.prefix = prefix
        rebind()


def on_rebind(forget: Callable[[], None]) -> None:
    """Have a function called before everything is bound anew."""
    _rebinds.append(forget)


def on_reset(forget: Callable[[], None]) -> None:
    """Have a function called by `reset`."""
    _resets.append(forget)


def reset() -> None:
    """Forget all instruments, series and label values; for tests that replace the providers.

    Observers stay registered, and series that somebody holds keep working: both bind again.
    """
    _drain()
    with _lock:
        for one in _each():
            one.forget()
        _series.clear()
        _keys.clear()
        _former[:] = map(weakref.ref, {id(one): one for one in _each()}.values())
        _all.clear()
    labels.reset()
    for forget in _resets:
        forget()
    rebind()
    gauges.tidy()


def _moved() -> None:
    """The process's identity changed: what waits is of the former one."""
    drains.drain_all()
    for one in _each():
        one.drain()
        one.unbind()


def _after_fork() -> None:
    """Renew locks that a thread of the parent may have held, and forget what is the parent's."""
    global _lock  # noqa: PLW0603 - a lock of another process cannot be released
    _lock = threading.RLock()
    for part in (labels, gauges, _one):
        part.after_fork()
    drains.COLLECTING.now = False
    for one in _each():
        one.renew()


drains.before_collection(_drain)
identity.on_change(_moved)
instruments.when_outdated(rebind)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
