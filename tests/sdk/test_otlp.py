"""OTLP: what is recorded arrives, over both protocols and with every option."""

from __future__ import annotations

import logging
import urllib.request
from typing import TYPE_CHECKING

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics.view import (
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    View,
)

from qudag_otel.catalogue import metrics as m
from qudag_otel.instruments import series
from qudag_otel.sdk import configure, reset
from tests.sdk.certificates import Authority
from tests.sdk.receiver import Receiver, Tls, attributes, eventually

if TYPE_CHECKING:
    from pathlib import Path

PROTOCOLS = ["grpc", "http/protobuf"]


def environment(receiver: Receiver, protocol: str, **more: str) -> dict[str, str]:
    """The variables that send everything to a receiver."""
    endpoint = receiver.grpc_endpoint if protocol == "grpc" else receiver.http_endpoint
    return {
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
        **more,
    }


def record_one_of_each() -> None:
    """Record a span, a metric and a log record."""
    with trace.get_tracer("t").start_as_current_span("work"):
        metrics.get_meter("t").create_counter("done").add(3, {"k": "v"})
        logging.getLogger("app").warning("said %d", 7, extra={"shelf": "left"})


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_otlp_all_signals_arrive_with_one_resource(receiver: Receiver, protocol: str) -> None:
    """Spans, metrics and logs arrive over a protocol, all with the same resource."""
    telemetry = configure(
        environ=environment(
            receiver, protocol, OTEL_RESOURCE_ATTRIBUTES="qudag.node.id=n7,deployment=a%2Cb"
        ),
        service_name="shop",
        swarm_id="s3",
    )
    record_one_of_each()
    assert telemetry.force_flush()

    assert receiver.span_names() == ["work"]
    assert {request.protocol for request in receiver.requests} == {protocol}
    (metric,) = [metric for _, metric in receiver.metrics() if metric.name == "done"]
    (point,) = metric.sum.data_points
    assert (point.as_int, attributes(point.attributes)) == (3, {"k": "v"})
    (record,) = receiver.logs()
    assert (record.body.string_value, record.severity_text) == ("said 7", "WARN")
    assert attributes(record.attributes)["shelf"] == "left"
    assert record.trace_id == receiver.spans()[0].trace_id
    for signal in ("traces", "metrics", "logs"):
        (resource,) = receiver.resources(signal)
        assert resource["service.name"] == "shop"
        assert resource["qudag.node.id"] == "n7"
        assert resource["qudag.swarm.id"] == "s3"
        assert resource["deployment"] == "a,b"
        assert {"host.name", "process.pid", "service.instance.id", "os.type"} <= resource.keys()


@pytest.mark.parametrize(
    ("protocol", "compression"),
    [("grpc", "gzip"), ("http/protobuf", "gzip"), ("http/protobuf", "deflate")],
)
def test_otlp_headers_and_compression_reach_the_receiver(
    receiver: Receiver, protocol: str, compression: str
) -> None:
    """Headers come decoded with every request; the body comes compressed."""
    telemetry = configure(
        environ=environment(
            receiver,
            protocol,
            OTEL_EXPORTER_OTLP_HEADERS="api-key=a%2Cb,tenant=t",
            OTEL_EXPORTER_OTLP_LOGS_HEADERS="api-key=logs",
            OTEL_EXPORTER_OTLP_COMPRESSION=compression,
        )
    )
    record_one_of_each()
    assert telemetry.force_flush()
    (traces,) = receiver.of("traces")
    assert (traces.headers["api-key"], traces.headers["tenant"]) == ("a,b", "t")
    (logs,) = receiver.of("logs")
    assert logs.headers["api-key"] == "logs"
    assert "tenant" not in logs.headers
    if protocol != "grpc":  # over gRPC the library decompresses, and hides that it did
        assert traces.headers["content-encoding"] == compression


def test_otlp_endpoint_of_one_signal_is_used_as_it_is(receiver: Receiver) -> None:
    """The general endpoint gets a path appended, that of one signal does not."""
    telemetry = configure(
        environ={
            **environment(receiver, "http/protobuf"),
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"{receiver.http_endpoint}/base/",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.http_endpoint}/own/traces",
        }
    )
    record_one_of_each()
    assert telemetry.force_flush()
    paths = {request.signal: request.headers[":path"] for request in receiver.requests}
    assert paths == {
        "traces": "/own/traces",
        "metrics": "/base/v1/metrics",
        "logs": "/base/v1/logs",
    }


def test_otlp_protocol_of_one_signal_wins(receiver: Receiver) -> None:
    """Signals may take different ways."""
    telemetry = configure(
        environ={
            **environment(receiver, "grpc"),
            "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": f"{receiver.http_endpoint}/v1/logs",
        }
    )
    record_one_of_each()
    assert telemetry.force_flush()
    assert {request.signal: request.protocol for request in receiver.requests} == {
        "traces": "grpc",
        "metrics": "grpc",
        "logs": "http/protobuf",
    }


