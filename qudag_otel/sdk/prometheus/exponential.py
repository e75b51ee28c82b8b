"""Exponential histograms as ones with explicit bounds: the text formats know no others."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Protocol

from opentelemetry.sdk.metrics.export import HistogramDataPoint

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk.metrics.export import ExponentialHistogramDataPoint


class Exemplar(Protocol):
    """An exemplar of the SDK, whose class has no public name."""

    @property
    def filtered_attributes(self) -> Mapping[str, object] | None: ...
    @property
    def value(self) -> float: ...
    @property
    def time_unix_nano(self) -> int: ...
    @property
    def span_id(self) -> int | None: ...
    @property
    def trace_id(self) -> int | None: ...


class Buckets(Protocol):
    """One side of an exponential histogram, whose class has no public name."""

    @property
    def offset(self) -> int: ...
    @property
    def bucket_counts(self) -> Sequence[int]: ...


def _filled(buckets: Buckets) -> list[tuple[int, int]]:
    """List index and count of the buckets of one side, or nothing if none counted anything."""
    if not any(buckets.bucket_counts):
        return []
    return list(enumerate(buckets.bucket_counts, buckets.offset))


def explicit(point: ExponentialHistogramDataPoint) -> HistogramDataPoint:
    """Convert a point; every bucket keeps its count, its upper end becomes a bound.

    Source: OpenTelemetry specification, "Metrics Data Model", exponential histograms: bucket
    `i` at scale `s` holds what is above `2**(i / 2**s)` up to `2**((i + 1) / 2**s)`.
    """

    def edge(index: int) -> float:
        try:
            return float(2.0 ** (index * 2.0**-point.scale))
        except OverflowError:
            return math.inf

    # Mirrored: of a negative bucket, the end nearer to zero is the upper one.
    ends = [(-edge(index), count) for index, count in reversed(_filled(point.negative))]
    if point.zero_count or ends:
        ends.append((0.0, point.zero_count))
    ends += [(edge(index + 1), count) for index, count in _filled(point.positive)]
    bounds: list[float] = []
    counts: list[int] = []
    for bound, count in ends:
        if bounds and bounds[-1] == bound:  # narrower than a float can tell
            counts[-1] += count
        else:
            bounds.append(bound)
            counts.append(count)
    if bounds and math.isinf(bounds[-1]):
        bounds.pop()
    else:
        counts.append(0)
    return HistogramDataPoint(
        attributes=point.attributes,
        start_time_unix_nano=point.start_time_unix_nano,
        time_unix_nano=point.time_unix_nano,
        count=point.count,
        sum=point.sum,
        bucket_counts=counts,
        explicit_bounds=bounds,
        min=point.min,
        max=point.max,
        exemplars=point.exemplars,
    )
