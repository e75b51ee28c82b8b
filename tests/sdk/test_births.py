"""Series that are known in advance begin at 0, and the others where they were 0 last."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from qudag_otel import identity, instrumented, recorders
from qudag_otel.catalogue import metrics as m
from qudag_otel.sdk import configure
from qudag_otel.sdk.fast import births
from tests.sdk.test_otlp import environment
from tests.sdk.test_prometheus import get, start

if TYPE_CHECKING:
    from collections.abc import Callable

    from qudag_otel.catalogue import Metric
    from tests.sdk.receiver import Receiver

SILENT = {
    "OTEL_TRACES_EXPORTER": "none",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
}


@pytest.fixture
def reader() -> InMemoryMetricReader:
    """The reader of a set-up that exports nothing."""
    made = InMemoryMetricReader()
    configure(environ=SILENT, metric_readers=[made])
    return made


def collected(reader: InMemoryMetricReader, metric: Metric, **labels: str) -> list[Any]:
    """The points of one metric that carry these labels."""
    data = reader.get_metrics_data()
    return [
        point
        for resource in (data.resource_metrics if data else ())
        for scope in resource.scope_metrics
        for one in scope.metrics
        if one.name == metric.name
        for point in one.data.data_points
        if labels.items() <= dict(point.attributes or {}).items()
    ]


def failing(name: str, *, spans: bool = True) -> Callable[[], None]:
    """An operation of that name, every call of which fails."""

    @instrumented(name=name, spans=spans)
    def fail() -> None:
        raise ConnectionError

    return fail


def burst(operation: Callable[[], None]) -> None:
    """Fail a hundred times."""
    for _ in range(100):
        with pytest.raises(ConnectionError):
            operation()


@pytest.mark.parametrize("spans", [True, False])
def test_failures_of_an_operation_begin_at_0_before_there_is_a_call(
    reader: InMemoryMetricReader, spans: bool
) -> None:
    """The first hundred are an increase for whoever compares two samples."""
    operation = failing("births.before", spans=spans)
    (point,) = collected(reader, m.OPERATION_DURATION, operation="births.before")
    assert (point.count, point.attributes["outcome"]) == (0, "error")
    burst(operation)
    (point,) = collected(reader, m.OPERATION_DURATION, operation="births.before")
    assert point.count == 100


def test_errors_begin_at_the_collection_before_them(reader: InMemoryMetricReader) -> None:
    """Which types of errors there are nobody knows: their counts begin where they were 0."""
    operation = failing("births.since")
    (born,) = collected(reader, m.OPERATION_DURATION, operation="births.since")
    burst(operation)
    (point,) = collected(reader, m.ERRORS, error_type="ConnectionError")
    assert point.value == 100
    assert point.start_time_unix_nano <= born.time_unix_nano
    began = point.start_time_unix_nano
    burst(operation)
    (point,) = collected(reader, m.ERRORS, error_type="ConnectionError")
    assert (point.value, point.start_time_unix_nano) == (200, began)


def test_other_identity_begins_at_0_too(reader: InMemoryMetricReader) -> None:
    """A process that learns late which node it is has series of another name."""
    failing("births.moved")
    assert collected(reader, m.OPERATION_DURATION, operation="births.moved")
    identity.set_identity(node_id="births-node")
    found = collected(reader, m.OPERATION_DURATION, operation="births.moved", node_id="births-node")
    assert [point.count for point in found] == [0]


def test_number_of_series_that_nothing_happened_to_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Operations beyond the bound begin with their first failure."""
    monkeypatch.setattr(births, "LIMIT", 3)
    reader = InMemoryMetricReader()
    names = [f"births.many{index}" for index in range(6)]
    many = [failing(name) for name in names]
    configure(environ=SILENT, metric_readers=[reader])
    found = collected(reader, m.OPERATION_DURATION, outcome="error")
    assert len(found) == 3
    burst(many[-1])
    assert [
        point.count for point in collected(reader, m.OPERATION_DURATION, operation=names[-1])
    ] == [100]


def test_scrape_shows_the_failures_that_there_are_not() -> None:
    """/metrics has no time at which a series began: its first sample has to be the 0."""
    failing("births.scraped")
    page, _ = get(start())
    (line,) = [
        line
        for line in page.decode().splitlines()
        if line.startswith(f"{m.OPERATION_DURATION.prometheus_name}_count")
        and 'operation="births.scraped"' in line
    ]
    assert 'outcome="error"' in line
    assert line.endswith(" 0")


def test_distribution_of_nothing_is_exported_without_extremes(receiver: Receiver) -> None:
    """The SDK's least and greatest value of nothing are infinities, which mean something else."""
    failing("births.exported")
    telemetry = configure(environ=environment(receiver, "http/protobuf"))
    assert telemetry.force_flush()
    (point,) = [
        point
        for _, metric in receiver.metrics()
        if metric.name == m.OPERATION_DURATION.name
        for point in metric.histogram.data_points
        if any(one.value.string_value == "births.exported" for one in point.attributes)
    ]
    assert not point.count
    assert not point.HasField("min")
    assert not point.HasField("max")


def test_counters_that_the_catalogue_lists_begin_together(reader: InMemoryMetricReader) -> None:
    """Who counts tasks of a type that succeed sees the first that fails."""
    recorders.record_cache_eviction("births", "expired")
    found = collected(reader, m.CACHE_EVICTIONS, cache_type="births")
    assert {point.attributes["reason"]: point.value for point in found} == {
        "capacity": 0, "expired": 1, "memory_pressure": 0, "explicit": 0, "memory": 0,
    }  # fmt: skip
