"""The SDK's storage of one reader, with a cheaper collection of sums and last values.

The SDK makes a frozen data class of each point and empties each reservoir of exemplars, also one
that nothing was offered to; both together are most of what a scrape costs. What is collected is
the same, temporality, resets and all. Other aggregations, and other releases of the SDK than
those that were tested, are collected as the SDK does it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from opentelemetry.sdk.metrics._internal._view_instrument_match import _ViewInstrumentMatch
from opentelemetry.sdk.metrics._internal.aggregation import (
    AggregationTemporality,
    _LastValueAggregation,
    _SumAggregation,
)
from opentelemetry.sdk.metrics._internal.metric_reader_storage import MetricReaderStorage

from qudag_otel._otel.spans import supported

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricReader

# ruff: noqa: SLF001 - the SDK's storage is what this module is about
# pyright: reportPrivateUsage=false


class Point(NamedTuple):
    """What the exposition reads of a sum or a last value."""

    attributes: Mapping[str, object] | None
    value: float
    exemplars: Sequence[Any]


class _Match(_ViewInstrumentMatch):
    """One stream of an instrument: the points of its attribute sets."""

    def collect(self, collection_aggregation_temporality: Any, collection_start_nanos: int) -> Any:
        """Collect the points; None instead of no points, as the SDK's own does."""
        if collection_aggregation_temporality is not AggregationTemporality.CUMULATIVE:
            return super().collect(collection_aggregation_temporality, collection_start_nanos)
        points: list[Any] = []
        with self._lock:
            for aggregation in cast("Any", self)._attributes_aggregation.values():
                take = _TAKES.get(type(aggregation))
                if take is None:
                    point = aggregation.collect(
                        collection_aggregation_temporality, collection_start_nanos
                    )
                    if point is not None:
                        points.append(point)
                    continue
                with aggregation._lock:
                    value = take(aggregation)
                if value is not None:
                    # A reservoir of an application's own may keep its exemplars anywhere.
                    offered = getattr(aggregation._reservoir, "_reservoir_storage", True)
                    points.append(
                        Point(
                            aggregation._attributes,
                            value,
                            aggregation._collect_exemplars() if offered else (),
                        )
                    )
        return points or None


def _take_sum(aggregation: Any) -> float | None:
    """The cumulative sum; of an asynchronous instrument, what its callback said this time."""
    value: float | None = aggregation._value
    aggregation._value = None
    if aggregation._instrument_aggregation_temporality is AggregationTemporality.DELTA:
        added = 0 if value is None else value
        value = aggregation._previous_value = added + aggregation._previous_value
    return value


def _take_last(aggregation: Any) -> float | None:
    """The last value; of an asynchronous instrument, only if its callback gave one this time."""
    value: float | None = aggregation._value
    if not aggregation._instrument_is_synchronous:
        aggregation._value = None
    return value


_TAKES: Final[dict[Any, Callable[[Any], float | None]]] = {
    _SumAggregation: _take_sum,
    _LastValueAggregation: _take_last,
}


class _Storage(MetricReaderStorage):
    def _new_view_instrument_match(self, view: Any, instrument: Any) -> Any:
        match = super()._new_view_instrument_match(view, instrument)
        if type(match) is _ViewInstrumentMatch:
            match.__class__ = _Match
        return match


def quicken(provider: MeterProvider, reader: MetricReader) -> None:
    """Have a reader's collections made cheaply, where the SDK's release is known.

    Args:
        provider: The SDK's meter provider that the reader belongs to; instruments that have
            measurements already are collected as before.
        reader: A reader that takes nothing from points but attributes, value and exemplars.
    """
    if supported():
        storage = cast("Any", provider)._measurement_consumer._reader_storages[reader]
        if type(storage) is MetricReaderStorage:
            storage.__class__ = _Storage
