"""A counter whose first sample is large counts from 0 on: seen with the real server."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, ResourceMetrics

from qudag_otel.catalogue import metrics as m
from tests.fleet import world
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.backends import Prometheus

NANO = 1_000_000_000
LABELS = {"node_id": "a", "component": "c", "error_type": "E"}


def _errors(began: float, samples: dict[float, float]) -> ResourceMetrics:
    """Errors counted since a time, as a process exports them."""
    resource = ResourceMetrics()
    data = resource.scope_metrics.add().metrics.add(name=m.ERRORS.name, unit=m.ERRORS.unit).sum
    data.is_monotonic = True
    data.aggregation_temporality = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    for at, value in samples.items():
        point = data.data_points.add(as_double=value)
        point.start_time_unix_nano, point.time_unix_nano = int(began * NANO), int(at * NANO)
        for key, label in LABELS.items():
            point.attributes.add(key=key).value.string_value = label
    return resource


@pytest.mark.servers("prometheus")
def test_hundred_errors_before_the_first_export_are_an_increase(
    prometheus_server: Callable[..., Prometheus],
) -> None:
    """0, 100, 135: the start of the count is a sample of its own, and the rule sees the burst."""
    prometheus = prometheus_server()
    now = time.time()
    world.send(prometheus.url, [_errors(now - 61, {now - 60: 100.0, now - 1: 135.0})])
    name = m.ERRORS.prometheus_name

    def stored() -> None:
        assert prometheus.samples(f"{name}[5m]") == [[0.0, 100.0, 135.0]]
        (increase,) = prometheus.query(f"increase({name}[5m])")
        assert increase.value >= 135

    eventually(stored)


PROGRAM: Final = """
from qudag_otel import instrumented
from qudag_otel.sdk import configure

@instrumented(name="burst")
def burst():
    raise ConnectionError

telemetry = configure()
assert telemetry.force_flush()
for _ in range(100):
    try:
        burst()
    except ConnectionError:
        pass
assert telemetry.force_flush()
"""
"""All calls fail, and all did before the second export."""


@pytest.mark.servers("prometheus")
def test_first_failures_of_a_program_are_an_increase(
    prometheus_server: Callable[..., Prometheus],
) -> None:
    """Of its operation, which is known before, and of its errors, whose types nobody knows."""
    prometheus = prometheus_server()
    environ = {name: text for name, text in os.environ.items() if not name.startswith("OTEL_")}
    url = f"{prometheus.url}/api/v1/otlp/v1/metrics"
    environ |= {
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": url,
        "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/protobuf",
        "OTEL_TRACES_EXPORTER": "none",
        "OTEL_LOGS_EXPORTER": "none",
    }
    subprocess.run([sys.executable, "-c", PROGRAM], env=environ, check=True, timeout=120)
    failed = f'{m.OPERATION_DURATION.prometheus_name}_count{{outcome="error"}}'

    def seen() -> None:
        for series in (failed, m.ERRORS.prometheus_name):
            assert [value[0] for value in prometheus.samples(f"{series}[5m]")] == [0]
            (increase,) = prometheus.query(f"increase({series}[5m])")
            assert increase.value >= 100

    eventually(seen)
