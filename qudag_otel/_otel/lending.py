"""Providers of the SDK, lent to somebody who wants to see everything for a while.

What was made of them before is seen, too, and their own exporters see nothing meanwhile; where the
SDK's insides are not as they are known, those see it as well.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from qudag_otel._otel.names import has

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from opentelemetry.sdk.metrics.export import MetricReader

# ruff: noqa: SLF001 - private names are what this room is about


_given: list[tuple[Any, Any]] = []


def _give_once(provider: Any, add: Callable[[Any], None], processor: Any) -> None:
    """Add a processor for good: there is no public way to take it away."""
    if (provider, processor) not in _given:
        _given.append((provider, processor))
        add(processor)


@contextlib.contextmanager
def spans(provider: Any, processor: Any, sampler: Any, ids: Any) -> Generator[None]:
    """Give all spans of a tracer provider to one processor until the block ends.

    Args:
        provider: The SDK's tracer provider.
        processor: Who is told of them.
        sampler: Samples them.
        ids: Makes their ids.
    """
    multi = getattr(provider, "_active_span_processor", None)
    if not (has(provider, "_active_span_processor") and has(multi, "_span_processors")):
        _give_once(provider, provider.add_span_processor, processor)
        yield
        return
    with contextlib.ExitStack() as stack:
        tracers = provider._tracers.values() if has(provider, "_tracers") else ()
        for owner, name, value in (
            (multi, "_span_processors", (processor,)),
            *((one, "sampler", sampler) for one in (provider, *tracers)),
            *((one, "id_generator", ids) for one in (provider, *tracers)),
        ):
            stack.callback(setattr, owner, name, getattr(owner, name))
            setattr(owner, name, value)
        yield


@contextlib.contextmanager
def logs(provider: Any, processor: Any) -> Generator[None]:
    """Give all records of a logger provider to one processor until the block ends."""
    multi = getattr(provider, "_multi_log_record_processor", None)
    known = has(provider, "_multi_log_record_processor") and has(multi, "_log_record_processors")
    if multi is None or not known:
        _give_once(provider, provider.add_log_record_processor, processor)
        yield
        return
    before, multi._log_record_processors = multi._log_record_processors, (processor,)
    try:
        yield
    finally:
        multi._log_record_processors = before


class _Only(dict[Any, Any]):
    """The storages of all readers; a measurement goes to one of them."""

    def __init__(self, storages: dict[Any, Any], reader: MetricReader) -> None:
        super().__init__(storages)
        self._reader = reader

    def values(self) -> Any:
        return (self[self._reader],)


@contextlib.contextmanager
def measurements(provider: Any, reader: MetricReader) -> Generator[None]:
    """Give what is measured with a meter provider to one reader until the block ends.

    Args:
        provider: The SDK's meter provider.
        reader: Begins from zero.
    """
    consumer: Any = getattr(provider, "_measurement_consumer", None)
    before: Any = (
        getattr(consumer, "_reader_storages", None) if has(consumer, "_reader_storages") else None
    )
    provider.add_metric_reader(reader)
    if consumer is not None and before is not None and has(provider, "_measurement_consumer"):
        consumer._reader_storages = _Only(consumer._reader_storages, reader)
    try:
        yield
    finally:
        provider.remove_metric_reader(reader)
        if consumer is not None and before is not None:
            consumer._reader_storages = before
