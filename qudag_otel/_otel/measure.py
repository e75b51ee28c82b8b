"""Many measurements of one attribute set into the SDK's own storage at once.

The SDK takes one measurement at a time and hashes its attributes each time. Here its storage is
looked up once per batch, so that views, temporality, the cardinality limit, start times and
exemplars stay the SDK's. Whatever is not a sum or an explicit-bucket histogram with the SDK's own
reservoir is given its measurements one by one, where it is; where a name is missing, nothing here
can be made, and whoever asks records through the API.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import islice
from time import time_ns
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from qudag_otel._otel.names import find, has

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.metrics import MeterProvider

# ruff: noqa: SLF001 - the SDK's storage is what this module is about
# pyright: reportPrivateUsage=false

_SDK: Final = "opentelemetry.sdk.metrics"


class Batch(Protocol):
    """Measurements of one attribute set, in the order in which they were made."""

    @property
    def values(self) -> Sequence[float]:
        """The values; at least one."""
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


class _Sdk(NamedTuple):
    """The SDK's classes and functions that have no public name, and filters that have one."""

    hashed: Any
    overall: Any
    histogram: Any
    dropped: Any
    measurement: Any
    aligned: Any
    simple: Any
    filters: tuple[Any, ...]


def _sdk() -> _Sdk | None:
    if not _FOUND:
        _FOUND.append(_found())
    return _FOUND[0]


_FOUND: Final[list[_Sdk | None]] = []


def forget() -> None:
    """Look for the SDK's names again; for tests that hide one."""
    _FOUND.clear()


def _found() -> _Sdk | None:
    hashed = find(f"{_SDK}._internal._view_instrument_match", "_hash_attributes")
    kinds = find(
        f"{_SDK}._internal.aggregation",
        "_SumAggregation", "_ExplicitBucketHistogramAggregation", "_DropAggregation",
    )  # fmt: skip
    measurement = find(f"{_SDK}._internal.measurement", "Measurement")
    public = find(
        _SDK,
        "AlignedHistogramBucketExemplarReservoir", "SimpleFixedSizeExemplarReservoir",
        "AlwaysOffExemplarFilter", "AlwaysOnExemplarFilter", "TraceBasedExemplarFilter",
    )  # fmt: skip
    if hashed is None or kinds is None or measurement is None or public is None:
        return None
    aligned, simple, *filters = public
    parts: list[Any] = [*hashed, *kinds, *measurement, aligned, simple, tuple(filters)]
    return _Sdk(*parts)


class Emptied:
    """Until when all that was measured is in the SDK's storage, in nanoseconds since the epoch."""

    at = 0


class _Stream(NamedTuple):
    """One attribute set as one view of one reader keeps it."""

    match: Any
    key: Any
    attributes: Mapping[str, Any]


