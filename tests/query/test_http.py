"""Requests to real sockets that are not what was meant: a reason each, and nothing left open."""

from __future__ import annotations

import gc
import socket
import ssl
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from qudag_otel._query import http
from tests.sdk.certificates import Authority

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class _Page(BaseHTTPRequestHandler):
    """Says which credentials came, refuses or redirects."""

    def do_GET(self) -> None:
        status = {"/moved": 307, "/refused": 403}.get(self.path, 200)
        self.send_response(status)
        if status == 307:
            self.send_header("Location", "/here")
        self.end_headers()
        self.wfile.write(self.headers.get("Authorization", "nobody").encode())

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        """A client that speaks something else is what is tested."""


@contextmanager
def served(context: ssl.SSLContext | None = None) -> Iterator[int]:
    """A web server, over TLS with a context."""
    with _Quiet(("127.0.0.1", 0), _Page) as server:
        if context is not None:
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@contextmanager
def answering(data: bytes) -> Iterator[int]:
    """A port that sends some bytes to whoever comes, and ends."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            peer, _ = listener.accept()
            with peer:
                peer.recv(10_000)
                peer.sendall(data)

        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def ask(url: str, **options: object) -> str:
    return http.fetch(http.server(url), timeout=2, **options).decode()  # type: ignore[arg-type]  # of the tests alone


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it ends the connection without an answer"),
        (b"\x15\x03\x01\x00\x02\x02\x16", "it speaks TLS: write https://"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "its answer is not HTTP"),
    ],
)
def test_port_of_another_protocol_is_named(data: bytes, reason: str) -> None:
    """TLS, SSH and a closed connection are told apart."""
    with answering(data) as port, pytest.raises(http.UnreachableError) as told:
        ask(f"http://127.0.0.1:{port}")
    assert str(told.value) == f"cannot reach http://127.0.0.1:{port}: {reason}"


def test_silence_ends_in_time() -> None:
    """A port that never answers costs the time that was given."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(http.UnreachableError, match="no answer in time"):
            http.fetch(http.server(url), timeout=0.2)


def test_tls_is_verified_and_its_faults_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unknown authority is refused until SSL_CERT_FILE names it; plain text is no TLS."""
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    authority, trusted, pair = Authority(), tmp_path / "authority.pem", tmp_path / "server.pem"
    trusted.write_bytes(authority.certificate)
    pair.write_bytes(b"".join(authority.issue("localhost")))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    with served(context) as port:
        with pytest.raises(http.UnreachableError, match=r"not trusted .*SSL_CERT_FILE"):
            ask(f"https://localhost:{port}")
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        assert ask(f"https://localhost:{port}") == "nobody"
    with served() as port, pytest.raises(http.UnreachableError, match="does not speak TLS"):
        ask(f"https://127.0.0.1:{port}")


@pytest.mark.parametrize(
    ("credentials", "token", "sent"),
    [("", "", "nobody"), ("a:b%40@", "", "Basic YTpiQA=="), ("a:b@", "t\n", "Bearer t")],
)
def test_credentials_are_sent_and_not_shown(credentials: str, token: str, sent: str) -> None:
    """A token goes before user and password, and nothing of them is in what is printed."""
    with served() as port:
        asked = http.server(f"http://{credentials}127.0.0.1:{port}", token=token)
        assert http.fetch(asked, "/any", timeout=2).decode() == sent
    assert asked.url == f"http://127.0.0.1:{port}"
    assert repr(asked) == f"Server(url='{asked.url}')"


def test_redirects_are_followed_where_nothing_can_be_lost() -> None:
    """Neither a body nor credentials go to where a server points."""
    with served() as port:
        url = f"127.0.0.1:{port}/moved"
        assert ask(f"http://{url}", redirects=True) == "nobody"
        for asked, body in (("http://a:b@" + url, None), ("http://" + url, b"x")):
            with pytest.raises(http.RefusedError) as told:
                ask(asked, body=body, redirects=body is None)
            assert (told.value.status, told.value.location) == (307, "/here")


@pytest.mark.filterwarnings("error")
def test_refusal_leaves_no_connection_open() -> None:
    """The error's own connection is closed, too: nothing is left for the collector to warn of."""
    with served() as port, pytest.raises(http.RefusedError, match="answers 403: nobody"):
        ask(f"http://127.0.0.1:{port}/refused")
    gc.collect()


def test_proxy_that_is_asked_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is answered by a proxy learns that there is one, without its password."""
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("http_proxy", "http://me:secret@127.0.0.1:1")
    with pytest.raises(http.UnreachableError) as told:
        ask("http://prometheus.invalid")
    assert "asked through the proxy 127.0.0.1:1" in str(told.value)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize(
    "url", ["", "localhost:9091", "ftp://h", "http://", "http://h:port", "http://h:0", "http://["]
)
def test_words_that_are_no_url_are_refused(url: str) -> None:
    """Before anything is sent, with the option they came from."""
    with pytest.raises(http.UrlError, match=r"^--there .* is no URL"):
        http.server(url, option="--there")
