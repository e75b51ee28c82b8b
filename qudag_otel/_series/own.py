"""An application's own metrics: declared once, as checked and as fast as the catalogue's."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from qudag_otel._series.registry import series
from qudag_otel.catalogue import Attribute, Group, Instrument, Metric
from qudag_otel.catalogue.metrics import METRICS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qudag_otel._series.series import Series

Labels: TypeAlias = "Mapping[str, Sequence[str] | int | None]"

# Source: OpenTelemetry specification, metrics API, "Instrument name syntax" and "Instrument unit".
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.\-/]{0,254}")
_UNIT: Final = re.compile(r"[\x20-\x7e]{0,63}")
_LABEL: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_RESERVED: Final = frozenset({"le", "quantile", "job", "instance"})
_VALUES_LIMIT: Final = 100

# No lock: a destructor or a signal handler may declare, too, and a child is forked at any moment.
_declared: dict[str, Declared] = {}


class Declared:
    """A declared metric; made by `counter`, `gauge` and `histogram`."""

    __slots__ = ("metric",)

    def __init__(self, metric: Metric) -> None:
        self.metric = metric

    def labels(self, **labels: str) -> Series:
        """Bind it to a value for each of its labels; do it once, outside of what is measured.

        Raises:
            TypeError: A label is missing, or the metric does not have it.
        """
        return series(self.metric, **labels)


class Counter(Declared):
    """A counter of the application's."""

    __slots__ = ()

    def add(self, amount: float = 1, **labels: str) -> None:
        """Add to the series of these labels; `add(0, ...)` makes it exist before its first event.

        Raises:
            TypeError: A label is missing, or the metric does not have it.
        """
        series(self.metric, **labels).add(amount)


class Gauge(Declared):
    """A gauge of the application's."""

    __slots__ = ()

    def set(self, value: float, **labels: str) -> None:
        """Set the series of these labels; it shows this value until it is set again.

        Raises:
            TypeError: A label is missing, or the metric does not have it.
        """
        series(self.metric, **labels).set(value)


class Histogram(Declared):
    """A histogram of the application's."""

    __slots__ = ()

    def record(self, value: float, **labels: str) -> None:
        """Record into the series of these labels.

        Raises:
            TypeError: A label is missing, or the metric does not have it.
        """
        series(self.metric, **labels).record(value)


def counter(
    name: str, *, unit: str = "", description: str = "", labels: Labels | None = None
) -> Counter:
    """Declare a counter: what only ever grows.

    Args:
        name: Its OpenTelemetry name, such as "shop.orders"; Prometheus' name follows from it.
        unit: A UCUM unit, or what is counted in braces: "By", "{order}".
        description: What it counts, in one sentence.
        labels: Its labels: to each its allowed values, or how many different ones a process may
            report, or None for the 100 of the catalogue. Anything else is reported as "other".

    Returns:
        The counter; the same one if it was declared alike before.

    Raises:
        ValueError: It cannot be exported so, or was declared otherwise before.
    """
    return _declare(Counter, _metric(Instrument.COUNTER, name, unit, description, labels))


def gauge(
    name: str,
    *,
    unit: str = "",
    description: str = "",
    labels: Labels | None = None,
    minimum: float | None = None,
) -> Gauge:
    """Declare a gauge: what is set, and shown until it is set again.

    Args:
        name: As in `counter`.
        unit: As in `counter`.
        description: As in `counter`.
        labels: As in `counter`.
        minimum: The least value that can be right; lower ones are dropped with one warning.

    Returns:
        The gauge; the same one if it was declared alike before.

    Raises:
        ValueError: As in `counter`.
    """
    return _declare(
        Gauge, _metric(Instrument.GAUGE, name, unit, description, labels, minimum=minimum)
    )


def histogram(
    name: str,
    *,
    unit: str = "",
    description: str = "",
    labels: Labels | None = None,
    bounds: Sequence[float] = (),
) -> Histogram:
    """Declare a histogram: how values of 0 or more are distributed.

    Args:
        name: As in `counter`.
        unit: As in `counter`.
        description: As in `counter`.
        labels: As in `counter`.
        bounds: The upper bounds of its buckets, in `unit`, ascending; OpenTelemetry's by default.

    Returns:
        The histogram; the same one if it was declared alike before.

    Raises:
        ValueError: As in `counter`, or the bounds are not finite and ascending.
    """
    edges = tuple(map(float, bounds))
    if not all(map(math.isfinite, edges)) or list(edges) != sorted(set(edges)):
        raise ValueError(f"the bounds of {name!r} must be finite and ascending, not {bounds!r}")
    return _declare(
        Histogram, _metric(Instrument.HISTOGRAM, name, unit, description, labels, bounds=edges)
    )


def declared() -> list[Metric]:
    """All that has been declared so far, by name."""
    return [_declared[name].metric for name in sorted(_declared)]


def _metric(
    instrument: Instrument,
    name: str,
    unit: str,
    description: str,
    labels: Labels | None,
    *,
    bounds: tuple[float, ...] = (),
    minimum: float | None = None,
) -> Metric:
    if not _NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} is no name of a metric; use at most 255 letters, digits and _ . - /,"
            " a letter first"
        )
    if not _UNIT.fullmatch(unit):
        raise ValueError(f"the unit of {name!r} must be at most 63 ASCII characters, not {unit!r}")
    return Metric(
        name=name,
        instrument=instrument,
        unit=unit,
        description=description,
        group=Group.APPLICATION,
        attributes=tuple(_attribute(name, key, given) for key, given in (labels or {}).items()),
        bounds=bounds,
        minimum=minimum,
    )


def _attribute(metric: str, key: str, given: Sequence[str] | int | None) -> Attribute:
    if not _LABEL.fullmatch(key) or key in _RESERVED:
        raise ValueError(
            f"{metric!r} cannot have the label {key!r}; use letters, digits and _, a letter first,"
            f" and none of {', '.join(sorted(_RESERVED))}, which Prometheus sets"
        )
    if isinstance(given, str):
        raise ValueError(f"the values of {key!r} are a sequence of texts, not the text {given!r}")  # noqa: TRY004 - as all else that is declared wrongly
    if given is None or isinstance(given, int):
        return Attribute(key=key, description="", limit=given or _VALUES_LIMIT)
    return Attribute(key=key, description="", values=tuple(given))


T = TypeVar("T", bound=Declared)


def _declare(kind: type[T], metric: Metric) -> T:
    known = _declared.get(metric.name)
    if known is None:
        if metric.prometheus_name in {one.prometheus_name for one in (*METRICS, *declared())}:
            raise ValueError(
                f"{metric.name!r} would be {metric.prometheus_name} in Prometheus, as another"
                " metric is; give it another name"
            )
        known = _declared.setdefault(metric.name, kind(metric))
    if isinstance(known, kind) and known.metric == metric:
        return known
    raise ValueError(
        f"{metric.name!r} is declared already, otherwise; declare it once and import it"
    )