class Target:
    """Where the measurements of one attribute set of one instrument go; made by `target`.

    Nothing here waits for a lock unless told to, so that a measurement may be made at any moment:
    while the SDK collects in this very thread, in a signal handler, in `__del__`.
    """

    __slots__ = ("_attributes", "_instrument", "_sdk", "_storages", "_streams", "offers")

    def __init__(self, sdk: _Sdk, instrument: Any, attributes: Mapping[str, Any]) -> None:
        self._sdk = sdk
        self._instrument = instrument
        self._attributes = attributes
        self._storages: Any = None
        self._streams: list[_Stream] = []
        self.offers: str = _OFFERS[sdk.filters.index(type(_filter(instrument)))]
        """Which measurements may become exemplars: "none", "sampled" or "every"."""

    def open(self, *, wait: bool) -> bool:
        """Have the attribute set begin now: its start time is the SDK's for a first measurement.

        Args:
            wait: Wait for the SDK's locks instead of giving up.

        Returns:
            Whether it has begun.
        """
        matches: list[Any] = []
        try:
            return self._aggregations(matches, wait=wait) is not None
        finally:
            for match in matches:
                match._lock.release()

    def open_empty(self) -> None:
        """Have the attribute set begin with nothing in it.

        The SDK cannot collect an exponential histogram that was collected when it was empty.
        """
        self._find(wait=True)
        if all(type(one.match._aggregation) is self._sdk.histogram for one in self._streams):
            self.open(wait=True)

    def take(self, batch: Batch, *, wait: bool) -> bool:
        """Record measurements and offer their exemplars.

        Args:
            batch: The measurements.
            wait: Wait for the SDK's locks instead of giving up.

        Returns:
            Whether they have been recorded; all or none are.
        """
        matches: list[Any] = []
        try:
            aggregations = self._aggregations(matches, wait=wait)
            if aggregations is None or not (wait or all(map(_free, aggregations))):
                return False
            for aggregation in aggregations:
                with aggregation._lock:
                    _begin_earlier(aggregation)
                    added = self._added(aggregation, batch)
                if added:
                    self._offer(aggregation, batch)
                else:
                    self._one_by_one(aggregation, batch)
            return True
        finally:
            # A delta collection discards its aggregations: the matches' locks keep ours from
            # being one of them.
            for match in matches:
                match._lock.release()

    def _aggregations(self, matches: list[Any], *, wait: bool) -> list[Any] | None:
        """The aggregations, with the locks of their matches held; None if one was not to be had."""
        if not self._find(wait=wait):
            return None
        found: list[Any] = []
        for match, key, attributes in self._streams:
            if not match._lock.acquire(wait):
                return None
            matches.append(match)
            found.append(_aggregation(match, key, attributes))
        return found

    def _find(self, *, wait: bool) -> bool:
        """Look up the streams again if a reader came or went."""
        storages = self._instrument._measurement_consumer._reader_storages
        if storages is self._storages:
            return True
        streams: list[_Stream] = []
        for storage in storages.values():
            if not storage._lock.acquire(wait):
                return False
            try:
                matches = storage._get_or_init_view_instrument_match(self._instrument)
            finally:
                storage._lock.release()
            for match in matches:
                keys = match._view._attribute_keys
                kept = {k: v for k, v in self._attributes.items() if keys is None or k in keys}
                streams.append(_Stream(match, self._sdk.hashed(kept), kept))
        self._streams, self._storages = streams, storages
        return True

    def _added(self, aggregation: Any, batch: Batch) -> bool:
        """Add all values at once if that is known to be the same."""
        kind = aggregation.__class__
        if kind is self._sdk.histogram and type(aggregation._reservoir) is self._sdk.aligned:
            _add_to_histogram(aggregation, batch.values)
        elif kind is self._sdk.overall and type(aggregation._reservoir) is self._sdk.simple:
            total, before = sum(batch.values), aggregation._value
            if not -_WHOLE < total < _WHOLE:
                total = float(total)  # sums of these never exceed the 64 bits of OTLP's integers
            aggregation._value = total if before is None else total + before
        else:
            return kind is self._sdk.dropped
        return True

    def _one_by_one(self, aggregation: Any, batch: Batch) -> None:
        for index in range(len(batch.values)):
            measurement, sampled = self._measurement(batch, index)
            aggregation.aggregate(measurement, sampled)

    def _measurement(self, batch: Batch, index: int) -> tuple[Any, bool]:
        measurement = self._sdk.measurement(
            batch.values[index], batch.time(index), self._instrument,
            batch.context(index), self._attributes,
        )  # fmt: skip
        sampled = _filter(self._instrument).should_sample(
            measurement.value, measurement.time_unix_nano, self._attributes, measurement.context
        )
        return measurement, sampled

    def _offer(self, aggregation: Any, batch: Batch) -> None:
        if self.offers == "none" or type(aggregation) is self._sdk.dropped:
            return
        indices: Iterator[int] = (
            reversed(range(len(batch.values))) if self.offers == "every" else batch.sampled()
        )
        if type(aggregation) is self._sdk.histogram:
            indices = _last_of_each_bucket(aggregation._boundaries, batch.values, indices)
        else:
            indices = islice(indices, _SUM_OFFERS)
        for index in reversed([*indices]):
            aggregation._sample_exemplar(*self._measurement(batch, index))


def _aggregation(match: Any, key: Any, attributes: Mapping[str, Any]) -> Any:
    """The aggregation of an attribute set, made if it is not there; the match's lock is held."""
    if has(match, "_get_or_create_aggregation"):
        return match._get_or_create_aggregation(key, attributes)
    # The SDK until 1.45.1, which has no limit of attribute sets, does it in place.
    found = match._attributes_aggregation.get(key)
    if found is None:
        view, kind = match._view, match._view._aggregation
        if type(kind).__name__ == "DefaultAggregation":
            kind = match._instrument_class_aggregation[type(match._instrument)]
        found = match._attributes_aggregation[key] = kind._create_aggregation(
            match._instrument, attributes, view._exemplar_reservoir_factory, time_ns()
        )
    return found


def _begin_earlier(aggregation: Any) -> None:
    """Have a count that is new begin where it was 0, not where its first values are handed on.

    A receiver that keeps the beginning as a sample of 0 would have it in the millisecond of the
    first sample, and sees no increase. Without the name the SDK's beginning stays.
    """
    if has(aggregation, "_start_time_unix_nano") and Emptied.at:
        aggregation._start_time_unix_nano = min(aggregation._start_time_unix_nano, Emptied.at)


def _makes(match: Any) -> bool:
    """Whether `_aggregation` knows how an SDK makes one."""
    return has(match, "_get_or_create_aggregation") or (
        not has(match, "_cardinality_limit")
        and has(match, "_attributes_aggregation", "_instrument_class_aggregation", "_instrument")
        and has(match._view, "_aggregation", "_exemplar_reservoir_factory")
        and has(match._view._aggregation, "_create_aggregation")
    )


