"""The Collector's own telemetry: what it took, refused, failed to hand on, and has waiting."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from tests.pipeline.application import Application
from tests.servers.collectors import QUICK
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.collectors import Collector, Pipeline

pytestmark = pytest.mark.servers


def _own(pipeline: Pipeline, name: str, instance: str) -> float:
    [found] = pipeline.prometheus.query(
        f'sum({name}{{service_name="qudag-gateway",instance="{instance}"}})'
    )
    return found.value


def _status(url: str, body: bytes) -> int:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_collector_at_work_reports_accepted_and_sent_and_queued(pipeline: Pipeline) -> None:
    """Its counters of every signal reach Prometheus through its own metrics pipeline."""
    assert pipeline.jaeger.pid  # what takes traces, and what takes logs
    assert pipeline.logs.pid
    with Application(pipeline.otlp_http, "counted") as app:
        app.meter.create_counter("tests.counted").add(1)
        with app.tracer.start_as_current_span("counted", attributes={"sampling.force": True}):
            app.log("counted")
        app.flush()

    def reported() -> None:
        for signal in ("spans", "metric_points", "log_records"):
            for kind in ("receiver_accepted", "exporter_sent"):
                assert _own(pipeline, f"otelcol_{kind}_{signal}_total", "gateway-0") > 0
        assert _own(pipeline, "otelcol_exporter_queue_size", "gateway-0") >= 0
        assert _own(pipeline, "otelcol_exporter_queue_capacity", "gateway-0") > 0

    eventually(reported)


def test_collector_whose_backend_rejects_reports_what_failed(
    pipeline: Pipeline, collector_server: Callable[..., Collector]
) -> None:
    """Spans that a backend refuses for good are counted as failed; a silent one fills the queue."""
    collector = collector_server(
        environment={
            **QUICK,
            "OTELCOL_INSTANCE": "rejected",
            "OTELCOL_METRICS_ENDPOINT": f"{pipeline.prometheus.url}/api/v1/otlp",
            "OTELCOL_TRACES_ENDPOINT": pipeline.prometheus.url,  # 404: no spans here
            "OTELCOL_LOGS_ENDPOINT": "http://127.0.0.1:9",  # nobody listens
        }
    )
    with Application(collector.otlp_http, "rejected") as app:
        for _ in range(3):
            with app.tracer.start_as_current_span("work", attributes={"sampling.force": True}):
                app.log("work")
            app.flush()

    def reported() -> None:
        failed = "otelcol_exporter_send_failed_spans_total"
        assert _own(pipeline, failed, "rejected") == 3
        assert _own(pipeline, "otelcol_exporter_queue_size", "rejected") > 0

    eventually(reported)


def test_collector_short_of_memory_reports_what_it_refused(
    pipeline: Pipeline, collector_server: Callable[..., Collector]
) -> None:
    """The memory limiter answers 503, senders keep the data, and its count arrives."""
    collector = collector_server(
        environment={
            **QUICK,
            "OTELCOL_INSTANCE": "full",
            "OTELCOL_METRICS_ENDPOINT": f"{pipeline.prometheus.url}/api/v1/otlp",
            "OTELCOL_MEMORY_MIB": "2",
            "OTELCOL_MEMORY_SPIKE_MIB": "1",
        }
    )
    body = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"name":"one"}]}]}]}'

    def refused() -> None:
        assert _status(f"{collector.otlp_http}/v1/traces", body) == 503

    eventually(refused)

    def reported() -> None:
        assert _own(pipeline, "otelcol_receiver_refused_spans_total", "full") > 0

    eventually(reported)
