"""Many measurements of one attribute set into the SDK's histograms at once.

The SDK takes one measurement at a time and hashes its attributes each time. Here its own storage
is looked up once per batch, so that views, temporality, the cardinality limit and exemplars stay
the SDK's. Whatever is not an explicit-bucket histogram with the SDK's own reservoir is given its
measurements one by one.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING, Any, Final, Protocol, cast

from opentelemetry.sdk.metrics import (
    AlignedHistogramBucketExemplarReservoir,
    AlwaysOffExemplarFilter,
    AlwaysOnExemplarFilter,
    TraceBasedExemplarFilter,
)
from opentelemetry.sdk.metrics._internal._view_instrument_match import _hash_attributes
from opentelemetry.sdk.metrics._internal.aggregation import _ExplicitBucketHistogramAggregation
from opentelemetry.sdk.metrics._internal.measurement import Measurement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.metrics import MeterProvider

# ruff: noqa: SLF001 - the SDK's storage is what this module is about
# pyright: reportPrivateUsage=false


class Batch(Protocol):
    """Measurements of one attribute set, in the order in which they were made."""

    @property
    def values(self) -> Sequence[float]:
        """The values."""
        ...

    def time(self, index: int, /) -> int:
        """When one was made, in nanoseconds since the epoch."""
        ...

    def context(self, index: int, /) -> Context:
        """The context that one was made in."""
        ...

    def sampled(self) -> Iterator[int]:
        """Those whose context has a sampled span, the last one first."""
        ...


class BulkHistogram:
    """A histogram instrument of the SDK, given many values at a time.

    Args:
        provider: The SDK's meter provider that made the instrument.
        instrument: The SDK's histogram.

    Raises:
        AttributeError: The SDK's storage is not as this module knows it.
    """

    def __init__(self, provider: MeterProvider, instrument: Any) -> None:
        self._consumer: Any = cast("Any", provider)._measurement_consumer
        self._instrument = instrument
        self._filter: Any = self._consumer._sdk_config.exemplar_filter
        self._known_filter = type(self._filter) in _FILTERS
        self._offers = type(self._filter) is not AlwaysOffExemplarFilter
        dict(self._consumer._reader_storages)

    def record(self, batch: Batch, attributes: Mapping[str, str | bool | int | float]) -> None:
        """Record values of one attribute set.

        Args:
            batch: The values, and where they come from.
            attributes: The measurement's attributes.
        """
        for storage in self._consumer._reader_storages.values():
            for match in storage._get_or_init_view_instrument_match(self._instrument):
                self._into(match, batch, attributes)

    def _into(
        self, match: Any, batch: Batch, attributes: Mapping[str, str | bool | int | float]
    ) -> None:
        keys = match._view._attribute_keys
        # The SDK only reads them, and a site never changes them: one copy serves both.
        kept = attributes if keys is None else {k: v for k, v in attributes.items() if k in keys}
        # A delta collection discards its aggregations: the lock keeps ours from being one of them.
        with match._lock:
            aggregation: Any = match._get_or_create_aggregation(_hash_attributes(kept), kept)
            reservoir: Any = aggregation._reservoir
            known = (
                self._known_filter
                and type(aggregation) is _ExplicitBucketHistogramAggregation
                and type(reservoir) is AlignedHistogramBucketExemplarReservoir
            )
            if known:
                self._add(aggregation, batch)
            for index in self._offered(aggregation, batch) if known else range(len(batch.values)):
                measurement = Measurement(
                    batch.values[index], batch.time(index), self._instrument,
                    batch.context(index), attributes,
                )  # fmt: skip
                sampled = self._filter.should_sample(
                    measurement.value, measurement.time_unix_nano, attributes, measurement.context
                )
                if known:
                    aggregation._sample_exemplar(measurement, sampled)
                else:
                    aggregation.aggregate(measurement, sampled)

    def _add(self, aggregation: Any, batch: Batch) -> None:
        ordered = sorted(batch.values)
        with aggregation._lock:
            counts = aggregation._value
            if counts is None:
                counts = aggregation._value = [0] * (len(aggregation._boundaries) + 1)
            below = 0
            for bucket, bound in enumerate(aggregation._boundaries):
                upto = bisect_right(ordered, bound, below)
                counts[bucket] += upto - below
                below = upto
                if below == len(ordered):
                    break
            counts[-1] += len(ordered) - below
            aggregation._sum += sum(ordered)
            if aggregation._record_min_max:
                aggregation._min = min(aggregation._min, ordered[0])
                aggregation._max = max(aggregation._max, ordered[-1])

    def _offered(self, aggregation: Any, batch: Batch) -> list[int]:
        """Which measurements to offer: the reservoir keeps the last sampled one of each bucket."""
        if not self._offers:
            return []
        every = type(self._filter) is AlwaysOnExemplarFilter
        bounds, values = aggregation._boundaries, batch.values
        most = 1 + bisect_left(bounds, max(values)) - bisect_left(bounds, min(values))
        last: dict[int, int] = {}
        for index in reversed(range(len(values))) if every else batch.sampled():
            bucket = bisect_left(bounds, values[index])
            if bucket not in last:
                last[bucket] = index
                if len(last) == most:
                    break
        return list(last.values())


_FILTERS: Final = {AlwaysOffExemplarFilter, AlwaysOnExemplarFilter, TraceBasedExemplarFilter}
