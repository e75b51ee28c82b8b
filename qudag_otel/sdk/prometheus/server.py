"""The HTTP server that answers /metrics."""

from __future__ import annotations

import errno
import logging
import selectors
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Final

from qudag_otel.sdk.prometheus.exposition import CLASSIC, OPENMETRICS
from qudag_otel.sdk.settings import variables as v
from qudag_otel.sdk.settings.errors import ConfigurationError

if TYPE_CHECKING:
    from qudag_otel.sdk.prometheus.reader import PrometheusReader

_LOGGER: Final = logging.getLogger("qudag_otel.export")
_IDLE_SECONDS: Final = 120
PATH: Final = "/metrics"


def wants_openmetrics(accept: str) -> bool:
    """Tell whether an Accept header ranks OpenMetrics at least as high as the classic format."""
    openmetrics, classic = -1.0, 0.0
    for part in accept.split(","):
        media, *parameters = (piece.strip().lower() for piece in part.split(";"))
        values: dict[str, str] = {}
        for parameter in parameters:
            key, _, values[key] = parameter.partition("=")
        quality = _quality(values.get("q", "1"))
        if media == "application/openmetrics-text":
            if values.get("version", "1.0.0") in {"1.0.0", "0.0.1"}:
                openmetrics = max(openmetrics, quality)
        elif media == "text/plain" and values.get("version", "0.0.4") == "0.0.4":
            classic = max(classic, quality)
    return openmetrics > 0 and openmetrics >= classic


def wants_gzip(accept_encoding: str) -> bool:
    """Tell whether an Accept-Encoding header allows gzip."""
    for part in accept_encoding.split(","):
        coding, _, parameter = part.strip().lower().partition(";")
        if coding.strip() == "gzip":
            return _quality(parameter.strip().removeprefix("q=") or "1") > 0
    return False


def _quality(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "qudag-otel"
    sys_version = ""
    timeout = _IDLE_SECONDS

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != PATH:
            self._answer(HTTPStatus.NOT_FOUND, "text/plain; charset=utf-8", b"see /metrics\n")
            return
        openmetrics = wants_openmetrics(self.headers.get("Accept", ""))
        compress = wants_gzip(self.headers.get("Accept-Encoding", ""))
        try:
            assert isinstance(self.server, _Server)  # noqa: S101 - narrows the inherited type
            body = self.server.reader.scrape(openmetrics=openmetrics, compress=compress)
        except Exception as error:
            _LOGGER.exception("a scrape failed")
            text = f"the scrape failed: {error!r}\n".encode()
            self._answer(HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain; charset=utf-8", text)
            return
        content = OPENMETRICS if openmetrics else CLASSIC
        self._answer(HTTPStatus.OK, content, body, encoding="gzip" if compress else "")

    def do_HEAD(self) -> None:
        self.do_GET()

    def _answer(
        self, status: HTTPStatus, content_type: str, body: bytes, *, encoding: str = ""
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Vary", "Accept, Accept-Encoding")
        if encoding:
            self.send_header("Content-Encoding", encoding)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited name
        """Say nothing: a line per scrape helps nobody."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 16
    timeout = 0  # asked to handle a request, there is one already

    def __init__(self, address: tuple[str, int], family: int, reader: PrometheusReader) -> None:
        self.address_family = family
        self.reader = reader
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        # The inherited method also asks the name service for this host's name, which nobody uses.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_port = int(self.server_address[1])

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that hangs up is its own affair."""


class MetricsServer:
    """Serves /metrics until it is closed.

    Args:
        reader: What is asked on each scrape.
        host: The address to bind.
        port: The port to bind; 0 for one that the system picks.

    Raises:
        ConfigurationError: The address or the port cannot be used.
    """

    def __init__(self, reader: PrometheusReader, host: str, port: int) -> None:
        try:
            family, _, _, _, address = socket.getaddrinfo(
                host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            self._server = _Server((str(address[0]), int(address[1])), family, reader)
        except OSError as error:
            raise _explained(error, host, port) from error
        shown = f"[{host}]" if ":" in host else host
        self.url = f"http://{shown}:{self._server.server_port}{PATH}"
        self._end, self._ended = socket.socketpair()
        self._thread = threading.Thread(
            target=self._serve, name="qudag-otel-prometheus", daemon=True
        )
        self._thread.start()

    def _serve(self) -> None:
        """Wait for requests. `serve_forever` would wake up all the time to see whether to end."""
        with selectors.DefaultSelector() as selector:
            for waited in (self._server, self._ended):
                selector.register(waited, selectors.EVENT_READ)
            while self._ended not in [key.fileobj for key, _ in selector.select()]:
                self._server.handle_request()

    def close(self) -> None:
        """Stop listening; scrapes under way end by themselves."""
        self._end.send(b".")
        self._thread.join()
        self._let_go()

    def after_fork(self) -> None:
        """Let go of the parent's sockets in a child process; the parent alone answers."""
        self._let_go()

    def _let_go(self) -> None:
        for held in (self._server.socket, self._end, self._ended):
            held.close()


def _explained(error: OSError, host: str, port: int) -> ConfigurationError:
    free = f"Set {v.PROMETHEUS_PORT.name} to a free port, or to 0 for one that the system picks"
    if error.errno == errno.EADDRINUSE:
        return ConfigurationError(
            v.PROMETHEUS_PORT.name, port, f"another process listens on {host}:{port}",
            f"{free}, or take prometheus out of {v.EXPORTER['metrics'].name}.",
        )  # fmt: skip
    if error.errno == errno.EACCES:
        return ConfigurationError(
            v.PROMETHEUS_PORT.name, port, "this user may not listen there", f"{free}."
        )
    return ConfigurationError(
        v.PROMETHEUS_HOST.name, host, f"not an address of this host ({error.strerror or error})",
        "Set it to 127.0.0.1, or to 0.0.0.0 for every IPv4 address.",
    )  # fmt: skip
