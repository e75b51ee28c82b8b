"""An OTLP receiver over gRPC and HTTP that decodes what it gets and keeps it."""

from __future__ import annotations

import gzip
import threading
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

import grpc  # type: ignore[import-untyped]  # it ships no types
from google.protobuf.json_format import Parse
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc as logs_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc as metrics_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc as trace_grpc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
    from opentelemetry.proto.resource.v1.resource_pb2 import Resource
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

DEADLINE_SECONDS = 20.0

_REQUESTS: Mapping[str, type[Any]] = {
    "traces": trace.ExportTraceServiceRequest,
    "metrics": metrics.ExportMetricsServiceRequest,
    "logs": logs.ExportLogsServiceRequest,
}
_RESPONSES: Mapping[str, type[Any]] = {
    "traces": trace.ExportTraceServiceResponse,
    "metrics": metrics.ExportMetricsServiceResponse,
    "logs": logs.ExportLogsServiceResponse,
}


@dataclass(frozen=True)
class Request:
    """One request as it arrived."""

    signal: str
    protocol: str
    headers: Mapping[str, str]
    message: Any


@dataclass(frozen=True)
class Answer:
    """What is answered instead of an acknowledgement, after a request has been read.

    Args:
        status: Over HTTP.
        headers: Over HTTP, beside the length.
        body: Over HTTP; over gRPC the bytes of the response.
        code: Over gRPC, the name of a status; empty for an answer.
        details: Over gRPC, what goes with it.
        metadata: Over gRPC, the trailing metadata.
        silent: End the connection without a word.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""
    code: str = ""
    details: str = ""
    metadata: tuple[tuple[str, str | bytes], ...] = ()
    silent: bool = False


@dataclass
class Tls:
    """PEM files' contents for a receiver that speaks TLS."""

    key: bytes
    certificate: bytes
    client_authority: bytes | None = None


