"""Agent to gateway with TLS, a client certificate and a token; and everybody else."""

from __future__ import annotations

import http.client
import json
import shutil
import ssl
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import grpc  # type: ignore[import-untyped]  # it ships no types
import pytest
from opentelemetry.trace import format_trace_id

from qudag_otel.catalogue import metrics
from tests.pipeline.application import Application
from tests.pipeline.certificates import Authority
from tests.servers.collectors import CONFIG, QUICK, Collector
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers.collectors import Pipeline

pytestmark = pytest.mark.servers

TOKEN = "the-right-token"
GATEWAY = tuple(CONFIG / f"{name}.yaml" for name in ("common", "gateway", "gateway-tls"))
AGENT = tuple(CONFIG / f"{name}.yaml" for name in ("common", "agent", "agent-tls"))


class Protected(NamedTuple):
    """A gateway that asks for certificate and token, and the folders of three agents."""

    gateway: Collector
    token: Path
    right: Path
    foreign: Path
    other_server: Path

    @property
    def https(self) -> str:
        """The URL that agents send to."""
        return self.gateway.otlp_http.replace("http:", "https:")


@pytest.fixture(scope="module")
def protected(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Protected]:
    """The gateway in front of the backends, with certificates for it and for its agents."""
    folder = tmp_path_factory.mktemp("tls")
    servers, clients, strangers = Authority("servers"), Authority("clients"), Authority("strangers")
    server = _folder(folder / "gateway")
    servers.issue("gateway", server / "server.crt", server / "server.key")
    clients.write(server / "client-ca.crt")
    agents = {
        "right": (servers, clients),
        "foreign": (servers, strangers),
        "other_server": (strangers, clients),
    }
    for name, (trusted, issuer) in agents.items():
        agent = _folder(folder / name)
        trusted.write(agent / "ca.crt")
        issuer.issue("agent", agent / "client.crt", agent / "client.key")
    environment = {
        **QUICK,
        "OTELCOL_TLS": str(server),
        "OTELCOL_INSTANCE": "protected",
        "OTELCOL_TRACES_ENDPOINT": pipeline.jaeger.otlp_http,
        "OTELCOL_METRICS_ENDPOINT": f"{pipeline.prometheus.url}/api/v1/otlp",
        "OTELCOL_LOGS_ENDPOINT": pipeline.logs.otlp_http,
    }
    with Collector(folder / "run", configs=GATEWAY, environment=environment) as gateway:
        yield Protected(gateway, server / "token", *(folder / name for name in agents))


def _folder(path: Path) -> Path:
    path.mkdir()
    (path / "token").write_text(TOKEN)
    return path


def _agent(protected: Protected, tls: Path, instance: str) -> dict[str, str]:
    return {
        **QUICK,
        "OTELCOL_TLS": str(tls),
        "OTELCOL_INSTANCE": instance,
        "OTELCOL_GATEWAY_ENDPOINT": protected.https,
    }


def test_agent_with_certificate_and_token_hands_on_every_signal(
    pipeline: Pipeline, protected: Protected, collector_server: Callable[..., Collector]
) -> None:
    """Through both tiers: the trace, the log line, the metric, and the agent's own telemetry."""
    agent = collector_server(configs=AGENT, environment=_agent(protected, protected.right, "a-1"))
    metric = metrics.MESSAGE_THROUGHPUT
    with Application(agent.otlp_http, "tiered") as app:
        counter = app.meter.create_counter(metric.name, unit=metric.unit)
        counter.add(3, {"node_id": "n-1", "message_type": "file", "direction": "inbound"})
        attributes = {"sampling.force": True}
        with app.tracer.start_as_current_span("two tiers", attributes=attributes) as span:
            app.log("through two tiers")
        app.flush()

    def arrived() -> None:
        trace = pipeline.jaeger.trace(format_trace_id(span.get_span_context().trace_id))
        assert [one["operationName"] for one in trace["spans"]] == ["two tiers"]
        assert pipeline.logs.messages('{service.name="tiered"}') == ["through two tiers"]
        [throughput] = pipeline.prometheus.query(
            f'{metric.prometheus_name}{{service_name="tiered",node_id="n-1"}}'
        )
        assert throughput.value == 3
        [own] = pipeline.prometheus.query(
            'sum(otelcol_exporter_sent_spans_total{service_name="qudag-agent",instance="a-1"})'
        )
        assert own.value == 1

    eventually(arrived)


