"""The door of /metrics: methods, targets, hosts, bodies, limits, TLS and users."""

from __future__ import annotations

import base64
import http.client
import os
import resource
import socket
import ssl
import threading
import time
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING

import bcrypt
import pytest

from qudag_otel import configure
from qudag_otel._redact import MASK, mask, texts
from qudag_otel.sdk.prometheus import server
from qudag_otel.sdk.prometheus.endpoint import Endpoint
from qudag_otel.sdk.prometheus.reader import PrometheusReader
from qudag_otel.sdk.prometheus.web import Door
from qudag_otel.sdk.settings.errors import ConfigurationError
from tests.sdk.certificates import Authority
from tests.sdk.test_prometheus import provider

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    """/metrics on a port that the system picks, with one counter."""
    yield from serving("")


def serving(web_config: str, token_file: str = "") -> Iterator[Endpoint]:
    """The same, with a web configuration and the file of a token."""
    reader = PrometheusReader()
    source = provider(reader)
    source.get_meter("t").create_counter("c").add(1)
    made = Endpoint(reader, "127.0.0.1", 0, "t", web_config, token_file)
    made.start()
    yield made
    made.close()
    source.shutdown()


def address(endpoint: Endpoint) -> tuple[str, int]:
    """Where it listens."""
    assert endpoint.url is not None
    return "127.0.0.1", int(endpoint.url.split(":")[2].partition("/")[0])


def ask(endpoint: Endpoint, request: str) -> tuple[int, bytes]:
    """Send bytes and read the answers until the server hangs up."""
    with socket.create_connection(address(endpoint), timeout=10) as one:
        one.sendall(request.encode("latin-1"))
        got = b""
        while part := one.recv(1 << 16):
            got += part
    return int(got.split()[1]), got


def get(headers: str = "Host: localhost\r\n", line: str = "GET /metrics HTTP/1.1") -> str:
    """A request after which the server hangs up."""
    return f"{line}\r\n{headers}Connection: close\r\n\r\n"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_other_methods_are_not_allowed(endpoint: Endpoint, method: str) -> None:
    """405 with what is allowed; the connection ends, as a body may follow."""
    status, answer = ask(endpoint, f"{method} /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert status == 405
    assert b"Allow: GET, HEAD\r\n" in answer


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("GET /metrics HTTP/1.1", 200),
        ("GET /metrics?name[]=c HTTP/1.1", 200),
        ("GET http://127.0.0.1:1/metrics HTTP/1.1", 200),
        ("GET http://localhost/metrics?x HTTP/1.1", 200),
        ("GET http://rebound.example/metrics HTTP/1.1", 421),
        ("GET /else HTTP/1.1", 404),
        ("GET http://[::1/ HTTP/1.1", 400),
        ("GET http://[x]/metrics HTTP/1.1", 400),
        ("GET /metrics/ HTTP/1.1", 404),
        (f"GET /{'x' * 70_000} HTTP/1.1", 414),
    ],
)
def test_targets_are_read_in_each_form(endpoint: Endpoint, line: str, status: int) -> None:
    """With a query, in absolute form, of any length."""
    assert ask(endpoint, get(line=line))[0] == status


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ("Host: localhost:9464\r\n", 200),
        ("Host: 127.1.2.3\r\n", 200),
        ("Host: [::1]:9464\r\n", 200),
        ("Host: LOCALHOST\r\n", 200),
        ("Host: localhost\r\nHost: rebound.example\r\n", 400),
        ("Host: rebound.example:9464\r\n", 421),
        ("Host: localhost.rebound.example\r\n", 421),
        ("", 421),
        ("Host: localhost\r\n" + "".join(f"X-{n}: y\r\n" for n in range(200)), 431),
        (f"Host: localhost\r\nX: {'x' * 70_000}\r\n", 431),
    ],
)
def test_requests_for_other_hosts_and_with_too_much_are_refused(
    endpoint: Endpoint, headers: str, status: int
) -> None:
    """A page in a browser cannot read what is bound to loopback; headers are bounded."""
    assert ask(endpoint, get(headers))[0] == status


def test_every_host_is_right_where_every_address_is_bound() -> None:
    """Who binds 0.0.0.0 is reached by names that we cannot know."""
    assert Door("0.0.0.0").knows("shop.example:9464")


def test_body_of_a_get_is_dropped_and_the_connection_goes_on(endpoint: Endpoint) -> None:
    """It is not taken for the next request; one that is too long ends the connection."""
    with closing(http.client.HTTPConnection(*address(endpoint), timeout=10)) as client:
        for body in (b"GET /else HTTP/1.1\r\n\r\n", b"x" * 60_000, None):
            client.request("GET", "/metrics", body)
            answer = client.getresponse()
            assert answer.status == 200
            assert b"c_total 1" in answer.read()
    for more in ("Content-Length: 99999999", "Transfer-Encoding: chunked", "Content-Length: -1",
                 f"Content-Length: {'9' * 5000}"):  # fmt: skip
        request = f"GET /metrics HTTP/1.1\r\nHost: localhost\r\n{more}\r\n\r\n"
        status, answer_bytes = ask(endpoint, request)
        assert status == 200
        assert b"Connection: close\r\n" in answer_bytes