@dataclass
class Receiver:
    """Receives on two ports that the system picks, until the block ends.

    Args:
        tls: Serve gRPC over TLS.
        failing: While it returns true, every request is refused as unavailable.
        delay: Seconds that each request takes.
        answer: Gives an answer of its own to a request of a signal, or None.
        most_bytes: The largest request; a larger one is refused as too large.
        undecoded: The answer over HTTP to what is no OTLP.
        grpc_port: The port of gRPC, if the system shall not pick it.
        socket: The path of a socket that gRPC is served on, too.
    """

    tls: Tls | None = None
    failing: Callable[[], bool] = lambda: False
    delay: float = 0.0
    answer: Callable[[str], Answer | None] = lambda _: None
    most_bytes: int = 4 << 20
    undecoded: Answer = Answer(400)
    grpc_port: int = 0
    socket: str = ""
    requests: list[Request] = field(default_factory=list)
    refused: int = 0

    def __enter__(self) -> Self:
        self._arrived = threading.Condition()
        self._stop = threading.Event()
        self._start_grpc()
        self._start_http()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._grpc.stop(grace=0).wait()
        self._pool.shutdown()
        self._http.shutdown()
        self._http.server_close()
        self._http_thread.join()

    # -- what arrived

    def wait_for(self, condition: Callable[[], object], what: str) -> None:
        """Wait until a condition on what arrived holds.

        Raises:
            AssertionError: It does not within `DEADLINE_SECONDS`.
        """
        with self._arrived:
            held = self._arrived.wait_for(condition, timeout=DEADLINE_SECONDS)
        assert held, f"not received: {what}; got {[request.signal for request in self.requests]}"

    def of(self, signal: str) -> list[Request]:
        """The requests of one signal."""
        return [request for request in self.requests if request.signal == signal]

    def spans(self) -> list[Span]:
        """All spans."""
        return [
            span
            for request in self.of("traces")
            for resource in request.message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def span_names(self) -> list[str]:
        """The names of all spans."""
        return [span.name for span in self.spans()]

    def logs(self) -> list[LogRecord]:
        """All log records."""
        return [
            record
            for request in self.of("logs")
            for resource in request.message.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    def log_bodies(self) -> list[str]:
        """The bodies of all log records."""
        return [record.body.string_value for record in self.logs()]

    def metrics(self) -> Iterator[tuple[Resource, Metric]]:
        """Every metric of every export with its resource, in the order of arrival."""
        for request in self.of("metrics"):
            for resource in request.message.resource_metrics:
                for scope in resource.scope_metrics:
                    for metric in scope.metrics:
                        yield resource.resource, metric

    def metric_names(self) -> set[str]:
        """The names of all metrics."""
        return {metric.name for _, metric in self.metrics()}

    def resources(self, signal: str) -> list[dict[str, object]]:
        """The attributes of every resource that a signal came with."""
        names = {
            "traces": "resource_spans",
            "metrics": "resource_metrics",
            "logs": "resource_logs",
        }
        return [
            attributes(group.resource.attributes)
            for request in self.of(signal)
            for group in getattr(request.message, names[signal])
        ]

    # -- receiving

    def _receive(
        self, signal: str, protocol: str, headers: Mapping[str, str], message: Any
    ) -> bool:
        if self.delay:
            self._stop.wait(self.delay)
        with self._arrived:
            refused = self.failing()
            if refused:
                self.refused += 1
            else:
                self.requests.append(Request(signal, protocol, headers, message))
            self._arrived.notify_all()
        return not refused

    def _start_grpc(self) -> None:
        receiver = self

        class Service:
            def __init__(self, signal: str) -> None:
                self._signal = signal

            def Export(self, request: Any, context: Any) -> Any:  # noqa: N802 - the service's name
                headers = {key: str(value) for key, value in context.invocation_metadata()}
                if not receiver._receive(self._signal, "grpc", headers, request):
                    context.abort(grpc.StatusCode.UNAVAILABLE, "refused by the test")
                answer = receiver.answer(self._signal)
                if answer is not None and answer.code:
                    context.set_trailing_metadata(answer.metadata)
                    context.abort(grpc.StatusCode[answer.code], answer.details)
                if answer is not None:
                    return _RESPONSES[self._signal].FromString(answer.body)
                return _RESPONSES[self._signal]()

        self._pool = ThreadPoolExecutor(max_workers=4)
        most = ("grpc.max_receive_message_length", self.most_bytes)
        self._grpc = grpc.server(self._pool, options=[most])
        add: dict[str, Callable[[Service, Any], None]] = {
            "traces": trace_grpc.add_TraceServiceServicer_to_server,
            "metrics": metrics_grpc.add_MetricsServiceServicer_to_server,
            "logs": logs_grpc.add_LogsServiceServicer_to_server,
        }
        for signal, add_service in add.items():
            add_service(Service(signal), self._grpc)
        if self.tls:
            credentials = grpc.ssl_server_credentials(
                [(self.tls.key, self.tls.certificate)],
                root_certificates=self.tls.client_authority,
                require_client_auth=self.tls.client_authority is not None,
            )
            port = self._grpc.add_secure_port("127.0.0.1:0", credentials)
            self.grpc_endpoint = f"https://localhost:{port}"
        else:
            port = self._grpc.add_insecure_port(f"127.0.0.1:{self.grpc_port}")
            self.grpc_endpoint = f"http://127.0.0.1:{port}"
        if self.socket:
            self._grpc.add_insecure_port(f"unix://{self.socket}")
        self._grpc.start()

    def _start_http(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                signal = self.path.rpartition("/")[2]
                length = int(self.headers["Content-Length"])
                body = self.rfile.read(length)
                if length > receiver.most_bytes:
                    self._say(Answer(413))
                    return
                coding = self.headers.get("Content-Encoding", "")
                if coding == "gzip":
                    body = gzip.decompress(body)
                elif coding == "deflate":
                    body = zlib.decompress(body)
                try:
                    message = _decoded(signal, self.headers["Content-Type"], body)
                except (DecodeError, ValueError):
                    self._say(receiver.undecoded)
                    return
                headers = {key.lower(): value for key, value in self.headers.items()}
                headers[":path"] = self.path
                received = receiver._receive(signal, "http/protobuf", headers, message)
                answer = receiver.answer(signal)
                if answer is None:
                    kind = {"Content-Type": self.headers["Content-Type"]}
                    answer = Answer(200 if received else 503, kind)
                self._say(answer)

            def _say(self, answer: Answer) -> None:
                if answer.silent:
                    self.close_connection = True
                    return
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request: object, client_address: object) -> None:
                pass  # clients may go away

        self._http = Server(("127.0.0.1", 0), Handler)
        self._http_thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        )
        self._http_thread.start()
        self.http_endpoint = f"http://127.0.0.1:{self._http.server_port}"


def _decoded(signal: str, kind: str, body: bytes) -> Any:
    if kind == "application/json":
        return Parse(body, _REQUESTS[signal]())
    return _REQUESTS[signal].FromString(body)


def attributes(pairs: Any) -> dict[str, object]:
    """OTLP attributes as a dictionary."""
    found: dict[str, object] = {}
    for pair in pairs:
        one: KeyValue = pair
        found[one.key] = plain(one.value)
    return found


def plain(value: AnyValue) -> object:
    """An OTLP value as a Python value."""
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return attributes(value.kvlist_value.values)
    return getattr(value, kind)


def eventually(condition: Callable[[], object], what: str) -> None:
    """Poll until a condition holds.

    Raises:
        AssertionError: It does not within `DEADLINE_SECONDS`.
    """
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"did not happen: {what}"
        time.sleep(0.01)
