"""The HTTP server that answers /metrics.

Built on the standard library's: it reads requests with bounded lines and headers, answers HEAD and
keep-alive, and adds no package to whoever decorates a function. A thread waits for connections and
hands each to a thread of its own; how many there are is bounded, and the one that was quiet for
longest makes room.
"""

from __future__ import annotations

import contextlib
import gzip
import logging
import selectors
import socket
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Final, Protocol
from urllib.parse import urlsplit

from qudag_otel._foreign import interrupts
from qudag_otel.sdk.prometheus.exposition import CLASSIC, OPENMETRICS

if TYPE_CHECKING:
    from collections.abc import Callable

    from qudag_otel.sdk.prometheus.loop import Loop
    from qudag_otel.sdk.prometheus.web import Door

_LOGGER: Final = logging.getLogger("qudag_otel.export")
_IDLE_SECONDS: Final = 120
_HANDSHAKE_SECONDS: Final = 10
_CONNECTIONS: Final = 256
_BODY_BYTES: Final = 1 << 16
_DIGITS: Final = 20  # of a length
_PAUSE_SECONDS: Final = 0.5  # of accepting, while the process has no descriptor left
_GZIP_LEVEL: Final = 1  # a scrape is read once, nearby: time counts more than the last percent
_TEXT: Final = "text/plain; charset=utf-8"
_ALLOWED: Final = ("GET", "HEAD")
PATH: Final = "/metrics"


class Source(Protocol):
    """What is asked on each scrape."""

    def scrape(self, *, openmetrics: bool) -> bytes:
        """Render a page."""
        ...


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
    server: _Server  # pyright: ignore[reportIncompatibleVariableOverride] - what made this one

    def setup(self) -> None:
        tls = self.server.door.tls()
        if tls is not None:
            # Here, not where connections are accepted: a client that does not speak delays nobody.
            self.request.settimeout(_HANDSHAKE_SECONDS)
            self.request = tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def finish(self) -> None:
        self.server.resting.pop(self.connection, None)
        with contextlib.suppress(OSError):
            super().finish()
        self.connection.close()

    def __getattr__(self, name: str) -> Callable[[], None]:
        if name.startswith("do_"):  # every method that is not GET or HEAD
            return self._refuse_method
        raise AttributeError(name)

    def do_GET(self) -> None:
        self.server.resting.pop(self.connection, None)
        self._drop_body()
        try:
            target = urlsplit(self.path)
        except ValueError:
            self.close_connection = True
            self._say(HTTPStatus.BAD_REQUEST, "the target of the request is no address")
            return
        named = self.headers.get_all("Host", [])
        if len(named) > 1:  # who stands between might have looked at another one
            self.close_connection = True
            self._say(HTTPStatus.BAD_REQUEST, "the request names more than one host")
            return
        host = target.netloc or "".join(named)
        door = self.server.door
        if not door.knows(host) and not (self.request_version == "HTTP/1.0" and not host):
            self._say(HTTPStatus.MISDIRECTED_REQUEST, door.remedy)
        elif not door.admits(self.headers.get("Authorization", "")):
            self._say(
                HTTPStatus.UNAUTHORIZED,
                f"credentials are asked for: {door.challenge}",
                {"WWW-Authenticate": door.challenge},
            )
        elif target.path != PATH:
            self._say(HTTPStatus.NOT_FOUND, f"see {PATH}")
        else:
            self._scrape()

    def do_HEAD(self) -> None:
        self.do_GET()

    def _scrape(self) -> None:
        openmetrics = wants_openmetrics(self.headers.get("Accept", ""))
        compress = wants_gzip(self.headers.get("Accept-Encoding", ""))
        try:
            body = self.server.source.scrape(openmetrics=openmetrics)
        except BaseException as error:
            if interrupts(error):
                raise
            _LOGGER.exception("a scrape failed")
            self._say(HTTPStatus.INTERNAL_SERVER_ERROR, f"the scrape failed: {error!r}")
            return
        content = OPENMETRICS if openmetrics else CLASSIC
        headers = {"Vary": "Accept, Accept-Encoding"}
        if compress:
            body = gzip.compress(body, compresslevel=_GZIP_LEVEL, mtime=0)
            headers["Content-Encoding"] = "gzip"
        self._answer(HTTPStatus.OK, content, body, headers)

    def _refuse_method(self) -> None:
        self.close_connection = True  # what follows may be a body of any length
        allowed = ", ".join(_ALLOWED)
        self._say(HTTPStatus.METHOD_NOT_ALLOWED, f"only {allowed}", {"Allow": allowed})

    def _drop_body(self) -> None:
        """Read what nobody asked for, so that it is not taken for the next request."""
        length = self.headers.get("Content-Length", "0")
        encoding = self.headers.get("Transfer-Encoding", "")
        # Python refuses to read a number of thousands of digits.
        bounded = length.isdecimal() and len(length) <= _DIGITS and int(length) <= _BODY_BYTES
        if bounded and "chunked" not in encoding:
            self.rfile.read(int(length))
        else:
            self.close_connection = True

    def _say(self, status: HTTPStatus, text: str, headers: dict[str, str] | None = None) -> None:
        self._answer(status, _TEXT, f"{text}\n".encode(), headers or {})

    def _answer(
        self, status: HTTPStatus, content_type: str, body: bytes, headers: dict[str, str]
    ) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def handle_one_request(self) -> None:
        self.server.resting[self.connection] = None  # until its next request has come whole
        super().handle_one_request()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited name
        """Say nothing: a line per scrape helps nobody."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(self, address: tuple[str, int], family: int, source: Source, door: Door) -> None:
        self.address_family = family
        self.source = source
        self.door = door
        self.resting: dict[socket.socket, None] = {}  # connections, quiet for longest first
        self._handling = 0
        self._lock = threading.Lock()
        super().__init__(address, _Handler)
        self.socket.settimeout(0)

    def server_bind(self) -> None:
        # The inherited method also asks the name service for this host's name, which nobody uses.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_port = int(self.server_address[1])

    def make_room(self) -> bool:
        """Hang up on the connection that was quiet for longest; False if none is quiet."""
        for quiet in list(self.resting):
            if quiet in self.resting:
                self.resting.pop(quiet, None)
                with contextlib.suppress(OSError):
                    quiet.shutdown(socket.SHUT_RDWR)
                return True
        return False

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._handling >= _CONNECTIONS and not self.make_room():
            self.shutdown_request(request)
            return
        with self._lock:
            self._handling += 1
        threading.Thread(
            target=self.process_request_thread, args=(request, client_address), daemon=True,
            name="qudag-otel-scrape",
        ).start()  # fmt: skip

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                self._handling -= 1

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that hangs up is its own affair."""