def test_200_scrapes_at_once_are_answered_together(endpoint: Endpoint) -> None:
    """None is refused, and together they take far less than one after another with a collection."""
    ends: list[int] = []

    def scrape() -> None:
        ends.append(ask(endpoint, get())[0])

    threads = [threading.Thread(target=scrape) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ends == [200] * 200


def test_connection_that_is_quiet_for_longest_makes_room(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections that say nothing, or half of a request, cannot shut others out."""
    monkeypatch.setattr(server, "_CONNECTIONS", 8)
    with ExitStack() as held:
        quiet = [held.enter_context(socket.create_connection(address(endpoint))) for _ in range(20)]
        for one in quiet[::2]:
            one.sendall(b"GET /metrics HTTP/1.1\r\nHost: loc")
        assert ask(endpoint, get())[0] == 200


def test_without_descriptors_left_it_waits_instead_of_spinning(endpoint: Endpoint) -> None:
    """The waiting connection costs no CPU, and is answered when there is room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as held:
        client = held.enter_context(socket.socket())
        lowest = held.enter_context(socket.socket()).fileno()
        resource.setrlimit(resource.RLIMIT_NOFILE, (lowest + 1, hard))
        try:
            client.connect(address(endpoint))
            client.sendall(get().encode())
            before = time.process_time()
            time.sleep(0.3)
            spent = time.process_time() - before
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert spent < 0.1
        client.settimeout(10)
        assert client.recv(12) == b"HTTP/1.1 200"


# -- Prometheus' web configuration


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[Endpoint, ssl.SSLContext]]:
    """/metrics with TLS and one user, and what trusts its certificate."""
    authority = Authority()
    key, certificate = authority.issue("localhost")
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "certificate.pem").write_bytes(certificate)
    password = bcrypt.hashpw(b"sesame", bcrypt.gensalt(4)).decode()
    (tmp_path / "web.yml").write_text(
        "tls_server_config: {cert_file: certificate.pem, key_file: key.pem}\n"
        f"basic_auth_users: {{ada: {password}}}\n",
        encoding="utf-8",
    )
    for endpoint in serving(str(tmp_path / "web.yml")):
        yield endpoint, ssl.create_default_context(cadata=authority.certificate.decode())


@pytest.mark.parametrize(
    ("user", "status"), [("ada:sesame", 200), ("ada:wrong", 401), ("eve:sesame", 401), (None, 401)]
)
def test_web_configuration_asks_for_tls_and_a_user(
    guarded: tuple[Endpoint, ssl.SSLContext], user: str | None, status: int
) -> None:
    """Twice, as the second time is answered from memory; plain text is not answered at all."""
    endpoint, trusting = guarded
    assert str(endpoint.url).startswith("https://")
    headers = {}
    if user:
        headers["Authorization"] = f"Basic {base64.b64encode(user.encode()).decode()}"
    port = address(endpoint)[1]
    for _ in range(2):
        client = http.client.HTTPSConnection("localhost", port, context=trusting, timeout=10)
        with closing(client):
            client.request("GET", "/metrics", headers=headers)
            assert client.getresponse().status == status
    with socket.create_connection(address(endpoint), timeout=10) as plain:
        plain.sendall(get().encode())
        with suppress(ConnectionResetError):
            assert not plain.recv(1 << 16).startswith(b"HTTP")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("tls_server_config: {cert_file: a, key_file: b}", "FileNotFoundError"),
        ("tls_server_config: {cipher_suites: []}", "cipher_suites has no effect here"),
        ("http_server_config: {}", "http_server_config has no effect here"),
        ("basic_auth_users: {ada: sesame}", "ValueError"),
        ("basic_auth_users: [", "ParserError"),
        ("- a", "a has no effect here|AttributeError"),
    ],
)
def test_web_configuration_that_cannot_be_used_is_an_error(
    tmp_path: Path, text: str, problem: str
) -> None:
    """It names the file and the problem, and nobody is let in by mistake."""
    file = tmp_path / "web.yml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=f"^QUDAG_PROMETHEUS_WEB_CONFIG_FILE=.*{problem}"):
        Door("127.0.0.1", str(file))


