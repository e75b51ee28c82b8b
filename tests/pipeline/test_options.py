"""What a deployment may add by a further file: host metrics, browsers, deltas, a look inside."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Counter, MeterProvider
from opentelemetry.sdk.metrics.export import AggregationTemporality, PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource

from qudag_otel.dashboards._external import HOST
from tests.servers.collectors import CONFIG, QUICK, Collector
from tests.servers.process import Ports
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers.collectors import Pipeline

pytestmark = pytest.mark.servers

ORIGIN = "https://shop.example"


@pytest.fixture(scope="module")
def options(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """A gateway with every further file that has no other tier."""
    ports = Ports()
    names = ("common", "gateway", "gateway-delta", "browser", "gateway-debug")
    gateway = Collector(
        tmp_path_factory.mktemp("options"),
        configs=[CONFIG / f"{name}.yaml" for name in names],
        environment={
            **QUICK,
            "OTELCOL_INSTANCE": "options",
            "OTELCOL_CORS_ORIGIN": ORIGIN,
            "OTELCOL_ZPAGES": str(ports["zpages"]),
            "OTELCOL_METRICS_ENDPOINT": f"{pipeline.prometheus.url}/api/v1/otlp",
        },
        ports=ports,
    )
    with gateway:
        yield gateway


def test_deltas_become_totals(pipeline: Pipeline, options: Collector) -> None:
    """Three exports of a process that sends what was added since the last one."""
    exporter = OTLPMetricExporter(
        endpoint=f"{options.otlp_http}/v1/metrics",
        preferred_temporality={Counter: AggregationTemporality.DELTA},
    )
    reader = PeriodicExportingMetricReader(exporter, export_interval_millis=float("inf"))
    provider = MeterProvider([reader], resource=Resource.create({"service.name": "deltas"}))
    counter = provider.get_meter("tests.pipeline").create_counter("tests.deltas")
    for _ in range(3):
        counter.add(5)
        assert provider.force_flush(10_000)
    provider.shutdown()

    def added() -> None:
        [total] = pipeline.prometheus.query('tests_deltas_total{job="deltas"}')
        assert total.value == 15

    eventually(added)


def _preflight(url: str, origin: str) -> str | None:
    request = urllib.request.Request(
        f"{url}/v1/traces",
        method="OPTIONS",
        headers={
            "Origin": origin,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "content-type",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            allowed: str | None = response.headers["Access-Control-Allow-Origin"]
    except urllib.error.HTTPError as error:
        with error:
            allowed = error.headers["Access-Control-Allow-Origin"]
    return allowed


def test_pages_of_the_named_origin_may_send(options: Collector) -> None:
    """A browser is told so before it sends; pages of others are not."""
    assert _preflight(options.otlp_http, ORIGIN) == ORIGIN
    assert _preflight(options.otlp_http, "https://other.example") is None


def test_no_page_may_send_by_default(pipeline: Pipeline) -> None:
    """Without the file a browser is told nothing."""
    assert _preflight(pipeline.otlp_http, ORIGIN) is None


def test_collector_shows_its_pipelines_on_loopback(options: Collector) -> None:
    """The pages name every pipeline; the log has a line for what leaves."""
    zpages = options.ports["zpages"]
    with urllib.request.urlopen(f"http://{zpages}/debug/pipelinez", timeout=10) as response:
        page = response.read().decode()
    assert {"traces/in", "metrics", "logs"} <= set(page.replace("<", ">").split(">"))


def test_agent_measures_its_host(
    pipeline: Pipeline, collector_server: Callable[..., Collector]
) -> None:
    """Disk, filesystem, network, memory and load, as series of the host, with labels as listed.

    Dashboards tell by those of the fleet which machines are staging's.
    """
    fleet = {"deployment_environment_name": "staging", "cluster": "eu-1", "group": "edge"}
    collector_server(
        configs=[CONFIG / f"{name}.yaml" for name in ("common", "agent")],
        environment={
            **QUICK,
            "OTELCOL_HOST": "measured",
            "OTELCOL_ENVIRONMENT": "staging",
            "OTELCOL_CLUSTER": "eu-1",
            "OTELCOL_GROUP": "edge",
            "OTELCOL_HOST_INTERVAL": "1s",
            "OTELCOL_GATEWAY_ENDPOINT": pipeline.otlp_http,
        },
    )

    def measured() -> None:
        for metric in HOST:
            found = pipeline.prometheus.query(f'{metric}{{job="qudag-host",instance="measured"}}')
            assert found, metric.name
            assert set(metric.labels) <= set(found[0].labels)
            assert fleet.items() <= found[0].labels.items()
        [agent] = pipeline.prometheus.query(
            'otelcol_process_uptime_seconds_total{job="qudag-agent",instance="measured"}'
        )
        assert agent.value > 0
        assert fleet.items() <= agent.labels.items()

    eventually(measured)
