"""The stack's commands: up, again, status, logs, down, clean, and what goes wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from opentelemetry.trace import format_trace_id

from qudag_otel.catalogue import uids
from tests.pipeline.application import Application
from tests.servers.api import get, get_lines
from tests.servers.build import REPOSITORY
from tests.servers.native import PORTS, NativeStack, StackError
from tests.servers.process import Ports
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.servers
WHOLE = pytest.mark.servers(
    "prometheus", "alertmanager", "collector", "jaeger", "victorialogs", "page"
)

# What a container engine would be called by; recorded, since there may be no engine here.
FAKE_DOCKER = """#!/bin/sh
echo "$@" >> "$FAKE_DOCKER_LOG"
"""


class Stack:
    """The commands, with a state folder and ports of their own."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "state"
        self.ports = Ports()
        self.numbers = {name: self.ports[name].number for name in PORTS}
        self.ports.close()
        self._variables = {
            "QUDAG_STATE": str(self.state),
            "OTELCOL_SAMPLING_WAIT": "1s",
            **{PORTS[name][1]: str(number) for name, number in self.numbers.items()},
        }

    def run(self, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command as the Makefile does; without the engine that may be here."""
        path = f"{Path(sys.executable).parent}:/usr/bin:/bin"
        if go := _folder_of("go"):
            path = f"{path}:{go}"
        return subprocess.run(
            [sys.executable, "-m", "tests.servers", "stack", command],
            cwd=REPOSITORY,
            env={**os.environ, "PATH": path, **self._variables, **environment},
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )

    def make(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run make itself, with the stack's variables and none of OpenTelemetry's."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
        # Not to be taken for a part of the make that may run these tests.
        for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
            kept.pop(name, None)
        return subprocess.run(
            ["make", *words],
            cwd=REPOSITORY,
            env={**kept, **self._variables, "OTEL_EXPORTER_PROMETHEUS_PORT": "0"},
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self.numbers[name]}"


def _folder_of(command: str) -> str:
    folders = os.environ["PATH"].split(":")
    return next((one for one in folders if (Path(one) / command).exists()), "")


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """Commands whose servers are stopped at the end, whatever happens."""
    stack = Stack(tmp_path)
    yield stack
    stack.run("clean")


@WHOLE
def test_stack_without_an_engine_runs_natively_until_it_is_stopped(stack: Stack) -> None:
    """Started, found again by another command, used, stopped with its data kept, cleaned."""
    up = stack.run("up")
    assert up.returncode == 0, up.stderr
    assert "without Grafana" in up.stderr
    assert "install Docker" in up.stderr
    assert stack.url("prometheus") in up.stdout
    assert f"Dashboards    {stack.url('dashboards')}" in up.stdout
    with urllib.request.urlopen(f"{stack.url('dashboards')}/dashboards.json") as answer:
        assert [one["metadata"]["name"] for one in json.load(answer)] == list(uids.DASHBOARDS)

    again = stack.run("up")
    assert again.returncode == 0
    assert "runs already" in again.stdout
    status = stack.run("status")
    assert len(re.findall(r"ready$", status.stdout, re.MULTILINE)) == 6, status.stdout

    with Application(stack.url("otlp_http"), "native") as app:
        attributes = {"sampling.force": True}
        with app.tracer.start_as_current_span("work", attributes=attributes) as span:
            app.flush()
    trace = f"{stack.url('jaeger')}/api/traces/{format_trace_id(span.get_span_context().trace_id)}"
    eventually(lambda: get(trace))
    targets = {"prometheus", "alertmanager", "jaeger", "victorialogs"}
    eventually(lambda: _assert_targets(stack, targets))

    assert "Server is ready to receive web requests" in stack.run("logs").stdout
    down = stack.run("down")
    assert "Stopped" in down.stdout
    assert "does not run" in stack.run("status").stdout
    assert stack.run("up").returncode == 0
    eventually(lambda: get(trace))  # what was stored is still there
    assert stack.run("clean").returncode == 0
    assert not stack.state.exists()


@WHOLE
def test_demo_sent_into_the_stack_is_found_by_api_where_it_was_told(stack: Stack) -> None:
    """`make demo STACK=1` names the addresses, and each signal of the demo is behind them."""
    assert "The stack does not run" in stack.run("where").stdout
    assert stack.run("up", OTELCOL_SAMPLING_PERCENTAGE="100").returncode == 0
    demo = stack.make(
        "demo", "STACK=1", "ARGS=--headless --duration 4 --rate 10 --fault error-burst"
    )
    assert demo.returncode == 0, demo.stderr
    for server in ("prometheus", "jaeger", "victorialogs", "alertmanager"):
        assert stack.url(server) in demo.stderr
    assert json.loads(demo.stdout)["messages"] > 0

    def found() -> None:
        series = get(
            f"{stack.url('prometheus')}/api/v1/query",
            query='sum(qudag_message_throughput_total{direction="inbound"})',
        )["data"]["result"]
        assert float(series[0]["value"][1]) > 0
        traces = get(f"{stack.url('jaeger')}/api/traces", service="qudag-demo", limit=5)["data"]
        assert len(traces) == 5
        logs = f"{stack.url('victorialogs')}/select/logsql/query"
        assert get_lines(logs, query='{service.name="qudag-demo"}', limit=5)

    eventually(found)


def _assert_targets(stack: Stack, jobs: set[str]) -> None:
    active = get(f"{stack.url('prometheus')}/api/v1/targets")["data"]["activeTargets"]
    assert {one["labels"]["job"] for one in active} == jobs
    assert "down" not in {one["health"] for one in active}


@WHOLE
def test_stack_with_a_port_in_use_says_which_and_starts_nothing(stack: Stack) -> None:
    """The sentence names port, server and variable; no server is left behind."""
    with socket.create_server(("127.0.0.1", stack.numbers["jaeger"])):
        up = stack.run("up")
    assert up.returncode == 1
    number = stack.numbers["jaeger"]
    assert f"port {number} is in use (jaeger; QUDAG_JAEGER_PORT moves it)" in up.stderr
    assert "Traceback" not in up.stderr
    assert "does not run" in stack.run("status").stdout


def test_stack_with_a_port_that_is_no_port_says_so(stack: Stack) -> None:
    """A mistyped variable is named with its value."""
    up = stack.run("up", QUDAG_VICTORIALOGS_PORT="94Z8")
    assert up.returncode == 1
    assert "QUDAG_VICTORIALOGS_PORT=94Z8 is not a port" in up.stderr


def test_stack_without_go_or_engine_names_both_remedies(stack: Stack, tmp_path: Path) -> None:
    """Nothing built, nothing to build with: install Go, or use an engine."""
    bare = tmp_path / "bin"
    bare.mkdir()
    up = stack.run("up", PATH=str(bare), XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert up.returncode == 1
    assert "install Go" in up.stderr
    assert "container engine" in up.stderr
    assert "Traceback" not in up.stderr


def test_stack_without_disk_space_says_how_much_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is started that would fill the disk: what is free, what is needed, what helps."""
    usage = shutil.disk_usage(tmp_path)._replace(free=5 << 20)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    native = NativeStack(tmp_path)
    with pytest.raises(StackError, match=r"5 MiB are free .* needs 1024: .* QUDAG_STATE"):
        native.up()
    assert native.running() == {}


@WHOLE
def test_stack_whose_server_ends_stops_the_others(stack: Stack) -> None:
    """A setting that a server refuses: its own words are shown, and nothing runs on."""
    up = stack.run("up", OTELCOL_MEMORY_MIB="plenty")
    assert up.returncode == 1
    assert "otelcol ended with 1" in up.stderr
    assert "limit_mib" in up.stderr
    assert "were stopped again" in up.stderr
    assert "does not run" in stack.run("status").stdout


def test_commands_before_the_first_start_say_that_nothing_runs(stack: Stack) -> None:
    """Status, logs, down and clean are harmless on an empty folder."""
    assert "make stack" in stack.run("status").stdout
    assert "not started here" in stack.run("logs").stdout
    assert "does not run" in stack.run("down").stdout
    assert stack.run("clean").returncode == 0


def test_stack_with_an_engine_uses_compose_and_creates_a_password(
    stack: Stack, tmp_path: Path
) -> None:
    """Compose is asked to wait for health; the random password is printed once and kept."""
    docker, log = tmp_path / "bin" / "docker", tmp_path / "docker.log"
    docker.parent.mkdir()
    docker.write_text(FAKE_DOCKER)
    docker.chmod(0o755)
    engine = {"PATH": f"{docker.parent}:/usr/bin:/bin", "FAKE_DOCKER_LOG": str(log)}
    first = stack.run("up", **engine)
    assert first.returncode == 0, first.stderr
    assert "compose up --detach --wait" in log.read_text()
    assert "Grafana" in first.stdout

    secret = stack.state / "grafana_admin_password"
    password = secret.read_text()
    assert len(password) >= 32
    assert password in first.stderr
    # Not for other users of the host, but readable for the user inside the container.
    assert stat.S_IMODE(stack.state.stat().st_mode) == 0o700
    assert stat.S_IMODE(secret.stat().st_mode) == 0o444
    assert stat.S_IMODE((stack.state / "queues").stat().st_mode) == 0o777

    second = stack.run("up", **engine)
    assert secret.read_text() == password
    assert password not in second.stdout + second.stderr
    for command, arguments in {
        "status": "compose ps --all",
        "logs": "compose logs",
        "down": "compose --profile=* down",
        "clean": "compose --profile=* down --volumes",
    }.items():
        assert stack.run(command, **engine).returncode == 0
        assert arguments in log.read_text()
    assert not stack.state.exists()
