"""Receivers that do not take what they are sent: what is told, counted and tried again."""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]  # it ships no types
from opentelemetry import metrics, trace
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from qudag_otel.sdk import configure, reset
from qudag_otel.sdk.export.client import OtlpExporter
from qudag_otel.sdk.export.failures import NotDelivered
from tests.sdk import programs
from tests.sdk.certificates import Authority
from tests.sdk.receiver import Answer, Receiver, Tls, eventually
from tests.sdk.test_otlp import PROTOCOLS, environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from qudag_otel.sdk import Telemetry

TRACES_ONLY = {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}
PAGE = {"Content-Type": "text/html"}
PROTOBUF = {"Content-Type": "application/x-protobuf"}


def traces(receiver: Receiver, protocol: str, **more: str) -> Telemetry:
    """Set up traces alone."""
    return configure(environ=environment(receiver, protocol, **TRACES_ONLY, **more))


def record(number: int = 1) -> None:
    """Record spans of the SDK."""
    for each in range(number):
        trace.get_tracer("t").start_span(str(each)).end()


def told(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What the exports had to say."""
    return [one.getMessage() for one in caplog.records if one.name == "qudag_otel.export"]


def rejected(number: int, message: str) -> bytes:
    """A partial success."""
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = number
    response.partial_success.error_message = message
    return response.SerializeToString()


@pytest.mark.parametrize(
    ("protocol", "answer", "reason"),
    [
        ("http/protobuf", Answer(200, PAGE, b"<html>log in</html>"), "text/html (<html>log in"),
        ("http/protobuf", Answer(200, PAGE), "status 200 with nothing is no answer"),
        ("http/protobuf", Answer(200), "status 200 with nothing is no answer"),
        ("http/protobuf", Answer(204), "status 204 with nothing is no answer"),
        ("http/protobuf", Answer(200, PROTOBUF, b"\xffpage"), "the answer is no OTLP response"),
        ("http/protobuf", Answer(200, {**PROTOBUF, "Content-Encoding": "br"}, b"xx"), "in br (xx)"),
        ("http/protobuf", Answer(200, {"Content-Type": "application/json"}, b"[1]"), "JSON that"),
        ("http/protobuf", Answer(200, {"Content-Type": "application/json"}, b"hello"), "JSON that"),
        ("http/protobuf", Answer(301, {"Location": "https://x/"}), "Moved Permanently, to https"),
        ("http/protobuf", Answer(302, {"Location": "/login"}), "status 302 Found, to /login"),
        ("http/protobuf", Answer(304), "status 304 Not Modified"),
        ("http/protobuf", Answer(400, PAGE, b"who are you?"), "Bad Request: who are you?"),
        ("http/protobuf", Answer(401), "status 401 Unauthorized"),
        ("http/protobuf", Answer(404), "status 404 Not Found"),
        ("http/protobuf", Answer(500), "status 500 Internal Server Error"),
        ("http/protobuf", Answer(200, PROTOBUF, rejected(1, "too old")), "receiver: too old"),
        ("http/protobuf", Answer(200, PROTOBUF, rejected(-7, "odd")), "receiver: odd"),
        ("http/protobuf", Answer(200, PROTOBUF, rejected(1 << 62, "odd")), "receiver: odd"),
        (
            "http/protobuf",
            Answer(
                200,
                {"Content-Type": "application/json"},
                b'{"partialSuccess": {"rejectedSpans": "1", "errorMessage": "too old"}}',
            ),
            "receiver: too old",
        ),
        ("grpc", Answer(body=rejected(1, "too old")), "receiver: too old"),
        ("grpc", Answer(code="UNAUTHENTICATED", details="no key"), "UNAUTHENTICATED: no key"),
        ("grpc", Answer(code="UNIMPLEMENTED", details="what?"), "UNIMPLEMENTED: what?"),
        ("grpc", Answer(code="RESOURCE_EXHAUSTED", details="quota"), "EXHAUSTED: quota"),
    ],
)
def test_answer_that_is_no_acknowledgement_is_a_loss_with_its_reason(
    receiver: Receiver,
    caplog: pytest.LogCaptureFixture,
    protocol: str,
    answer: Answer,
    reason: str,
) -> None:
    """What is not an OTLP success is told with its reason, counted, and not tried again."""
    receiver.answer = lambda _: answer
    receiver.undecoded = answer  # it looks at nothing, and says the same to everything
    telemetry = traces(receiver, protocol)
    record()
    began = time.monotonic()
    assert not telemetry.force_flush()
    assert time.monotonic() - began < 5
    (line,) = told(caplog)
    assert reason in line
    assert "; 1 lost" in line
    assert len(receiver.of("traces")) <= 1
    reset()
    assert len(told(caplog)) == 1  # nothing more was lost since


@pytest.mark.parametrize(
    ("protocol", "answer"),
    [
        ("http/protobuf", Answer(200, PROTOBUF)),
        ("http/protobuf", Answer(200)),  # as some receivers of metrics and logs do
        ("http/protobuf", Answer(204)),
        ("http/protobuf", Answer(202, PROTOBUF)),
        ("http/protobuf", Answer(200, {"Content-Type": "application/json"}, b"{}")),
        ("http/protobuf", Answer(200, PROTOBUF, rejected(0, "old fields"))),
        ("grpc", Answer(body=rejected(0, "old fields"))),
    ],
)
def test_answer_that_is_an_acknowledgement_is_believed(
    receiver: Receiver, caplog: pytest.LogCaptureFixture, protocol: str, answer: Answer
) -> None:
    """A success counts, also one of a receiver that says little; its warning is passed on."""
    receiver.answer = lambda _: answer
    telemetry = traces(receiver, protocol)
    record()
    assert telemetry.force_flush()
    assert told(caplog) == []
    assert ("old fields" in caplog.text) == (b"old fields" in answer.body)


def test_partial_success_of_logs_counts_what_was_rejected(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """Two of three records were rejected: two are lost."""
    response = ExportLogsServiceResponse()
    response.partial_success.rejected_log_records = 2
    body = response.SerializeToString()
    receiver.answer = lambda _: Answer(200, PROTOBUF, body)
    telemetry = configure(
        environ=environment(
            receiver, "http/protobuf", OTEL_TRACES_EXPORTER="none", OTEL_METRICS_EXPORTER="none"
        )
    )
    for _ in range(3):
        logging.getLogger("app").warning("said")
    assert not telemetry.force_flush()
    (line,) = told(caplog)
    assert "2 lost so far" in line


def retry_in(seconds: float) -> tuple[tuple[str, bytes], ...]:
    """The metadata with which a receiver asks to wait."""
    from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # it ships no types

    status = Status(code=8)
    status.details.add().Pack(RetryInfo(retry_delay=Duration(nanos=int(seconds * 1e9))))
    return (("grpc-status-details-bin", status.SerializeToString()),)


@pytest.mark.parametrize(
    ("protocol", "answer"),
    [
        ("http/protobuf", Answer(429, {"Retry-After": "0"})),
        ("http/protobuf", Answer(502)),
        ("http/protobuf", Answer(503, {"Retry-After": "0.1"})),
        ("http/protobuf", Answer(503, {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"})),
        ("http/protobuf", Answer(504, {"Retry-After": "whenever"})),
        ("http/protobuf", Answer(silent=True)),
        ("grpc", Answer(code="UNAVAILABLE")),
        ("grpc", Answer(code="ABORTED")),
        ("grpc", Answer(code="RESOURCE_EXHAUSTED", metadata=retry_in(0.05))),
    ],
)
def test_receiver_that_asks_to_try_again_gets_everything(
    receiver: Receiver, caplog: pytest.LogCaptureFixture, protocol: str, answer: Answer
) -> None:
    """What may go better soon is tried again, without a word."""
    answers = [answer]
    receiver.answer = lambda _: answers.pop() if answers else None
    telemetry = traces(receiver, protocol)
    record()
    assert telemetry.force_flush()
    assert len(receiver.of("traces")) == 2  # the first one was read, and refused
    assert told(caplog) == []


@pytest.mark.parametrize(
    ("protocol", "answer"),
    [
        ("http/protobuf", Answer(503, {"Retry-After": "0"})),
        ("http/protobuf", Answer(503, {"Retry-After": "-1e9"})),
        ("http/protobuf", Answer(503, {"Retry-After": "nan"})),
        ("grpc", Answer(code="UNAVAILABLE", metadata=retry_in(0))),
        ("grpc", Answer(code="UNAVAILABLE", metadata=retry_in(-0.5))),
    ],
)
def test_receiver_that_asks_for_no_pause_is_not_overrun(
    receiver: Receiver, protocol: str, answer: Answer
) -> None:
    """Who is in trouble gets a few requests, not as many as the network carries."""
    receiver.answer = lambda _: answer
    telemetry = traces(receiver, protocol, OTEL_EXPORTER_OTLP_TIMEOUT="1000")
    record()
    assert not telemetry.force_flush()
    assert 2 <= len(receiver.of("traces")) <= 6


@pytest.mark.parametrize(
    "answer",
    [
        Answer(code="UNKNOWN", details="x" * 6000),
        Answer(code="INTERNAL", details="caf\xe9 \u5bc6 \n\0"),
        Answer(code="UNAVAILABLE", metadata=(("grpc-status-details-bin", b"\xff\xff"),)),
        Answer(code="UNAVAILABLE", metadata=(("google.rpc.retryinfo-bin", b"\xff"),)),
        Answer(code="RESOURCE_EXHAUSTED", metadata=(("grpc-status-details-bin", b""),)),
        Answer(code="CANCELLED"),
        Answer(code="DATA_LOSS", metadata=(("other", "odd"),)),
    ],
)
def test_odd_answer_over_grpc_is_a_loss_with_a_short_line(
    receiver: Receiver, caplog: pytest.LogCaptureFixture, answer: Answer
) -> None:
    """Details of any length and bytes that are no message: told on one line, and it goes on."""
    receiver.answer = lambda _: answer
    telemetry = traces(receiver, "grpc", OTEL_EXPORTER_OTLP_TIMEOUT="300")
    record()
    assert not telemetry.force_flush()
    (line,) = told(caplog)
    assert answer.code in line
    assert len(line) < 500
    assert "\n" not in line
    receiver.answer = lambda _: None
    record()
    assert telemetry.force_flush()


def test_receiver_that_asks_to_wait_for_long_is_not_waited_for(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """An hour is longer than an export may take."""
    receiver.answer = lambda _: Answer(503, {"Retry-After": "3600"})
    telemetry = traces(receiver, "http/protobuf")
    record()
    began = time.monotonic()
    assert not telemetry.force_flush()
    assert time.monotonic() - began < 2
    assert "status 503 Service Unavailable" in told(caplog)[0]


@contextmanager
def listening(*, answer: bytes = b"") -> Iterator[str]:
    """An address that accepts, says something and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = threading.Event()

        def serve() -> None:
            while not done.is_set():
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    if answer:
                        connection.recv(1)
                        connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        done.set()
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


@contextmanager
def dripping(beginning: bytes, pieces: bytes, pause: float) -> Iterator[str]:
    """An address whose answer never ends."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        done = threading.Event()

        def serve() -> None:
            connection, _ = server.accept()
            with connection, contextlib.suppress(OSError):
                connection.recv(1 << 16)
                connection.sendall(beginning)
                while not done.wait(pause):
                    connection.sendall(pieces)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{server.getsockname()[1]}"
        done.set()
    thread.join()


OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-protobuf\r\n"


@pytest.mark.parametrize(
    ("beginning", "pieces", "pause", "reason"),
    [
        (OK + b"\r\n", b"\x72\x00" * 500_000, 0.0, "more than 1048576 bytes is no answer"),
        (OK + b"Content-Length: 9\r\n\r\n", b"\0", 0.1, "timeout: no answer in time"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n\0\r\n", 0.1, "timeout: no answer"),
        (OK, b"X", 0.1, "timeout: no answer in time"),
        (b"", b"H", 0.1, "timeout: no answer in time"),
    ],
)
def test_answer_that_never_ends_is_neither_believed_nor_waited_for(
    caplog: pytest.LogCaptureFixture, beginning: bytes, pieces: bytes, pause: float, reason: str
) -> None:
    """It is read up to a bound, and as a whole no longer than an export may take."""
    with dripping(beginning, pieces, pause) as address:
        telemetry = configure(
            environ={
                **TRACES_ONLY,
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{address}",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                "OTEL_EXPORTER_OTLP_TIMEOUT": "700",
            }
        )
        record()
        began = time.monotonic()
        assert not telemetry.force_flush()
        assert time.monotonic() - began < 5
        reset()
    assert reason in told(caplog)[0]


@contextmanager
def nobody() -> Iterator[str]:
    """An address where nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{one.getsockname()[1]}"


@contextmanager
def unheard_of() -> Iterator[str]:
    """A name that nobody has."""
    yield "no.such.host.invalid:4317"


@contextmanager
def web() -> Iterator[str]:
    """A server of HTTP."""
    with Receiver() as receiver:
        yield receiver.http_endpoint.removeprefix("http://")


@contextmanager
def rpc() -> Iterator[str]:
    """A server of gRPC."""
    with Receiver() as receiver:
        yield receiver.grpc_endpoint.removeprefix("http://")


@contextmanager
def untrusted() -> Iterator[str]:
    """A server of gRPC with a certificate that nobody vouches for."""
    key, certificate = Authority().issue("localhost")
    with Receiver(tls=Tls(key, certificate)) as receiver:
        yield receiver.grpc_endpoint.removeprefix("https://")


@pytest.mark.parametrize(
    ("protocol", "scheme", "place", "reason"),
    [
        ("grpc", "http", nobody, "connection refused"),
        ("http/protobuf", "http", nobody, "connection refused"),
        ("grpc", "http", unheard_of, "the name of the receiver is not found"),
        ("http/protobuf", "http", unheard_of, "the name of the receiver is not found"),
        ("grpc", "https", untrusted, "certificate"),
        ("http/protobuf", "https", untrusted, "certificate"),
        ("http/protobuf", "https", web, "TLS failed"),
        ("grpc", "https", web, "TLS failed"),
        ("grpc", "http", web, "another protocol"),
        ("http/protobuf", "http", rpc, ""),  # either end may be the first to hang up
        ("http/protobuf", "http", listening, "closed without an answer"),
    ],
)
def test_reason_of_a_failure_is_named(
    caplog: pytest.LogCaptureFixture, protocol: str, scheme: str, place: Any, reason: str
) -> None:
    """One line says what is wrong with the connection, not that something is."""
    with place() as address:
        telemetry = configure(
            environ={
                **TRACES_ONLY,
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"{scheme}://{address}",
                "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
                "OTEL_EXPORTER_OTLP_TIMEOUT": "300",
            }
        )
        record()
        assert not telemetry.force_flush()
        reset()
    (line,) = told(caplog)
    assert reason in line
    assert "1 lost" in line


def test_grpc_core_writes_nothing_of_its_own(tmp_path: Path) -> None:
    """A certificate that is not trusted is one line of ours, and none of gRPC's core."""
    with untrusted() as address:
        _, err = programs.run(
            tmp_path,
            """
            from opentelemetry import trace
            from qudag_otel.sdk import configure
            telemetry = configure()
            for _ in range(3):
                trace.get_tracer("t").start_span("s").end()
                assert not telemetry.force_flush()
            """,
            {
                **TRACES_ONLY,
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"https://{address}",
                "OTEL_EXPORTER_OTLP_TIMEOUT": "200",
            },
        )
    first, last = err.splitlines()
    assert "1 lost so far" in first
    assert "telemetry ends and 3 are lost" in last


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_request_too_large_for_the_receiver_is_split(
    caplog: pytest.LogCaptureFixture, protocol: str
) -> None:
    """Everything that fits alone arrives; one span that does not is lost, and said to be."""
    with Receiver(most_bytes=20_000) as receiver:
        telemetry = traces(receiver, protocol)
        for number in range(40):
            size = 30_000 if number == 7 else 2_000
            trace.get_tracer("t").start_span(str(number), attributes={"a": "x" * size}).end()
        assert not telemetry.force_flush()
        assert set(receiver.span_names()) == {str(number) for number in range(40)} - {"7"}
        (line,) = told(caplog)
        assert "1 lost so far" in line
        # What was learnt holds: the next batch is split before it is sent.
        before = len(receiver.of("traces"))
        for _ in range(16):
            trace.get_tracer("t").start_span("later", attributes={"a": "x" * 2_000}).end()
        assert telemetry.force_flush()
        assert len(receiver.of("traces")) == before + 2
        reset()


def test_request_of_metrics_too_large_is_split_down_to_points() -> None:
    """One metric with many points is split as well."""
    with Receiver(most_bytes=5_000) as receiver:
        telemetry = configure(
            environ=environment(
                receiver, "http/protobuf", OTEL_TRACES_EXPORTER="none", OTEL_LOGS_EXPORTER="none"
            )
        )
        counter = metrics.get_meter("t").create_counter("many")
        for number in range(100):
            counter.add(number, {"n": f"{number:0100}"})
        assert telemetry.force_flush()
        points = [
            point.as_int
            for _, metric in receiver.metrics()
            if metric.name == "many"
            for point in metric.sum.data_points
        ]
        assert sorted(points) == list(range(100))
        reset()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_outage_tells_one_number_everywhere(
    receiver: Receiver, caplog: pytest.LogCaptureFixture, protocol: str
) -> None:
    """What is dropped and what fails while the receiver is away adds up in its lines."""
    down = [True]
    receiver.failing = lambda: down[0]
    telemetry = traces(
        receiver, protocol, OTEL_BSP_MAX_QUEUE_SIZE="20", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="10",
        OTEL_EXPORTER_OTLP_TIMEOUT="100",
    )  # fmt: skip
    for _ in range(2):  # an outage is told each time
        caplog.clear()
        record(200)
        assert not telemetry.force_flush()
        down[0] = False
        record(5)
        assert telemetry.force_flush()
        down[0] = True
        *first, last = told(caplog)
        assert len(first) <= 2  # that the queue is full may come before the reason why
        assert "cannot be exported" in first[-1]
        assert "200 were lost" in last
    assert len(receiver.spans()) == 10


def test_lost_batch_is_not_hidden_by_a_good_one(receiver: Receiver) -> None:
    """A flush is true only if nothing was lost since the one before; the end counts everything."""
    answers = [Answer(400)]
    receiver.answer = lambda _: answers.pop() if answers else None
    telemetry = traces(receiver, "http/protobuf", OTEL_BSP_MAX_EXPORT_BATCH_SIZE="10")
    record(30)
    receiver.wait_for(lambda: len(receiver.of("traces")) >= 3, "three batches")
    assert not telemetry.force_flush()
    record(1)
    assert telemetry.force_flush()
    assert not telemetry.shutdown()


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_exit_in_an_outage_tells_the_true_total(tmp_path: Path, protocol: str) -> None:
    """All that waited is lost at the end, and said to be, within the time promised."""
    with nobody() as address:
        began = time.monotonic()
        out, err = programs.run(
            tmp_path,
            """
            import atexit, time
            atexit.register(lambda: print(time.monotonic() - began))
            from opentelemetry import trace
            from qudag_otel.sdk import configure
            configure()
            for _ in range(1500):
                trace.get_tracer("t").start_span("s").end()
            began = time.monotonic()
            """,
            {
                **TRACES_ONLY,
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{address}",
                "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            },
        )
        assert time.monotonic() - began < 15
    assert float(out) < 5
    lines = err.splitlines()
    assert "1500 are lost" in lines[-1]
    assert "connection refused" in lines[-1]


def test_exit_while_the_receiver_hangs_keeps_to_the_time_promised(tmp_path: Path) -> None:
    """Five seconds were promised for the end."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        out, err = programs.run(
            tmp_path,
            """
            import atexit, time
            atexit.register(lambda: print(time.monotonic() - began))
            from opentelemetry import trace
            from qudag_otel.sdk import configure
            configure()
            trace.get_tracer("t").start_span("s").end()
            began = time.monotonic()
            """,
            {
                **TRACES_ONLY,
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}",
                "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
                "OTEL_EXPORTER_OTLP_TIMEOUT": "60000",
            },
        )
    assert float(out) < 5.2
    assert "1 are lost" in err


def test_application_does_not_wait_for_a_receiver_that_hangs() -> None:
    """Recording takes as long as without a receiver."""
    with Receiver(delay=3600) as receiver:
        traces(receiver, "http/protobuf", OTEL_BSP_MAX_QUEUE_SIZE="50",
               OTEL_BSP_MAX_EXPORT_BATCH_SIZE="10")  # fmt: skip
        slowest = 0.0
        for _ in range(500):
            began = time.perf_counter()
            record()
            slowest = max(slowest, time.perf_counter() - began)
        assert slowest < 0.5
        began = time.monotonic()
        reset()
        assert time.monotonic() - began < 6.5


def test_grpc_resumes_soon_after_the_receiver_is_back(caplog: pytest.LogCaptureFixture) -> None:
    """A receiver that comes back after a while is found at once, not after gRPC's own pauses."""
    with nobody() as address:
        telemetry = configure(
            environ={
                **TRACES_ONLY,
                "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{address}",
                "OTEL_EXPORTER_OTLP_TIMEOUT": "1000",
                "OTEL_BSP_SCHEDULE_DELAY": "100",
            }
        )
        for _ in range(3):
            record()
            telemetry.force_flush()
    with Receiver(grpc_port=int(address.rpartition(":")[2])) as receiver:
        record()
        began = time.monotonic()

        def arrived() -> bool:
            record()
            return bool(receiver.spans())

        def told_of() -> bool:
            record()
            return "are exported to" in caplog.text

        eventually(arrived, "a span")
        assert time.monotonic() - began < 5
        # Where the first answer came too late, the client learns of it from the next one.
        eventually(told_of, "the word of it")
        reset()


def test_item_that_cannot_be_encoded_does_not_cost_its_neighbours(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The encoder refuses one of twenty: nineteen go, one is lost, and one warning says so."""
    sent: list[bytes] = []

    class Taking:
        def send(self, body: bytes, _: float) -> bytes:
            sent.append(body)
            return b""

        def close(self) -> None:
            pass

    def encode(batch: list[int]) -> bytes:
        if 7 in batch:
            raise ValueError("seven")
        return bytes(batch)

    exporter = OtlpExporter("traces", Taking(), encode, timeout=1)
    with pytest.raises(NotDelivered, match="seven") as caught:
        exporter.export(list(range(20)))
    assert caught.value.lost == 1
    assert sent == [bytes(number for number in range(20) if number != 7)]
    assert "cannot be encoded and is left out" in caplog.text
