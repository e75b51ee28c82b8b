"""The metrics of the SDK itself: named by convention, true in an outage, and free to record."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.semconv._incubating.metrics import otel_metrics

from qudag_otel import instrumented
from qudag_otel.catalogue import Instrument, Metric
from qudag_otel.catalogue import sdk as c
from qudag_otel.sdk import configure, reset
from tests.sdk import programs
from tests.sdk.receiver import Answer
from tests.sdk.test_otlp import PROTOCOLS, environment, record_one_of_each
from tests.sdk.test_receivers import told

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sdk.receiver import Receiver


def collected(reader: InMemoryMetricReader) -> dict[str, dict[str, Any]]:
    """Every metric of the SDK itself: the points by component type or error, as one text."""
    data = reader.get_metrics_data()
    assert data is not None
    found: dict[str, dict[str, Any]] = {}
    for resource in data.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                if metric.name.startswith("otel.sdk."):
                    points = found.setdefault(metric.name, {})
                    for point in metric.data.data_points:
                        pairs = point.attributes or {}
                        key = [
                            str(pairs.get(name, ""))
                            for name in (c.COMPONENT_NAME.key, c.FAILURE.key)
                        ]
                        points["|".join(key)] = point
    return found


def value(found: dict[str, dict[str, Any]], metric: Metric, key: str) -> Any:
    """One point's value."""
    return found[metric.name][key].value


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_queues_and_exporters_are_measured_as_the_conventions_say(
    receiver: Receiver, protocol: str
) -> None:
    """Spans, records and points by queue and exporter; decorated calls are spans like others."""
    reader = InMemoryMetricReader()
    telemetry = configure(environ=environment(receiver, protocol), metric_readers=[reader])
    record_one_of_each()
    with instrumented.block("x"):
        found = collected(reader)
        assert value(found, c.SPAN_LIVE, "|") == 1
        assert value(found, c.SPAN_STARTED, "|") == 2
    assert telemetry.force_flush()
    found = collected(reader)
    kind = "otlp_grpc" if protocol == "grpc" else "otlp_http"
    assert set(found) == {metric.name for metric in c.SDK_METRICS}
    assert value(found, c.SPAN_LIVE, "|") == 0
    assert value(found, c.SPAN_STARTED, "|") == 2
    assert value(found, c.LOG_CREATED, "|") == 1
    assert value(found, c.PROCESSED["traces"], "batching_span_processor/0|") == 2
    assert value(found, c.PROCESSED["traces"], "batching_span_processor/0|queue_full") == 0
    assert value(found, c.QUEUE_CAPACITY["logs"], "batching_log_processor/0|") == 2048
    assert value(found, c.QUEUE_SIZE["logs"], "batching_log_processor/0|") == 0
    assert value(found, c.EXPORTED["traces"], f"{kind}_span_exporter/0|") == 2
    assert value(found, c.EXPORTED["logs"], f"{kind}_log_exporter/0|") == 1
    assert value(found, c.EXPORTED["metrics"], f"{kind}_metric_exporter/0|") > 3
    point = found[c.EXPORT_DURATION.name][f"{kind}_span_exporter/0|"]
    assert (point.count, point.explicit_bounds) == (1, c.EXPORT_DURATION.bounds)
    assert point.attributes[c.SERVER_ADDRESS.key] == "127.0.0.1"
    assert isinstance(point.attributes[c.SERVER_PORT.key], int)
    assert found[c.COLLECTION_DURATION.name]["periodic_metric_reader/0|"].count == 1


def test_loss_is_one_number_in_metric_line_and_answer(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """What was dropped before the exporter and what it lost add up to what the line tells."""
    receiver.answer = lambda signal: Answer(400) if signal == "traces" else None
    reader = InMemoryMetricReader()
    telemetry = configure(
        environ=environment(
            receiver, "http/protobuf", OTEL_METRICS_EXPORTER="none",
            OTEL_BSP_MAX_QUEUE_SIZE="20", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="20",
        ),
        metric_readers=[reader],
    )  # fmt: skip
    for number in range(300):
        trace.get_tracer("t").start_span(str(number)).end()
    assert not telemetry.force_flush()
    found = collected(reader)
    dropped = value(found, c.PROCESSED["traces"], "batching_span_processor/0|queue_full")
    failed = value(found, c.EXPORTED["traces"], "otlp_http_span_exporter/0|400")
    assert dropped + failed == 300
    assert value(found, c.EXPORTED["traces"], "otlp_http_span_exporter/0|") == 0
    receiver.answer = lambda _: None
    trace.get_tracer("t").start_span("good").end()
    assert telemetry.force_flush()
    assert re.search(r"(\d+) were lost", told(caplog)[-1]).group(1) == "300"  # type: ignore[union-attr]  # it matches


def test_console_and_records_of_a_full_queue_are_measured(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Exporters that are not OTLP's have their own name as their kind."""
    reader = InMemoryMetricReader()
    telemetry = configure(
        environ={"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
        logs_exporter="console", metric_readers=[reader],
    )  # fmt: skip
    logging.getLogger("app").warning("said")
    assert telemetry.force_flush()
    assert value(collected(reader), c.EXPORTED["logs"], "console/0|") == 1
    assert "said" in capsys.readouterr().out


def test_switch_of_the_sdk_turns_them_off(receiver: Receiver) -> None:
    """The variable is the Python SDK's own."""
    reader = InMemoryMetricReader()
    configure(
        environ=environment(
            receiver, "grpc", OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED="false"
        ),
        metric_readers=[reader],
    )  # fmt: skip
    record_one_of_each()
    assert collected(reader) == {}
    reset()


def test_switch_turned_on_counts_nothing_twice(tmp_path: Path, receiver: Receiver) -> None:
    """With the SDK's own instruments on, each span and record is counted once over all scopes."""
    out, err = programs.run(
        tmp_path,
        """
        import logging
        from opentelemetry import trace
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from qudag_otel import configure, instrumented

        reader = InMemoryMetricReader()
        telemetry = configure(metric_readers=[reader])
        for _ in range(3):
            trace.get_tracer("t").start_span("s").end()
        with instrumented.block("b"):
            logging.getLogger("app").warning("said")
        telemetry.force_flush()
        telemetry.force_flush()
        sums = {}
        for resource in reader.get_metrics_data().resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    for point in metric.data.data_points:
                        if metric.name.startswith(("otel.sdk.span.", "otel.sdk.log.")):
                            sums[metric.name] = sums.get(metric.name, 0) + point.value
        print(sorted(sums.items()))
        telemetry.shutdown()
        """,
        environment(receiver, "grpc", OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED="true"),
    )
    assert out.strip() == (
        "[('otel.sdk.log.created', 1), ('otel.sdk.span.live', 0), ('otel.sdk.span.started', 4)]"
    )
    assert err.strip() == "said"


def test_catalogue_has_the_names_and_units_of_the_conventions() -> None:
    """Each metric is one of OpenTelemetry's, with its unit and its kind of instrument."""
    kinds = {Instrument.COUNTER: "counter", Instrument.UP_DOWN_COUNTER: "up_down_counter",
             Instrument.HISTOGRAM: "histogram"}  # fmt: skip

    class Meter:
        def __getattr__(self, method: str) -> Any:
            return lambda name="", unit="", **_: (name, unit, method)

    for metric in c.SDK_METRICS:
        create = getattr(otel_metrics, f"create_{metric.name.replace('.', '_')}")
        name, unit, method = create(Meter())
        assert (name, unit) == (metric.name, metric.unit)
        assert method == f"create_{kinds[metric.instrument]}"