def test_otlp_endpoint_without_scheme_needs_insecure(receiver: Receiver) -> None:
    """A bare host and port over gRPC means TLS, unless the variable says otherwise."""
    telemetry = configure(
        environ={
            **environment(receiver, "grpc", OTEL_EXPORTER_OTLP_INSECURE="true"),
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.grpc_endpoint.removeprefix("http://"),
        }
    )
    record_one_of_each()
    assert telemetry.force_flush()
    assert receiver.span_names() == ["work"]


@pytest.mark.parametrize("mutual", [False, True])
def test_otlp_tls_verifies_and_presents_certificates(tmp_path: Path, mutual: bool) -> None:
    """The receiver's certificate is checked against ours, and ours is shown where asked for."""
    authority = Authority()
    (tmp_path / "ca.pem").write_bytes(authority.certificate)
    key, certificate = authority.issue("localhost")
    own_key, own_certificate = authority.issue("client")
    (tmp_path / "key.pem").write_bytes(own_key)
    (tmp_path / "cert.pem").write_bytes(own_certificate)
    tls = Tls(key, certificate, authority.certificate if mutual else None)
    with Receiver(tls=tls) as receiver:
        variables = environment(
            receiver, "grpc", OTEL_EXPORTER_OTLP_CERTIFICATE=str(tmp_path / "ca.pem")
        )
        if mutual:
            variables["OTEL_EXPORTER_OTLP_CLIENT_KEY"] = str(tmp_path / "key.pem")
            variables["OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE"] = str(tmp_path / "cert.pem")
        telemetry = configure(environ=variables)
        record_one_of_each()
        assert telemetry.force_flush()
        assert receiver.span_names() == ["work"]
        reset()


