"""Quantiles of histograms with bucket bounds, as Prometheus' histogram_quantile gives them."""

from __future__ import annotations

import bisect
import itertools
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def quantile(counts: Sequence[float], bounds: Sequence[float], share: float) -> float:
    """A quantile, on a straight line inside its bucket.

    Args:
        counts: Observations in each bucket, the last above all bounds.
        bounds: The finite bounds, ascending.
        share: Which quantile, 0 to 1.

    Returns:
        The quantile in the bounds' unit; the highest bound if it is above it; NaN without any
        observation.
    """
    if not any(counts):
        return math.nan
    found = bucket(counts, share)
    low, high = edges(bounds, found)
    if math.isinf(high):
        return low
    below = math.fsum(counts[:found])
    return low + (high - low) * (share * math.fsum(counts) - below) / counts[found]


def bucket(counts: Sequence[float], share: float) -> int:
    """The index of the bucket that a quantile is in; there must be observations."""
    cumulative = list(itertools.accumulate(counts))
    first = bisect.bisect_left(cumulative, share * math.fsum(counts))
    # Rounding can put the rank above the last sum, or onto an empty bucket.
    filled = (index for index in range(min(first, len(counts) - 1), len(counts)) if counts[index])
    return next(filled, max(index for index, count in enumerate(counts) if count))


def edges(bounds: Sequence[float], index: int) -> tuple[float, float]:
    """The lower and upper bound of a bucket, the first starting at 0."""
    low = bounds[index - 1] if index else min([0.0, *bounds[:1]])
    return low, bounds[index] if index < len(bounds) else math.inf


def separate(cumulative: Sequence[float]) -> list[float]:
    """Observations in each bucket, out of those up to each bound, ascending.

    Extrapolation can leave a wider bucket a trifle below a narrower one: that is none.
    """
    reached = list(itertools.accumulate(cumulative, max))
    return [upto - below for upto, below in zip(reached, [0.0, *reached], strict=False)]
