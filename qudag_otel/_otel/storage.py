"""The SDK's storage of one reader: a cheaper collection of sums and last values, and its renewal.

The SDK makes a frozen data class of each point and empties each reservoir of exemplars, also one
that nothing was offered to; both together are most of what a scrape costs. What is collected is
the same, temporality, resets and all. Other aggregations, and an SDK that keeps its storage
otherwise, are collected as the SDK does it.
"""

from __future__ import annotations

import fnmatch
import functools
import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from opentelemetry.sdk.metrics.export import AggregationTemporality

from qudag_otel._otel.names import find, has

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.resources import Resource

# ruff: noqa: SLF001 - the SDK's storage is what this module is about
# pyright: reportPrivateUsage=false

_INTERNAL: Final = "opentelemetry.sdk.metrics._internal"


class Point(NamedTuple):
    """What the exposition reads of a sum or a last value."""

    attributes: Mapping[str, object] | None
    value: float
    exemplars: Sequence[Any]


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


_USED: Final = ("_lock", "_value", "_attributes", "_reservoir", "_collect_exemplars")
_TAKES: Final[dict[str, tuple[Callable[[Any], float | None], tuple[str, ...]]]] = {
    "_SumAggregation": (_take_sum, ("_instrument_aggregation_temporality", "_previous_value")),
    "_LastValueAggregation": (_take_last, ("_instrument_is_synchronous",)),
}
"""By the aggregation's class: how its value is taken, and what that uses of it."""


def _take_of(aggregation: Any) -> Callable[[Any], float | None] | None:
    """How the value of an aggregation is taken; None if the SDK has to collect it."""
    kind = aggregation.__class__
    take, used = _TAKES.get(kind.__name__, (None, ()))
    if find(f"{_INTERNAL}.aggregation", kind.__name__) == (kind,) and has(
        aggregation, *_USED, *used
    ):
        return take
    return None


@functools.cache
def _quick() -> tuple[type, type] | None:
    """The SDK's class of a reader's storage and ours of it; None if it has none that we know."""
    matches = find(f"{_INTERNAL}._view_instrument_match", "_ViewInstrumentMatch")
    storages = find(f"{_INTERNAL}.metric_reader_storage", "MetricReaderStorage")
    if not matches or not storages or not has(storages[0], "_new_view_instrument_match"):
        return None
    match_class: Any = matches[0]
    storage_class: Any = storages[0]
    takes: dict[type, Callable[[Any], float | None] | None] = {}

    class Match(match_class):  # type: ignore[misc]
        """One stream of an instrument: the points of its attribute sets."""

        def collect(self, temporality: Any, collection_start_nanos: int) -> Any:
            """Collect the points; None instead of no points, as the SDK's own does."""
            if temporality is not AggregationTemporality.CUMULATIVE:
                return match_class.collect(self, temporality, collection_start_nanos)
            points: list[Any] = []
            with self._lock:
                for aggregation in self._attributes_aggregation.values():
                    kind = aggregation.__class__
                    take = takes[kind] if kind in takes else takes.setdefault(
                        kind, _take_of(aggregation)
                    )  # fmt: skip
                    if take is None:
                        point = aggregation.collect(temporality, collection_start_nanos)
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

    class Storage(storage_class):  # type: ignore[misc]
        def _new_view_instrument_match(self, view: Any, instrument: Any) -> Any:
            match: Any = storage_class._new_view_instrument_match(self, view, instrument)
            if type(match) is match_class and has(match, "_lock", "_attributes_aggregation"):
                match.__class__ = Match
            return match

    return storage_class, Storage


def forget() -> None:
    """Look for the SDK's names again; for tests that hide one."""
    _quick.cache_clear()


def quicken(provider: MeterProvider, reader: MetricReader) -> None:
    """Have a reader's collections made cheaply, where the SDK keeps its storage as it is known.

    Args:
        provider: The SDK's meter provider that the reader belongs to; instruments that have
            measurements already are collected as before.
        reader: A reader that takes nothing from points but attributes, value and exemplars.
    """
    quick, consumer = _quick(), _consumer(provider)
    if quick is None or consumer is None:
        return
    storage = consumer._reader_storages.get(reader)
    if type(storage) is quick[0]:
        storage.__class__ = quick[1]


def _consumer(provider: Any) -> Any:
    """What a meter provider's measurements go to; None where it is not as it is known."""
    if not has(provider, "_measurement_consumer"):
        return None
    consumer = provider._measurement_consumer
    return consumer if has(consumer, "_reader_storages") else None


_OF_READERS: Final = (
    "_instrument_class_temporality",
    "_instrument_class_aggregation",
    "_instrument_class_cardinality_limit",
)


def renew(provider: MeterProvider) -> bool:
    """Make a provider of the SDK start from zero in a forked child, with none of its locks held.

    Instruments and observers stay. Locks are replaced, since a thread that does not exist in
    the child may have held one.

    Returns:
        Whether the provider keeps its sums where they can be forgotten.
    """
    consumer: Any = _consumer(provider)
    if not has(consumer, "_lock", "_sdk_config"):
        return False
    consumer._lock = threading.Lock()
    consumer._reader_storages = {
        reader: type(storage)(
            consumer._sdk_config,
            *(getattr(reader, name) for name in _OF_READERS if has(reader, name)),
        )
        for reader, storage in consumer._reader_storages.items()
    }
    if has(provider, "_meters"):
        meters: Any = provider
        for meter in meters._meters.values():
            for name in ("_instrument_registration_lock", "_instrument_ids_lock"):
                if has(meter, name):
                    setattr(meter, name, threading.Lock())
    return True


def update_resource(provider: object, resource: Resource) -> None:
    """Merge a resource into that of a provider of the SDK, where it can be."""
    private: Any = provider
    if has(provider, "_update_resource"):
        private._update_resource(resource)


def is_named(view: object, instrument: str) -> bool:
    """Whether a view is for the instrument of this name, as far as it tells."""
    name = getattr(view, "_instrument_name", None) if has(view, "_instrument_name") else None
    return isinstance(name, str) and fnmatch.fnmatchcase(instrument, name.lower())