class Listener:
    """Answers scrapers until it is closed.

    Args:
        source: What is asked on each scrape.
        loop: What waits for connections.
        door: Who is let in.
        host: The address to bind.
        port: The port to bind; 0 for one that the system picks.

    Raises:
        OSError: The address or the port cannot be used.
    """

    def __init__(self, source: Source, loop: Loop, door: Door, host: str, port: int) -> None:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        self._server = _Server((str(address[0]), int(address[1])), family, source, door)
        self.port = self._server.server_port
        self._loop = loop
        self._listen()

    def _listen(self) -> None:
        self._loop.watch(self._server.socket, self._accept, selectors.EVENT_READ)

    def _accept(self, _: int) -> None:
        try:
            request, address = self._server.get_request()
        except BlockingIOError:  # the client has gone again
            return
        except OSError:
            # No descriptor is left. The connection stays where it is; asking at once again, and
            # again, would take a whole core.
            self._server.make_room()
            self._loop.watch(self._server.socket, self._accept, 0)
            self._loop.later(_PAUSE_SECONDS, self._listen)
            return
        try:
            self._server.process_request(request, address)
        except RuntimeError:  # no more threads
            self._server.shutdown_request(request)

    def close(self) -> None:
        """Stop listening; scrapes under way end by themselves. In the loop's thread."""
        self._loop.watch(self._server.socket, self._accept, 0)
        self._server.socket.close()

    def after_fork(self) -> None:
        """Let go of the parent's socket in a child process."""
        self._server.socket.close()
