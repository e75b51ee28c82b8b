"""`qudag-otel doctor`: what it says of a configuration is so."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

import pytest

from qudag_otel.sdk import configure, reset
from tests.demo.programs import run
from tests.sdk.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

SIGNALS = ("traces", "metrics", "logs")
NOWHERE = {f"OTEL_{signal.upper()}_EXPORTER": "none" for signal in SIGNALS}


class Report(NamedTuple):
    """What the doctor wrote: values with their origins, findings, and all of it."""

    code: int
    values: Mapping[str, tuple[str, str]]
    checks: list[tuple[str, str]]
    text: str

    def of(self, level: str) -> list[str]:
        """The findings of a level."""
        return [text for found, text in self.checks if found == level]


def doctor(*words: str, **variables: str) -> Report:
    """Ask the doctor about an environment."""
    ended = run("doctor", *words, **variables)
    assert ended.stderr == ""
    _, rest = ended.stdout.split("\nConfiguration", 1)
    configuration, _, checks = rest.partition("\nChecks\n")
    values = {
        name: (value, origin)
        for name, value, origin in re.findall(
            r"^  (OTEL_\w+) +(.*?)  \[(\w+)\]$", configuration, re.MULTILINE
        )
    }
    found = re.findall(r"^  (OK|NOTE|FAIL) +(.*)$", checks or rest, re.MULTILINE)
    return Report(ended.returncode, values, found, ended.stdout)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A running OTLP receiver."""
    with Receiver() as running:
        yield running


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
def test_doctor_receiver_that_takes_everything_is_well(receiver: Receiver, protocol: str) -> None:
    """A test of each signal arrives, with the headers, and the code is 0."""
    endpoint = receiver.grpc_endpoint if protocol == "grpc" else receiver.http_endpoint
    report = doctor(
        OTEL_EXPORTER_OTLP_ENDPOINT=endpoint,
        OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
        OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer%20s3cr3t",
        OTEL_TRACES_SAMPLER="always_off",
    )
    assert (report.code, report.of("FAIL")) == (0, [])
    for signal in SIGNALS:
        assert f"{signal}: test data through otlp: acknowledged" in report.of("OK")
    assert receiver.span_names() == ["doctor"]
    assert "qudag.operation.duration" in receiver.metric_names()
    assert len(receiver.log_bodies()) == 1
    assert {one.headers["authorization"] for one in receiver.requests} == {"Bearer s3cr3t"}
    assert "s3cr3t" not in report.text


def test_doctor_receiver_that_refuses_fails_for_every_signal() -> None:
    """A port that answers is not enough: what is not taken is told, and no secret with it."""
    with Receiver(failing=lambda: True) as refusing:
        report = doctor(
            "--timeout",
            "3",
            OTEL_EXPORTER_OTLP_ENDPOINT=refusing.http_endpoint.replace("//", "//user:pw123@"),
            OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf",
            OTEL_EXPORTER_OTLP_HEADERS="authorization=s3cr3t",
            OTEL_EXPORTER_OTLP_TIMEOUT="1000",
        )
    assert refusing.refused >= 3
    assert report.code == 1
    assert [text.split(": not ack")[0] for text in report.of("FAIL")] == [
        f"{signal}: test data through otlp" for signal in SIGNALS
    ]
    assert [word for word in ("pw123", "s3cr3t") if word in report.text] == []


def test_doctor_wrong_protocol_fails_for_every_signal(receiver: Receiver) -> None:
    """To speak gRPC to an HTTP port connects and gets nowhere."""
    report = doctor(
        "--timeout",
        "2",
        OTEL_EXPORTER_OTLP_ENDPOINT=receiver.http_endpoint,
        OTEL_EXPORTER_OTLP_TIMEOUT="1000",
    )
    assert report.code == 1
    endpoint = receiver.http_endpoint
    assert report.of("FAIL") == [
        f"{signal}: {endpoint} accepts connections, but it speaks HTTP, not gRPC: set "
        f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL=http/protobuf, or use the port of gRPC, "
        "usually 4317"
        for signal in SIGNALS
    ]


def test_doctor_dead_endpoint_has_a_remedy_for_every_signal() -> None:
    """Who does not listen is named, with what to start and which variables to set."""
    report = doctor(OTEL_EXPORTER_OTLP_ENDPOINT="http://user:pw123@127.0.0.1:1")
    assert report.code == 1
    for signal, text in zip(SIGNALS, report.of("FAIL"), strict=True):
        assert text.startswith(f"{signal}: http://127.0.0.1:1 is unreachable (")
        assert "Connection refused); start a receiver there, or set " in text
        assert f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT" in text
        assert f"OTEL_{signal.upper()}_EXPORTER" in text
    assert "pw123" not in report.text