def _status(protected: Protected, tls: Path, token: str | None) -> int:
    """What the gateway answers to an empty export."""
    context = ssl.create_default_context(cafile=str(tls / "ca.crt"))
    context.load_cert_chain(tls / "client.crt", tls / "client.key")
    headers = {"Content-Type": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    return _post(protected, context, headers)


def _post(protected: Protected, context: ssl.SSLContext, headers: dict[str, str]) -> int:
    address = urlsplit(protected.https).netloc
    connection = http.client.HTTPSConnection(address, context=context, timeout=10)
    try:
        connection.request("POST", "/v1/traces", json.dumps({"resourceSpans": []}), headers)
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("token", "status"),
    [(TOKEN, 200), ("a wrong token", 401), ("", 401), (None, 401)],
    ids=["right", "wrong", "empty", "none"],
)
def test_sender_is_asked_for_the_token_over_http(
    protected: Protected, token: str | None, status: int
) -> None:
    """Only the right token is let in; all others get 401."""
    assert _status(protected, protected.right, token) == status


@pytest.mark.parametrize(
    ("token", "code"),
    [(TOKEN, None), ("a wrong token", grpc.StatusCode.UNAUTHENTICATED)],
    ids=["right", "wrong"],
)
def test_sender_is_asked_for_the_token_over_grpc(
    protected: Protected, token: str, code: grpc.StatusCode | None
) -> None:
    """The gRPC port asks for the same."""
    tls = protected.right
    credentials = grpc.ssl_channel_credentials(
        *((tls / name).read_bytes() for name in ("ca.crt", "client.key", "client.crt"))
    )
    address = protected.gateway.otlp_grpc.removeprefix("http://")
    with grpc.secure_channel(address, credentials) as channel:
        export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        call = export.with_call
        metadata = (("authorization", f"Bearer {token}"),)
        if code is None:
            call(b"", metadata=metadata, timeout=10)
            return
        with pytest.raises(grpc.RpcError) as refused:
            call(b"", metadata=metadata, timeout=10)
    assert refused.value.code() is code


def test_sender_with_a_certificate_of_another_authority_is_cut_off(protected: Protected) -> None:
    """The handshake fails before any token is looked at."""
    with pytest.raises((ssl.SSLError, ConnectionError)):
        _status(protected, protected.foreign, TOKEN)


def test_sender_without_a_certificate_is_cut_off(protected: Protected) -> None:
    """The token alone opens nothing."""
    context = ssl.create_default_context(cafile=str(protected.right / "ca.crt"))
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}
    with pytest.raises((ssl.SSLError, ConnectionError)):
        _post(protected, context, headers)


def test_sender_in_plain_text_is_refused(protected: Protected) -> None:
    """HTTP without TLS gets no answer that takes data."""
    connection = http.client.HTTPConnection(urlsplit(protected.https).netloc, timeout=10)
    try:
        connection.request("POST", "/v1/traces", "{}", {"Content-Type": "application/json"})
        assert connection.getresponse().status == 400
    finally:
        connection.close()


def test_agent_that_meets_an_unknown_gateway_keeps_its_data(
    pipeline: Pipeline, protected: Protected, collector_server: Callable[..., Collector]
) -> None:
    """A server certificate of another authority: nothing is sent, and it waits on disk."""
    environment = _agent(protected, protected.other_server, "a-2")
    agent = collector_server(configs=AGENT, environment=environment)
    with Application(agent.otlp_http, "careful") as app:
        app.log("for the right gateway only")
        app.flush()

    def refused() -> None:
        assert "certificate signed by unknown authority" in agent.log.read_text()

    eventually(refused)
    agent.stop()
    [queue] = agent.storage.glob("*_logs")
    assert b"for the right gateway only" in queue.read_bytes()
    assert pipeline.logs.query('{service.name="careful"}') == []


def test_agent_with_a_wrong_token_drops_its_data_and_says_so(
    pipeline: Pipeline,
    protected: Protected,
    collector_server: Callable[..., Collector],
    tmp_path: Path,
) -> None:
    """To OTLP a 401 is final: the agent does not retry, its log names the reason."""
    tls = tmp_path / "tls"
    shutil.copytree(protected.right, tls)
    (tls / "token").write_text("a wrong token")
    agent = collector_server(configs=AGENT, environment=_agent(protected, tls, "a-3"))
    with Application(agent.otlp_http, "mistaken") as app:
        app.log("with the wrong token")
        app.flush()

    def dropped() -> None:
        log = agent.log.read_text()
        assert "HTTP Status Code 401" in log
        assert "Dropping data" in log

    eventually(dropped)
    assert pipeline.logs.query('{service.name="mistaken"}') == []


def test_token_that_is_replaced_is_read_again(protected: Protected) -> None:
    """A new token in the file counts without a restart, and the old one no longer does."""
    file = protected.token
    file.write_text("the-next-token")
    try:
        eventually(lambda: _assert_status(protected, "the-next-token", 200))
        eventually(lambda: _assert_status(protected, TOKEN, 401))
    finally:
        file.write_text(TOKEN)
    eventually(lambda: _assert_status(protected, TOKEN, 200))


def _assert_status(protected: Protected, token: str, status: int) -> None:
    assert _status(protected, protected.right, token) == status