def _free(aggregation: Any) -> bool:
    """Whether nobody holds the locks of an aggregation and its reservoir.

    Another thread may take them now, and gives them back soon; this thread, interrupted, would not.
    """
    for owner in (aggregation, aggregation._reservoir):
        lock: Any = getattr(owner, "_lock", None)
        if lock is not None:
            if not lock.acquire(blocking=False):
                return False
            lock.release()
    return True


def _add_to_histogram(aggregation: Any, values: Sequence[float]) -> None:
    ordered = sorted(values)
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


def _last_of_each_bucket(
    bounds: Sequence[float], values: Sequence[float], indices: Iterator[int]
) -> Iterator[int]:
    """Of indices in falling order, the first in each bucket: what the reservoir would keep."""
    most = 1 + bisect_left(bounds, max(values)) - bisect_left(bounds, min(values))
    seen: set[int] = set()
    for index in indices:
        bucket = bisect_left(bounds, values[index])
        if bucket not in seen:
            seen.add(bucket)
            yield index
            if len(seen) == most:
                return


_WHOLE: Final = 2**53
_SUM_OFFERS: Final = 16  # of a batch; the reservoir of a sum keeps one of all it was ever offered
_OFFERS: Final = ("none", "every", "sampled")  # by the filters in the order of `_Sdk.filters`


def _filter(instrument: Any) -> Any:
    return instrument._measurement_consumer._sdk_config.exemplar_filter


def is_sdks(instrument: object) -> bool:
    """Whether an instrument is of OpenTelemetry's SDK."""
    return type(instrument).__module__.startswith("opentelemetry.sdk.")


def target(instrument: object, attributes: Mapping[str, Any]) -> Target | None:
    """Where measurements of an attribute set go, or None if they have to go through the API.

    Args:
        instrument: A counter or histogram, the SDK's or not.
        attributes: The complete attributes; must not be changed afterwards.
    """
    sdk = _sdk() if is_sdks(instrument) else None
    if sdk is None or not _known(instrument):
        return None
    return Target(sdk, instrument, attributes)


def _known(instrument: Any) -> bool:
    """Whether an instrument has all that is used of it, down to its aggregation's attributes."""
    if not has(instrument, "_measurement_consumer", "_is_enabled") or not instrument._is_enabled():
        return False
    consumer = instrument._measurement_consumer
    if not has(consumer, "_reader_storages", "_sdk_config") or not has(
        consumer._sdk_config, "exemplar_filter"
    ):
        return False
    sdk = _sdk()
    if sdk is None or type(_filter(instrument)) not in sdk.filters:
        return False
    for storage in consumer._reader_storages.values():
        if not has(storage, "_lock", "_get_or_init_view_instrument_match"):
            return False
        for match in storage._get_or_init_view_instrument_match(instrument):
            sample = getattr(match, "_aggregation", None)
            if not (
                has(match, "_view", "_lock", "_aggregation")
                and _makes(match)
                and has(match._view, "_attribute_keys")
                and has(sample, "_lock", "_reservoir", "_sample_exemplar")
                and (type(sample) is not sdk.overall or has(sample, "_value"))
                and (
                    type(sample) is not sdk.histogram
                    or has(
                        sample, "_value", "_boundaries", "_sum", "_min", "_max", "_record_min_max"
                    )
                )
            ):
                return False
    return True


class BulkHistogram:
    """A histogram instrument of the SDK, given many values at a time.

    Args:
        provider: The SDK's meter provider that made the instrument.
        instrument: The SDK's histogram.

    Raises:
        AttributeError: The SDK's storage is not as this module knows it.
    """

    def __init__(self, provider: MeterProvider, instrument: Any) -> None:
        del provider
        if target(instrument, {}) is None:
            raise AttributeError("the SDK keeps measurements otherwise")
        self._instrument = instrument

    def begin(self, attributes: Mapping[str, str | bool | int | float]) -> None:
        """Have an attribute set begin with nothing in it."""
        found = target(self._instrument, attributes)
        if found is not None:
            found.open_empty()

    def record(self, batch: Batch, attributes: Mapping[str, str | bool | int | float]) -> None:
        """Record values of one attribute set.

        Args:
            batch: The values, and where they come from.
            attributes: The measurement's attributes.
        """
        found = target(self._instrument, attributes)
        if found is not None:
            found.take(batch, wait=True)


def collecting(provider: object) -> bool:
    """Whether a reader of a provider may be collecting now, in this thread or in another."""
    consumer = getattr(provider, "_measurement_consumer", None)
    if consumer is None or not has(consumer, "_lock") or not has(consumer._lock, "locked"):
        return False
    return bool(consumer._lock.locked())