def test_doctor_every_value_has_its_origin() -> None:
    """Values come from the environment, from the variable that stands in, or by default."""
    given = {
        **NOWHERE,
        "OTEL_SERVICE_NAME": "shop",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://u:pw123@h:4317",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t:4317",
        "OTEL_EXPORTER_OTLP_HEADERS": "authorization=s3cr3t",
    }
    report = doctor("--all", **given)
    assert report.code == 0
    assert report.of("NOTE") == [f"{signal}: exported nowhere" for signal in SIGNALS]
    assert report.values["OTEL_SERVICE_NAME"] == ("shop", "environment")
    assert report.values["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] == ("http://t:4317", "environment")
    assert report.values["OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"] == (
        "http://****@h:4317",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    )
    assert report.values["OTEL_EXPORTER_OTLP_HEADERS"] == (
        "authorization=[redacted]",
        "environment",
    )
    assert report.values["OTEL_TRACES_SAMPLER"] == ("parentbased_always_on", "default")
    assert report.values["OTEL_EXPORTER_PROMETHEUS_HOST"] == ("127.0.0.1", "default")
    short = doctor(**given)
    assert short.values == {
        name: value for name, value in report.values.items() if value[1] != "default"
    }
    assert "pw123" not in report.text + short.text


def test_doctor_console_is_named_and_left_alone() -> None:
    """What goes to standard output is not tried there."""
    report = doctor(**NOWHERE | {"OTEL_LOGS_EXPORTER": "console"})
    assert report.code == 0
    assert report.of("NOTE")[-1] == "logs: written to standard output"


def test_doctor_port_of_metrics_in_use_is_named(receiver: Receiver) -> None:
    """A port that somebody else holds is named with a remedy."""
    port = receiver.http_endpoint.rpartition(":")[2]
    report = doctor(
        **NOWHERE | {"OTEL_METRICS_EXPORTER": "prometheus"}, OTEL_EXPORTER_PROMETHEUS_PORT=port
    )
    assert report.code == 1
    (text,) = report.of("FAIL")
    assert text.startswith(f"/metrics on 127.0.0.1:{port}: Address already in use")
    assert text.endswith("; set OTEL_EXPORTER_PROMETHEUS_PORT to another port")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_doctor_port_of_metrics_free_is_well(host: str) -> None:
    """A free port is said to be free, and a test metric is served."""
    report = doctor(
        **NOWHERE | {"OTEL_METRICS_EXPORTER": "prometheus"}, OTEL_EXPORTER_PROMETHEUS_HOST=host
    )
    assert report.code == 0, report.text
    assert report.of("OK") == [
        f"/metrics on {f'[{host}]' if ':' in host else host}:0: the port is free",
        "metrics: test data through prometheus: acknowledged",
    ]


def test_doctor_port_of_metrics_held_by_the_application_is_well() -> None:
    """The application that is examined may run: its port says how much it serves."""
    quiet = NOWHERE | {"OTEL_METRICS_EXPORTER": "prometheus"}
    telemetry = configure(environ={**quiet, "OTEL_EXPORTER_PROMETHEUS_PORT": "0"}, sigterm=False)
    try:
        assert telemetry.metrics_url is not None
        port = telemetry.metrics_url.split(":")[2].partition("/")[0]
        report = doctor(**quiet, OTEL_EXPORTER_PROMETHEUS_PORT=port)
    finally:
        reset()
    assert report.code == 0, report.text
    assert re.match(rf"/metrics on 127.0.0.1:{port}: served, with \d+ metrics", report.of("OK")[0])
    assert re.search(r"; telemetry takes \d+\.\d% of that process", report.of("OK")[0])


@pytest.mark.parametrize(
    ("variables", "code", "level", "text"),
    [
        ({"OTEL_SDK_DISABLED": "true"}, 0, "NOTE", "OTEL_SDK_DISABLED=true: nothing is recorded"),
        ({"OTEL_TRACE_SAMPLER": "always_on"}, 0, "NOTE", "did you mean OTEL_TRACES_SAMPLER?"),
        ({"OTEL_TRACES_EXPORTER": "otpl"}, 1, "FAIL", "OTEL_TRACES_EXPORTER=otpl: unknown"),
        ({"OTEL_EXPORTER_PROMETHEUS_PORT": "x"}, 1, "FAIL", "OTEL_EXPORTER_PROMETHEUS_PORT=x: "),
        (
            {"OTEL_EXPORTER_OTLP_HEADERS": "s3cr3t"},
            1,
            "FAIL",
            "OTEL_EXPORTER_OTLP_HEADERS=[redacted]: ",
        ),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "ftp://u:s3cr3t@h"}, 1, "FAIL", "ftp://****@h: "),
    ],
)
def test_doctor_configuration_that_does_nothing_or_wrong_is_told(
    variables: Mapping[str, str], code: int, level: str, text: str
) -> None:
    """Switched off, misspelled or unusable: each in a sentence, and secrets masked."""
    report = doctor(**{**NOWHERE, **variables})
    assert report.code == code, report.text
    assert [found for found in report.of(level) if text in found], report.text
    assert "s3cr3t" not in report.text


def test_doctor_names_why_calls_go_round_the_fast_path(tmp_path: Path) -> None:
    """A file that makes the providers is one reason; without any, nothing is said."""
    file = tmp_path / "otel.yaml"
    file.write_text('file_format: "1.0"\n')
    told = "calls go round the fast path: OTEL_CONFIG_FILE makes the providers"
    assert told in doctor(OTEL_CONFIG_FILE=str(file)).of("NOTE")
    assert "round the fast path" not in doctor(**NOWHERE).text
