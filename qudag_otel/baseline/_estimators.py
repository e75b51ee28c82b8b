"""What is computed from a measure's columns: rates, shares, means, quantiles."""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qudag_otel._query import histogram
from qudag_otel.baseline.measures import Limit, Measure, Shape

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qudag_otel.baseline._statistics import Statistic, Sums

BEYOND: Final = 5
"""So many observations a quantile must have above it, and below it."""

EDGE_TOLERANCE: Final = Limit(absolute=0.01)
"""How far the share of observations above a threshold may move: one point."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One number of a measure.

    Args:
        name: What it is called beside the measure's title; empty if it is the only one.
        unit: Its unit.
        of: How it is computed.
        floor: The standard error it has at least.
        tolerance: A change within it is never a regression.
        quantile: Which quantile it is, 0 to 1, if it is one.
    """

    name: str
    unit: str
    of: Statistic
    floor: Statistic
    tolerance: Limit
    quantile: float | None = None


def readers(measure: Measure, bounds: Sequence[float], step: float) -> list[Reader]:
    """The numbers that a measure is compared by.

    Args:
        measure: The measure.
        bounds: The series' finite bucket bounds, ascending; empty if it is no histogram.
        step: The length of a step in seconds.
    """
    if measure.shape is Shape.HISTOGRAM:
        return [
            *(_quantile_reader(measure, quantile, bounds) for quantile in measure.quantiles),
            *(_edge_reader(edge, bounds) for edge in measure.edges if edge in bounds),
        ]
    computed: dict[Shape, tuple[Statistic, Statistic]] = {
        Shape.RATE: (
            lambda sums: sums[0] / (sums[-1] * step),
            lambda sums: _poisson(sums[0]) / (sums[-1] * step),
        ),
        Shape.PROPORTION: (
            lambda sums: _divided(sums[0], sums[0] + sums[1]),
            lambda sums: _binomial(sums[0], sums[0] + sums[1]),
        ),
        Shape.LEVEL: (lambda sums: sums[0] / sums[-1], _zero),
        Shape.FILL: (lambda sums: _divided(sums[0], sums[1]), _zero),
    }
    of, floor = computed[measure.shape]
    return [Reader(name="", unit=measure.unit, of=of, floor=floor, tolerance=measure.tolerance)]


def _quantile_reader(measure: Measure, q: float, bounds: Sequence[float]) -> Reader:
    return Reader(
        name=f"p{100 * q:g}",
        unit=measure.unit,
        of=lambda sums: quantile(sums[:-1], bounds, q),
        floor=_zero,
        tolerance=measure.tolerance,
        quantile=q,
    )


def _edge_reader(edge: float, bounds: Sequence[float]) -> Reader:
    above = bisect.bisect_right(bounds, edge)
    return Reader(
        name=f"over {edge:g} s",
        unit="1",
        of=lambda sums: _divided(math.fsum(sums[above:-1]), math.fsum(sums[:-1])),
        floor=lambda sums: _binomial(math.fsum(sums[above:-1]), math.fsum(sums[:-1])),
        tolerance=EDGE_TOLERANCE,
    )


def quantile(counts: Sums, bounds: Sequence[float], q: float) -> float:
    """A quantile of a histogram, NaN with fewer than `BEYOND` observations on either side.

    Args:
        counts: Observations in each bucket, the last above all bounds.
        bounds: The finite bounds, ascending.
        q: Which quantile, 0 to 1.
    """
    return histogram.quantile(counts, bounds, q) if _enough(counts, q) else math.nan


def quantile_edges(counts: Sums, bounds: Sequence[float], q: float) -> tuple[float, float] | None:
    """Between which bounds a quantile is: all that is certain about it; None with too few."""
    if not _enough(counts, q):
        return None
    return histogram.edges(bounds, histogram.bucket(counts, q))


def _enough(counts: Sums, q: float) -> bool:
    return math.fsum(counts) * min(q, 1 - q) >= BEYOND - 1e-9


def _divided(part: float, whole: float) -> float:
    return part / whole if whole > 0 else math.nan


def _poisson(count: float) -> float:
    """The standard error of a count of independent events; an unseen one could have been one."""
    return math.sqrt(max(count, 1.0))


def _binomial(part: float, whole: float) -> float:
    """The standard error of a share of independent events, not zero at the ends."""
    share = (part + 1) / (whole + 2)
    return math.sqrt(share * (1 - share) / (whole + 2))


def _zero(_: Sums) -> float:
    return 0.0