def test_otlp_tls_unknown_authority_is_refused_with_a_reason(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A receiver whose certificate nobody vouches for gets nothing."""
    key, certificate = Authority().issue("localhost")
    with Receiver(tls=Tls(key, certificate)) as receiver:
        telemetry = configure(
            environ=environment(
                receiver, "grpc", OTEL_METRICS_EXPORTER="none", OTEL_LOGS_EXPORTER="none",
                OTEL_EXPORTER_OTLP_TIMEOUT="500",
            )
        )  # fmt: skip
        record_one_of_each()
        assert not telemetry.force_flush()
        assert receiver.requests == []
        reset()
    (record,) = [one for one in caplog.records if one.name == "qudag_otel.export"]
    assert "cannot be exported" in record.getMessage()


def test_otlp_delta_temporality_sends_differences(receiver: Receiver) -> None:
    """Each export holds what came since the one before."""
    telemetry = configure(
        environ=environment(
            receiver, "grpc", OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="delta"
        )
    )
    counter = metrics.get_meter("t").create_counter("c")
    for amount in (3, 5):
        counter.add(amount)
        assert telemetry.force_flush()
    sums = [
        point.as_int
        for _, metric in receiver.metrics()
        if metric.name == "c"
        for point in metric.sum.data_points
    ]
    assert sums == [3, 5]


def test_otlp_exponential_histograms_beside_explicit_ones_on_scrape(receiver: Receiver) -> None:
    """The preference is OTLP's alone: /metrics of the same process keeps explicit bounds."""
    telemetry = configure(
        environ=environment(
            receiver, "grpc", OTEL_METRICS_EXPORTER="otlp,prometheus",
            OTEL_EXPORTER_PROMETHEUS_PORT="0",
            OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION=(
                "base2_exponential_bucket_histogram"
            ),
        )
    )  # fmt: skip
    metrics.get_meter("t").create_histogram(
        "h", explicit_bucket_boundaries_advisory=[1.0, 2.0]
    ).record(1.5)
    assert telemetry.force_flush()
    (metric,) = [metric for _, metric in receiver.metrics() if metric.name == "h"]
    assert metric.WhichOneof("data") == "exponential_histogram"
    assert telemetry.metrics_url is not None
    with urllib.request.urlopen(telemetry.metrics_url) as response:
        assert b'h_bucket{le="2.0"} 1' in response.read()


def test_otlp_exponential_histograms_leave_the_catalogues_their_bounds(receiver: Receiver) -> None:
    """Rules and panels read buckets; a view of the application's has both beside each other."""
    name = m.CHUNKING_DURATION.name
    telemetry = configure(
        environ=environment(
            receiver, "grpc", OTEL_METRICS_EXPORTER="otlp",
            OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION=(
                "base2_exponential_bucket_histogram"
            ),
        ),
        views=[
            View(instrument_name=name, aggregation=ExplicitBucketHistogramAggregation([1.0])),
            View(
                instrument_name=name, name=f"{name}.native",
                aggregation=ExponentialBucketHistogramAggregation(),
            ),
        ],
    )  # fmt: skip
    series(m.CHUNKING_DURATION, message_size_bucket="small").record(0.5)
    series(m.CONNECTION_WAIT_TIME, pool_type="p").record(0.5)
    assert telemetry.force_flush()
    found = {metric.name: metric for _, metric in receiver.metrics()}
    assert list(found[name].histogram.data_points[0].explicit_bounds) == [1.0]
    assert found[f"{name}.native"].WhichOneof("data") == "exponential_histogram"
    (point,) = found[m.CONNECTION_WAIT_TIME.name].histogram.data_points
    assert tuple(point.explicit_bounds) == m.CONNECTION_WAIT_TIME.bounds


def test_otlp_interval_pushes_without_a_flush(receiver: Receiver) -> None:
    """Metrics leave at the interval, spans and records after their delay."""
    configure(
        environ=environment(
            receiver, "grpc", OTEL_METRIC_EXPORT_INTERVAL="50", OTEL_BSP_SCHEDULE_DELAY="50",
            OTEL_BLRP_SCHEDULE_DELAY="50",
        )
    )  # fmt: skip
    record_one_of_each()
    receiver.wait_for(lambda: receiver.span_names() == ["work"], "the span")
    receiver.wait_for(lambda: receiver.log_bodies() == ["said 7"], "the record")
    receiver.wait_for(lambda: len(receiver.of("metrics")) >= 2, "two exports of metrics")


def test_otlp_full_batch_leaves_before_the_delay(receiver: Receiver) -> None:
    """A batch that is full does not wait; none is larger than asked for."""
    configure(
        environ=environment(
            receiver, "grpc", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="10",
            OTEL_BSP_SCHEDULE_DELAY="3600000", OTEL_METRICS_EXPORTER="none",
        )
    )  # fmt: skip
    tracer = trace.get_tracer("t")
    for number in range(35):
        tracer.start_span(str(number)).end()
    receiver.wait_for(lambda: len(receiver.spans()) >= 30, "three full batches")
    reset()
    assert receiver.span_names() == [str(number) for number in range(35)]
    sizes = [
        len(request.message.resource_spans[0].scope_spans[0].spans)
        for request in receiver.of("traces")
    ]
    assert max(sizes) == 10


def test_otlp_full_queue_drops_and_warns_once(caplog: pytest.LogCaptureFixture) -> None:
    """What does not fit is dropped with one warning; recording never blocks or fails."""
    with Receiver(delay=3600) as receiver:  # takes a request and keeps it
        configure(
            environ=environment(
                receiver, "http/protobuf", OTEL_BSP_MAX_QUEUE_SIZE="20",
                OTEL_BSP_MAX_EXPORT_BATCH_SIZE="5", OTEL_METRICS_EXPORTER="none",
                OTEL_LOGS_EXPORTER="none", OTEL_EXPORTER_OTLP_TIMEOUT="1000",
            )
        )  # fmt: skip
        tracer = trace.get_tracer("t")
        for number in range(200):
            tracer.start_span(str(number)).end()
        said = "traces are dropped: more come than"
        eventually(lambda: said in caplog.text or "cannot be exported" in caplog.text, "a warning")
        assert len([one for one in caplog.records if one.name == "qudag_otel.export"]) == 1


def test_otlp_unsampled_spans_stay(receiver: Receiver) -> None:
    """A span that is not sampled is not sent."""
    telemetry = configure(environ=environment(receiver, "grpc", OTEL_TRACES_SAMPLER="always_off"))
    record_one_of_each()
    assert telemetry.force_flush()
    assert receiver.spans() == []
    assert receiver.log_bodies() == ["said 7"]


def test_otlp_json_arrives_with_ids_in_hexadecimal(receiver: Receiver) -> None:
    """OTLP's JSON is no plain protobuf JSON: ids are hexadecimal, enumerations numbers."""
    telemetry = configure(environ=environment(receiver, "http/json"))
    record_one_of_each()
    assert telemetry.force_flush()
    assert receiver.span_names() == ["work"]
    (span,) = receiver.spans()
    assert receiver.log_bodies() == ["said 7"]
    # The double reads protobuf's JSON, where bytes are base64; hexadecimal of 16 bytes is 24 then.
    assert (len(span.trace_id), len(span.span_id)) == (24, 12)
    assert {request.headers["content-type"] for request in receiver.requests} == {
        "application/json"
    }


def test_otlp_unix_socket_is_reached(tmp_path: Path) -> None:
    """A target of gRPC's own names a socket of the file system; TLS makes no sense there."""
    with Receiver(socket=str(tmp_path / "otlp.sock")) as receiver:
        telemetry = configure(
            environ={"OTEL_EXPORTER_OTLP_ENDPOINT": f"unix://{tmp_path}/otlp.sock"}
        )
        record_one_of_each()
        assert telemetry.force_flush()
        assert receiver.span_names() == ["work"]
        reset()
