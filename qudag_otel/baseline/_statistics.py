"""Estimates with honest errors, from a dozen blocks of time.

Load is autocorrelated: a busy quarter of a minute follows another. What is computed from one
window is therefore judged by how much it changes when a whole block of time is left out (the
delete-one-block jackknife), with the correlation that is left between neighbouring blocks added,
and with Student's t, because a dozen is few. Nothing here draws random numbers: the same data
give the same verdict.

Sources: B. Efron, "The Jackknife, the Bootstrap and Other Resampling Plans", 1982;
H. R. Kunsch, "The jackknife and the bootstrap for general stationary observations", Annals of
Statistics 17, 1989; F. H. C. Marriott and J. A. Pope, "Bias in the estimation of
autocorrelations", Biometrika 41, 1954; E. C. Fieller, "Some problems in interval estimation",
JRSS B 16, 1954; S. Holm, "A simple sequentially rejective multiple test procedure", 1979.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

Sums = Sequence[float]
"""A window's columns, each added up; the last says how many steps they are from."""

Statistic = Callable[[Sums], float]
"""What is computed from the sums; NaN if they hold nothing to compute it from."""

BLOCKS: Final = 12
"""Into how many blocks a window is cut, if it has steps for it; up to one below twice as many."""

FEWEST: Final = 6
"""Below this many blocks with data there is no estimate."""

_MOST_CORRELATION: Final = 0.8


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value, its standard error, and the degrees of freedom that error is worth."""

    value: float
    error: float
    freedom: float


def blocks(rows: Sequence[tuple[float, ...] | None]) -> list[tuple[float, ...]]:
    """Merge neighbouring steps into blocks and add up their columns.

    Args:
        rows: One a step; None where there was no data.

    Returns:
        A row a block, with the number of its steps that had data as an additional last column.
        Blocks of which less than half has data are left out.
    """
    length = max(1, len(rows) // BLOCKS)
    merged: list[tuple[float, ...]] = []
    for start in range(0, len(rows) - length + 1, length):
        full = [row for row in rows[start : start + length] if row is not None]
        if full and 2 * len(full) >= length:
            merged.append((*map(math.fsum, zip(*full, strict=True)), float(len(full))))
    return merged


def estimate(rows: Sequence[tuple[float, ...]], of: Statistic, floor: float = 0.0) -> Estimate:
    """Estimate a statistic of a window from its blocks.

    Args:
        rows: The blocks, two or more.
        of: The statistic.
        floor: The standard error it has at least, for counts that happen not to vary.

    Returns:
        The estimate; its error is infinite if one block alone holds all there is.
    """
    count = len(rows)
    sums = [math.fsum(column) for column in zip(*rows, strict=True)]
    value = of(sums)
    left_out = [of([total - one for total, one in zip(sums, row, strict=True)]) for row in rows]
    if not all(map(math.isfinite, left_out)):
        return Estimate(value, math.inf, count - 1.0)
    middle = math.fsum(left_out) / count
    deviations = [one - middle for one in left_out]
    variance = (count - 1) / count * math.fsum(one * one for one in deviations)
    correlation = _correlation(deviations)
    error = math.sqrt(variance * (1 + correlation) / (1 - correlation))
    return Estimate(value, max(error, floor), count - 1.0)


def _correlation(deviations: Sequence[float]) -> float:
    """The correlation of neighbouring blocks, corrected for the bias of a short series."""
    total = math.fsum(one * one for one in deviations)
    if not total:
        return 0.0
    pairs = itertools.pairwise(deviations)
    raw = math.fsum(one * other for one, other in pairs) / total
    return min(max(raw + (1 + 3 * raw) / len(deviations), 0.0), _MOST_CORRELATION)


def excess(old: Estimate, new: Estimate, *, factor: float, shift: float) -> float:
    """The p-value against "the new value is at most `factor` times the old, plus `shift`"."""
    scaled = Estimate(factor * old.value, abs(factor) * old.error, old.freedom)
    error, freedom = _combined(scaled, new)
    difference = new.value - scaled.value - shift
    if not error:
        return 0.0 if difference > 0 else 1.0
    return student_tail(difference / error, freedom)


def difference_interval(old: Estimate, new: Estimate, confidence: float) -> tuple[float, float]:
    """The confidence interval of new minus old."""
    error, freedom = _combined(old, new)
    if math.isinf(error):
        return -math.inf, math.inf
    reach = student_quantile((1 - confidence) / 2, freedom) * error
    return new.value - old.value - reach, new.value - old.value + reach


def ratio_interval(old: Estimate, new: Estimate, confidence: float) -> tuple[float, float]:
    """The confidence interval of new divided by old, both positive (Fieller).

    Returns:
        Its ends; 0 and infinity if the old value cannot be told from zero.
    """
    error, freedom = _combined(old, new)
    if math.isinf(error):
        return 0.0, math.inf
    reach = student_quantile((1 - confidence) / 2, freedom)
    square = old.value**2 - (reach * old.error) ** 2
    constant = new.value**2 - (reach * new.error) ** 2
    if square <= 0:
        return 0.0, math.inf
    middle = old.value * new.value
    root = math.sqrt(max(middle**2 - square * constant, 0.0))
    return max((middle - root) / square, 0.0), (middle + root) / square


def _combined(old: Estimate, new: Estimate) -> tuple[float, float]:
    """The standard error of the difference, and its degrees of freedom (Welch, Satterthwaite)."""
    first, second = old.error**2, new.error**2
    total = first + second
    if not total or math.isinf(total):
        return math.sqrt(total), min(old.freedom, new.freedom)
    # As shares, because the squares of very small errors underflow.
    first, second = first / total, second / total
    return math.sqrt(total), 1 / (first**2 / old.freedom + second**2 / new.freedom)


def holm(values: Iterable[float]) -> list[float]:
    """Adjust p-values so that one false alarm among all of them is as rare as one alone.

    Args:
        values: The p-values.

    Returns:
        The adjusted ones, in the order given.
    """
    given = list(values)
    adjusted = [1.0] * len(given)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(given)), key=given.__getitem__)):
        largest = max(largest, min((len(given) - rank) * given[index], 1.0))
        adjusted[index] = largest
    return adjusted


def student_tail(t: float, freedom: float) -> float:
    """The probability that Student's t exceeds `t`."""
    if math.isinf(t):
        return 0.0 if t > 0 else 1.0
    tail = _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t)) / 2
    return tail if t > 0 else 1 - tail


def student_quantile(tail: float, freedom: float) -> float:
    """The t that is exceeded with the probability `tail`, which is below one half."""
    low, high = 0.0, 1.0
    while student_tail(high, freedom) > tail:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if student_tail(middle, freedom) > tail else (low, middle)
    return high


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function (DLMF 8.17.22, by Lentz's method)."""
    if x <= 0 or x >= 1:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, 1 - x)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    d = 1 / (1 - (a + b) * x / (a + 1))
    c, fraction = 1.0, d
    for n in range(1, 300):
        even = n * (b - n) * x / ((a + 2 * n - 1) * (a + 2 * n))
        odd = -(a + n) * (a + b + n) * x / ((a + 2 * n) * (a + 2 * n + 1))
        for term in (even, odd):
            d = 1 / (1 + term * d)
            c = 1 + term / c
            fraction *= c * d
        if abs(c * d - 1) < 1e-14:  # noqa: PLR2004 - a double holds no more
            break
    return front * fraction / a
