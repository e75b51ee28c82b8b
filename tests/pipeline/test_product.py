"""What this package emits from real work, against what the work counted itself."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from qudag_otel.catalogue import Instrument, metrics
from tests.pipeline.processes import otlp_environment, running
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from tests.servers.collectors import Pipeline

pytestmark = pytest.mark.servers

REQUESTS = 6
EVERYTHING = {"OTEL_METRICS_EXPORTER": "otlp", "OTEL_LOGS_EXPORTER": "otlp"}

# Each span of a request's trace, and the span it is below.
TREE = {
    ("deco-user", "request"): None,
    ("deco-user", "split"): ("deco-user", "request"),
    ("deco-user", "digest"): ("deco-user", "split"),
    ("deco-user", "fetch"): ("deco-user", "request"),
    ("deco-user", "stream"): ("deco-user", "fetch"),
    ("deco-user", "ask"): ("deco-user", "stream"),
    ("deco-store", "serve"): ("deco-user", "ask"),
    ("deco-store", "store"): ("deco-store", "serve"),
    ("deco-user", "compress"): ("deco-user", "request"),
}


@pytest.fixture(scope="module")
def counted(pipeline: Pipeline) -> dict[str, dict[str, int]]:
    """What two processes of decorated functions counted themselves, by service."""
    user, store = (
        {**otlp_environment(pipeline.otlp_http, name, qudag__node__id=name), **EVERYTHING}
        for name in ("deco-user", "deco-store")
    )
    with (
        running("decorated", store, "", "0") as serving,
        running("decorated", user, serving.said["url"], str(REQUESTS)) as asking,
    ):
        return {
            "deco-user": json.loads(asking.finish()),
            "deco-store": json.loads(serving.finish()),
        }


def _tree(trace: dict[str, Any]) -> dict[tuple[str, str], set[tuple[str, str] | None]]:
    names = {
        span["spanID"]: (
            trace["processes"][span["processID"]]["serviceName"],
            span["operationName"],
        )
        for span in trace["spans"]
    }
    parents: dict[tuple[str, str], set[tuple[str, str] | None]] = {}
    for span in trace["spans"]:
        above = next((names.get(one["spanID"]) for one in span["references"]), None)
        parents.setdefault(names[span["spanID"]], set()).add(above)
    return parents


def test_decorated_work_across_tasks_threads_and_processes_is_one_trace(
    pipeline: Pipeline, counted: dict[str, dict[str, int]]
) -> None:
    """Generator, async generator, task, thread pool and the other process: right parents."""

    def whole() -> None:
        traces = pipeline.jaeger.traces("deco-user")
        assert len(traces) == REQUESTS
        for trace in traces:
            # Two pieces: two digests in the generator, two questions to the other process.
            assert len(trace["spans"]) == len(TREE) + 4
            assert _tree(trace) == {span: {parent} for span, parent in TREE.items()}

    eventually(whole)


def test_exemplars_of_decorated_work_name_its_traces(
    pipeline: Pipeline, counted: dict[str, dict[str, int]]
) -> None:
    """The duration histogram's exemplars lead to traces with a span of that operation."""
    series = f'{metrics.OPERATION_DURATION.prometheus_name}_bucket{{operation="compress"}}'

    def followed() -> None:
        exemplars = pipeline.prometheus.exemplars(series)
        assert exemplars
        for exemplar in exemplars:
            trace = pipeline.jaeger.trace(exemplar["labels"]["trace_id"])
            span_id = exemplar["labels"]["span_id"]
            [span] = [span for span in trace["spans"] if span["spanID"] == span_id]
            assert span["operationName"] == "compress"

    eventually(followed)


def test_failed_requests_are_kept_by_tail_sampling_with_their_error(
    pipeline: Pipeline, counted: dict[str, dict[str, int]]
) -> None:
    """Each request that raised is a whole trace with the exception's type."""

    def kept() -> None:
        tags = json.dumps({"error.type": "TimeoutError"})
        traces = pipeline.jaeger.traces("deco-user", tags=tags)
        assert len(traces) == counted["deco-user"]["errors"] == REQUESTS // 3
        assert {len(trace["spans"]) for trace in traces} == {len(TREE) + 4}

    eventually(kept)


