"""The classic mistakes between an application and its receiver, each with real ports."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from qudag_otel.cli import _probe as probe
from qudag_otel.cli import main
from qudag_otel.sdk.export.otlp import receiver as receiver_of
from qudag_otel.sdk.settings.settings import Settings
from tests.sdk.certificates import Authority
from tests.sdk.receiver import Receiver, Tls

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

GRPC, HTTP = "grpc", "http/protobuf"


def mistake(endpoint: str, protocol: str, **more: str) -> str:
    """What the probe says of an endpoint."""
    to = receiver_of(
        Settings(
            {
                "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
                "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
                **more,
            }
        ),
        "traces",
    )
    at = probe.address(to.endpoint)
    assert at is not None
    return probe.mistake(to, at)


@contextmanager
def page() -> Iterator[str]:
    """A web server that answers everything with a page."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(b"<html>Welcome</html>")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_receiver_that_speaks_what_is_set_has_no_mistake(protocol: str) -> None:
    """Nothing is seen where nothing is wrong, and no export is counted."""
    with Receiver() as receiver:
        endpoint = receiver.grpc_endpoint if protocol == GRPC else receiver.http_endpoint
        assert mistake(endpoint, protocol) == ""
        assert receiver.requests == []


def test_ports_of_http_and_grpc_mixed_up_are_named() -> None:
    """Either way round, with the variable that puts it right."""
    with Receiver() as receiver:
        assert "speaks HTTP, not gRPC: set OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=http/protobuf" in (
            mistake(receiver.http_endpoint, GRPC)
        )
        assert "speaks gRPC, not HTTP: set OTEL_EXPORTER_OTLP_TRACES_PROTOCOL=grpc" in (
            mistake(receiver.grpc_endpoint, HTTP)
        )


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_tls_spoken_to_a_plain_port_is_named(protocol: str) -> None:
    """With https, and for gRPC also where no scheme was written."""
    with Receiver() as receiver:
        plain = receiver.grpc_endpoint if protocol == GRPC else receiver.http_endpoint
        assert "it does not speak TLS" in mistake(plain.replace("http:", "https:"), protocol)
        if protocol == GRPC:
            bare = plain.removeprefix("http://")
            assert mistake(bare, protocol) == (
                "it does not speak TLS, which gRPC uses where there is no scheme: "
                f"write http://{bare}"
            )


@pytest.mark.parametrize("protocol", [GRPC, HTTP])
def test_plain_text_to_a_port_of_tls_and_unknown_authority_are_named(
    protocol: str, tmp_path: Path
) -> None:
    """The certificate's authority has to be named before it is trusted."""
    authority, trusted = Authority(), tmp_path / "authority.pem"
    trusted.write_bytes(authority.certificate)
    key, certificate = authority.issue("localhost")
    with Receiver(tls=Tls(key, certificate)) as receiver:
        secure = receiver.grpc_endpoint
        assert mistake(secure.replace("https:", "http:"), protocol) in {
            "it speaks TLS: write https://", "",
        }  # fmt: skip
        said = mistake(secure, protocol)
        assert said.startswith("its certificate is not trusted (")
        assert "OTEL_EXPORTER_OTLP_TRACES_CERTIFICATE" in said
        assert mistake(secure, GRPC, OTEL_EXPORTER_OTLP_CERTIFICATE=str(trusted)) == ""


def test_web_page_is_no_receiver() -> None:
    """A port that answers everything with a page takes no spans."""
    with page() as url:
        assert "a page of HTML" in mistake(url, HTTP)
        assert "it speaks HTTP, not gRPC" in mistake(url, GRPC)


def doctor(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, **variables: str
) -> tuple[int, list[tuple[str, str]]]:
    """Run the command in this process; its code and its findings."""
    for name in ("TRACES", "METRICS", "LOGS"):
        monkeypatch.setenv(f"OTEL_{name}_EXPORTER", "none")
    monkeypatch.setenv("GRPC_VERBOSITY", "NONE")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    code = main(["doctor", "--json", "--timeout", "1"])
    ended = capfd.readouterr()
    assert ended.err == ""
    report = json.loads(ended.out)
    assert report["ok"] == (code == 0)
    assert report["versions"]["qudag-otel"]
    assert variables.keys() <= {one["name"] for one in report["configuration"]} or code
    return code, [(one["level"], one["text"]) for one in report["findings"]]


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("OTEL_TRACES_SAMPLER", "ratio", "OTEL_TRACES_SAMPLER=ratio: unknown"),
        ("OTEL_PYTHON_ID_GENERATOR", "uuid", "OTEL_PYTHON_ID_GENERATOR=uuid: unknown"),
        ("OTEL_PROPAGATORS", "tracecontext,b3", "OTEL_PROPAGATORS=b3: unknown"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "soon", "OTEL_METRIC_EXPORT_INTERVAL=soon: "),
    ],
)
def test_doctor_refuses_what_configure_refuses(
    name: str, value: str, told: str,
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Also where nothing is exported, so that nothing would be tried with it."""
    code, findings = doctor(capfd, monkeypatch, **{name: value})
    assert code == 1
    assert [text for level, text in findings if level == "FAIL" and text.startswith(told)], findings


def test_doctor_tells_what_configure_ignores(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An argument that the specification says to ignore is a note."""
    code, findings = doctor(
        capfd, monkeypatch, OTEL_TRACES_SAMPLER="traceidratio", OTEL_TRACES_SAMPLER_ARG="10"
    )
    assert code == 0
    assert [text for level, text in findings if "ARG=10 is ignored" in text and level == "NOTE"]


@pytest.mark.parametrize(("protocol", "variable"), [(GRPC, "grpc_proxy"), (HTTP, "http_proxy")])
def test_doctor_names_a_proxy(
    protocol: str, variable: str,
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """What is asked through a proxy is not judged by a connection that goes around it."""
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "http://me:secret@127.0.0.1:1")
    code, findings = doctor(
        capfd,
        monkeypatch,
        OTEL_TRACES_EXPORTER="otlp",
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
        OTEL_EXPORTER_OTLP_ENDPOINT="http://collector.invalid:4317",
        OTEL_EXPORTER_OTLP_TIMEOUT="300",
    )
    assert code == 1
    assert f"{variable}=127.0.0.1:1" in str(findings)
    assert "secret" not in str(findings)
