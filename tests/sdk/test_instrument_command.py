"""`opentelemetry-instrument python app.py`: set-up without touching the application."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.sdk import programs
from tests.sdk.test_otlp import PROTOCOLS, environment

if TYPE_CHECKING:
    from tests.sdk.receiver import Receiver

COMMAND = (str(Path(sys.executable).with_name("opentelemetry-instrument")), sys.executable)

# Ten lines, as a reader of the README would write them.
APPLICATION = """
    import logging, urllib.request
    from qudag_otel import instrumented

    @instrumented
    def greet(name):
        logging.warning("greeting %s", name)
        return f"Hello {name}"

    for name in ("Ada", "Alan", "Grace"):
        print(greet(name))
"""
SCRAPE = """
    import urllib.request
    from qudag_otel.sdk import current
    print(urllib.request.urlopen(current().metrics_url).read().decode())
"""


def ours(err: str) -> list[str]:
    """The lines that the application did not write, of another distribution's loader, too."""
    return [line for line in err.splitlines() if "greeting" not in line]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_instrument_command_ten_line_application_sends_all_signals(
    tmp_path: Path, receiver: Receiver, protocol: str
) -> None:
    """Metrics by scrape and OTLP, spans and logs by OTLP, from variables alone."""
    out, _ = programs.run(
        tmp_path,
        APPLICATION + SCRAPE,
        {
            "OTEL_SERVICE_NAME": "x",
            "OTEL_METRICS_EXPORTER": "prometheus,otlp",
            "OTEL_TRACES_EXPORTER": "otlp",
            "OTEL_LOGS_EXPORTER": "otlp",
            "OTEL_EXPORTER_PROMETHEUS_PORT": "0",
            "OTEL_PYTHON_DISTRO": "qudag",
            **environment(receiver, protocol),
        },
        command=COMMAND,
    )
    assert out.startswith("Hello Ada\nHello Alan\nHello Grace\n")
    assert "qudag_operation_duration_seconds_count{" in out
    assert [name.rpartition(".")[2] for name in receiver.span_names()] == ["greet"] * 3
    assert "qudag.operation.duration" in receiver.metric_names()
    records = receiver.logs()
    bodies = [record.body.string_value for record in records]
    assert bodies == ["greeting Ada", "greeting Alan", "greeting Grace"]
    assert {record.trace_id for record in records} == {span.trace_id for span in receiver.spans()}
    for signal in ("traces", "metrics", "logs"):
        assert {resource["service.name"] for resource in receiver.resources(signal)} == {"x"}


def test_instrument_command_port_in_use_logs_one_warning_and_runs(tmp_path: Path) -> None:
    """A port that is taken is one line that names the remedy; the application runs."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        out, err = programs.run(
            tmp_path,
            APPLICATION,
            {
                "OTEL_METRICS_EXPORTER": "prometheus",
                "OTEL_TRACES_EXPORTER": "none",
                "OTEL_LOGS_EXPORTER": "none",
                "OTEL_EXPORTER_PROMETHEUS_PORT": str(taken.getsockname()[1]),
                "OTEL_PYTHON_DISTRO": "qudag",
            },
            command=COMMAND,
        )
    assert out == "Hello Ada\nHello Alan\nHello Grace\n"
    (warning,) = ours(err)
    assert f"process {os.getpid()} (" in warning
    assert "Set OTEL_EXPORTER_PROMETHEUS_PORT to a free port" in warning


def test_instrument_command_unknown_exporter_logs_one_error_and_runs(tmp_path: Path) -> None:
    """A mistyped exporter is one line, too."""
    out, err = programs.run(
        tmp_path,
        APPLICATION,
        {"OTEL_TRACES_EXPORTER": "otpl", "OTEL_PYTHON_DISTRO": "qudag"},
        command=COMMAND,
    )
    assert out == "Hello Ada\nHello Alan\nHello Grace\n"
    (error,) = ours(err)
    assert "OTEL_TRACES_EXPORTER=otpl: unknown" in error


def test_instrument_command_configure_in_the_application_returns_the_same(
    tmp_path: Path, receiver: Receiver
) -> None:
    """An application that also calls configure() keeps what the command set up."""
    out, err = programs.run(
        tmp_path,
        """
    from qudag_otel.sdk import configure, current
    print(configure(service_name="y") is current())
    """,
        {"OTEL_SERVICE_NAME": "x", "OTEL_PYTHON_DISTRO": "qudag", **environment(receiver, "grpc")},
        command=COMMAND,
    )
    assert out == "True\n"
    assert err.count("configure() was called again with other arguments") == 1