def test_operation_metrics_and_span_metrics_agree_with_the_own_counts(
    pipeline: Pipeline, counted: dict[str, dict[str, int]]
) -> None:
    """Application, its metrics, and the metrics made of its spans count the same calls."""
    duration = metrics.OPERATION_DURATION.prometheus_name
    expected = {
        (service, operation): float(count)
        for service, calls in counted.items()
        for operation, count in calls.items()
        if operation != "errors"
    }

    def agreed() -> None:
        recorded = pipeline.prometheus.query(
            f'sum by (node_id, operation) ({duration}_count{{node_id=~"deco-.*"}}) > 0'
        )
        found = {(one.labels["node_id"], one.labels["operation"]): one.value for one in recorded}
        assert found == expected
        spans = pipeline.prometheus.query(
            'sum by (node_id, span_name) (traces_span_metrics_calls_total{node_id=~"deco-.*"})'
        )
        found = {(one.labels["node_id"], one.labels["span_name"]): one.value for one in spans}
        assert found == expected

    eventually(agreed)


def test_errors_and_service_graph_agree_with_the_own_counts(
    pipeline: Pipeline, counted: dict[str, dict[str, int]]
) -> None:
    """Failed requests, and calls from one process to the other."""

    def agreed() -> None:
        [errors] = pipeline.prometheus.query(
            f'sum({metrics.ERRORS.prometheus_name}{{node_id="deco-user",error_type="TimeoutError"}})'
        )
        assert errors.value == counted["deco-user"]["errors"]
        [edge] = pipeline.prometheus.query(
            'traces_service_graph_request_total{client="deco-user",server="deco-store"}'
        )
        assert edge.value == counted["deco-user"]["ask"] == counted["deco-store"]["serve"]

    eventually(agreed)


# Measured while it runs: at the end of the run the nodes know their average, not the last value.
MOVING = {
    metrics.AGENT_UTILIZATION.prometheus_name,
    metrics.CPU_USAGE.prometheus_name,
    metrics.SYSTEM_MEMORY.prometheus_name,
}
# The nodes time their work with clock readings of their own, a few steps away from the metric's;
# a busy machine may stop the process once between the two.
CLOCK_SECONDS, STOPPED_SECONDS = 0.002, 0.1


def test_demo_nodes_under_load_arrive_as_they_counted_themselves(pipeline: Pipeline) -> None:
    """The demo's own account of a run is what Prometheus holds, metric by metric."""
    environment = {
        **os.environ,
        **otlp_environment(pipeline.otlp_http, "demo-run"),
        **EVERYTHING,
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_EXPORTER_PROMETHEUS_PORT": "0",
    }
    options = ["--headless", "--duration", "4", "--rate", "20", "--fault", "error-burst"]
    done = subprocess.run(
        [sys.executable, "-m", "qudag_otel", "demo", *options],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    account = json.loads(done.stdout)["counted"]
    assert set(account) == {metric.prometheus_name for metric in metrics.CONTRACT}

    def arrived() -> None:
        assert _differences(pipeline, account) == []

    eventually(arrived)


def _differences(pipeline: Pipeline, account: dict[str, list[dict[str, Any]]]) -> list[str]:
    wrong = []
    for metric in metrics.CONTRACT:
        name = metric.prometheus_name
        for sample in account[name]:
            labels = ",".join(f'{key}="{value}"' for key, value in sample["labels"].items())
            selector = f'{{service_name="demo-run",{labels}}}'
            if metric.instrument is Instrument.HISTOGRAM:
                count, total = sample["count"], sample["sum"]
                wanted = {
                    f"{name}_count": (count, 0.0),
                    f"{name}_sum": (total, STOPPED_SECONDS + CLOCK_SECONDS * count),
                }
            else:
                wanted = {name: (sample["value"], math.inf if name in MOVING else 1e-9)}
            for series, (value, tolerance) in wanted.items():
                found = [one.value for one in pipeline.prometheus.query(series + selector)]
                if len(found) != 1 or abs(found[0] - value) > tolerance:
                    wrong.append(f"{series}{selector}: counted {value}, found {found}")
    return wrong
