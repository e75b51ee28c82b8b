"""The commands as a user runs them: help, formats, findings, and answers to bad input."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from qudag_otel.catalogue.metrics import CONTRACT
from qudag_otel.cli import COMMANDS
from tests.demo.programs import command, environment, run, running
from tests.sdk.receiver import Receiver

if TYPE_CHECKING:
    from pathlib import Path

_QUIET = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_every_command_succeeds(name: str) -> None:
    """Each subcommand explains itself."""
    result = run(name, "--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert f"usage: qudag-otel {name}" in result.stdout


@pytest.mark.parametrize("words", [("metrics",), ("metrics", "--json"), ("doctor",), ("--help",)])
def test_closed_output_gives_no_traceback(words: tuple[str, ...]) -> None:
    """A reader that is gone is no error worth a traceback."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        result = subprocess.run(
            command(*words), env=environment(**_QUIET), stdout=writing, stderr=subprocess.PIPE,
            text=True, timeout=30, check=False,
        )  # fmt: skip
    finally:
        os.close(writing)
    assert result.stderr == ""


def test_metrics_lists_the_contract_in_both_formats() -> None:
    """Table and JSON name the 20 metrics, and nothing else with --contract."""
    names = [metric.prometheus_name for metric in CONTRACT]
    assert len(names) == 20
    table = run("metrics", "--contract").stdout.splitlines()[1:]
    assert [line.split()[0] for line in table] == names
    data = json.loads(run("metrics", "--contract", "--json").stdout)
    assert [(one["prometheus_name"], one["unit"]) for one in data] == [
        (metric.prometheus_name, metric.unit) for metric in CONTRACT
    ]


BAD = [
    (("metrics", "nope"), "there is no metric 'nope'"),
    (("metrics", "--nope"), "unrecognized arguments: --nope"),
    (("top", "--rounds", "0"), "'0' is not a whole number, 1 or more"),
    (("top", "--interval", "0"), "is not a number of seconds"),
    (("top", "ftp://x"), "give for example 127.0.0.1:9464"),
    (("doctor", "--timeout", "-1"), "'-1' is not a number of seconds above 0"),
    (("doctor", "--timeout", "nan"), "'nan' is not a number of seconds above 0"),
    (("demo", "--nodes", "0"), "a whole number from 2 to 50"),
    (("demo", "--rate", "-1"), "'-1' is not a number above 0"),
    (("demo", "--fault", "nope"), "there is no fault 'nope'; choose cold-cache"),
    (("demo", "--source", "/no/such"), "there is no folder /no/such"),
    (("demo", "--record", "/no/such/a.svg"), "cannot write to '/no/such/a.svg'"),
]


@pytest.mark.parametrize(("words", "answer"), BAD, ids=lambda value: str(value)[:30])
def test_bad_option_is_answered_with_a_sentence(words: tuple[str, ...], answer: str) -> None:
    """What cannot be used is named, with exit code 2."""
    result = run(*words)
    assert (result.returncode, answer in result.stderr) == (2, True), result.stderr
    assert "Traceback" not in result.stderr


def test_demo_empty_source_is_answered(tmp_path: Path) -> None:
    """A folder without files says so."""
    result = run("demo", "--headless", "--source", str(tmp_path))
    assert result.returncode == 2
    assert "has no readable file" in result.stderr


def test_doctor_with_a_receiver_finds_everything_acknowledged() -> None:
    """The test data of each signal arrives, and the code is 0."""
    with Receiver() as receiver:
        result = run("doctor", OTEL_EXPORTER_OTLP_ENDPOINT=receiver.grpc_endpoint)
        assert result.returncode == 0, result.stdout
        assert result.stdout.count(": acknowledged") == 3
        assert {request.signal for request in receiver.requests} == {"traces", "metrics", "logs"}


def test_doctor_without_a_receiver_fails_and_keeps_secrets() -> None:
    """A dead endpoint is named with a remedy and origin; no header or password is shown."""
    result = run(
        "doctor", "--all",
        OTEL_EXPORTER_OTLP_ENDPOINT="http://user:pw123@127.0.0.1:1",
        OTEL_EXPORTER_OTLP_HEADERS="authorization=s3cr3t",
    )  # fmt: skip
    assert result.returncode == 1
    assert "is unreachable" in result.stdout
    assert "start a receiver there" in result.stdout
    assert "[environment]" in result.stdout
    assert "[default]" in result.stdout
    assert [word for word in ("pw123", "s3cr3t") if word in result.stdout + result.stderr] == []


def test_top_reads_a_live_demo_and_names_what_is_unreachable() -> None:
    """Lines without a terminal; a second endpoint that is down is told, and does no harm."""
    with running("demo", "--headless", "--nodes", "2") as demo:
        (url,) = demo.metrics_urls()
        result = run("top", url, "127.0.0.1:1", "--rounds", "2", "--interval", "0.5")
        assert result.returncode == 0
        assert "messages/s" in result.stdout
        assert "http://127.0.0.1:1/metrics unreachable" in result.stderr
        # The port is the first demo's: a second one says so.
        second = run("demo", "--headless", OTEL_EXPORTER_PROMETHEUS_PORT=url.split(":")[2][:-8])
        assert second.returncode == 2
        assert "another process listens" in second.stderr