def test_web_configuration_is_read_again_when_it_changes(tmp_path: Path) -> None:
    """A password is changed without a restart; what cannot be read leaves it as it was."""
    file = tmp_path / "web.yml"

    def write(password: bytes, stamp: int) -> None:
        hashed = bcrypt.hashpw(password, bcrypt.gensalt(4)).decode()
        file.write_text(f"basic_auth_users: {{ada: {hashed}}}", encoding="utf-8")
        os.utime(file, (stamp, stamp))

    def admits(password: str) -> bool:
        door.tls()
        return door.admits(f"Basic {base64.b64encode(f'ada:{password}'.encode()).decode()}")

    write(b"one", 1)
    door = Door("127.0.0.1", str(file))
    assert admits("one")
    write(b"two", 2)
    assert admits("two")
    assert not admits("one")
    for broken in ("basic_auth_users: [", "{tls_server_config: {cert_file: a, key_file: b}}"):
        file.write_text(broken, encoding="utf-8")
        assert admits("two")
        assert not admits("one")


# -- a bearer token


@pytest.fixture
def learned() -> Iterator[None]:
    """Tokens that were learned as secrets are forgotten."""
    yield
    texts.reset()


def bearer(token: str, scheme: str = "Bearer") -> str:
    """The headers of a request with a token."""
    return f"Host: localhost\r\nAuthorization: {scheme} {token}\r\n"


@pytest.mark.usefixtures("learned")
def test_token_opens_the_door_and_changes_with_its_file(tmp_path: Path) -> None:
    """Within one connection, too; what cannot be read leaves it as it was."""
    file = tmp_path / "token"
    file.write_text("tok-one-1234\n", "utf-8")
    for endpoint in serving("", str(file)):
        for headers, status in (
            (bearer("tok-one-1234"), 200),
            (bearer("tok-one-1234", "bearer"), 200),
            (bearer("tok-one-1234", "Basic"), 401),
            (bearer("tok-one-123"), 401),
            (bearer("tok-one-12345"), 401),
            (bearer(""), 401),
            (bearer("t\u00f6k"), 401),
            ("Host: localhost\r\n", 401),
        ):
            assert ask(endpoint, get(headers))[0] == status, headers
        refused = ask(endpoint, get())[1]
        assert b'WWW-Authenticate: Bearer realm="metrics"\r\n' in refused
        assert b"tok-one" not in refused
        with closing(http.client.HTTPConnection(*address(endpoint), timeout=10)) as client:

            def status_of(token: str) -> int:
                client.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
                answer = client.getresponse()
                answer.read()
                return answer.status

            assert status_of("tok-one-1234") == 200
            (tmp_path / "next").write_text("tok-two-1234", "utf-8")
            os.utime(tmp_path / "next", ns=(0, file.stat().st_mtime_ns))  # another file by its node
            (tmp_path / "next").replace(file)
            assert [status_of(one) for one in ("tok-one-1234", "tok-two-1234")] == [401, 200]
            for broken in ("", "two words", "\ud800"):
                file.write_bytes(broken.encode("utf-8", "surrogatepass"))
                assert status_of("tok-two-1234") == 200
                assert status_of("") == 401
            file.unlink()
            assert status_of("tok-two-1234") == 200
    assert mask("sent tok-two-1234 along") == f"sent {MASK} along"


@pytest.mark.usefixtures("learned")
def test_token_and_user_open_the_same_door(tmp_path: Path) -> None:
    """Either will do, and a refusal names both."""
    (tmp_path / "token").write_text("tok-one-1234", "utf-8")
    hashed = bcrypt.hashpw(b"sesame", bcrypt.gensalt(4)).decode()
    (tmp_path / "web.yml").write_text(f"basic_auth_users: {{ada: {hashed}}}", "utf-8")
    door = Door("127.0.0.1", str(tmp_path / "web.yml"), str(tmp_path / "token"))
    coded = base64.b64encode(b"ada:sesame").decode()
    assert door.admits(f"Basic {coded}")
    assert door.admits("Bearer tok-one-1234")
    assert not door.admits(f"Bearer {coded}")
    assert not door.admits("")
    assert door.challenge == 'Basic realm="metrics", Bearer realm="metrics"'


@pytest.mark.parametrize("content", [None, "", "\n", "two words", "t\u00f6k", "\x00"])
def test_token_file_without_a_token_never_opens_the_door(
    tmp_path: Path, content: str | None
) -> None:
    """It is an error that names the variable and the file, and not what is in it."""
    file = tmp_path / "token"
    if content is not None:
        file.write_text(content, "utf-8")
    with pytest.raises(ConfigurationError, match="QUDAG_PROMETHEUS_TOKEN_FILE=") as refused:
        Door("127.0.0.1", token_file=str(file))
    assert "words" not in str(refused.value)
    environ = {"OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": "0"}
    with pytest.raises(ConfigurationError, match="QUDAG_PROMETHEUS_TOKEN_FILE"):
        configure(environ={**environ, "QUDAG_PROMETHEUS_TOKEN_FILE": str(file)})
