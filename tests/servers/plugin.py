"""Pytest fixtures: the real servers. Mark the tests that use them `@pytest.mark.servers`.

- `prometheus_server(rules=folder, overrides=..., targets=...)` starts a Prometheus of one's own on
  collector-config/backends/prometheus.yaml and returns it, ready. `.query(promql)`,
  `.query_range`, `.exemplars`; `.push(name, labels, [(time, value), ...])` stores samples up to
  two hours old. `overrides=QUICK_PROMETHEUS` evaluates every second; rules in quick motion:
  `qudag_otel.alerts.rendering.rules_yaml(files, Style(scale=60))`. Days of history:
  `Prometheus(folder)`, then `.backfill(openmetrics)`, then `with ...` (tests.servers.backends).
- `alertmanager_server(config=file)`: `.target` for Prometheus' `targets={"alertmanagers":
  [{"targets": [alertmanager.target]}]}`, `.alerts()`.
- `collector_server(configs=..., environment=...)`, `jaeger_server()`, `victorialogs_server()`:
  likewise.
- `qudag_node(unix=..., unwired=..., token=...)`: a real node, `.address` and `.ask(method)`.
- `postgresql` and `redis_server`: each once a session; `.port`.
- `pipeline`: all of them wired together, once a session, each started when a test first asks for
  it: `.otlp_http` and `.otlp_grpc` are where applications send, `.prometheus`, `.jaeger`, `.logs`,
  `.alertmanager`, `.collector`.
  Shared by all tests: use a service name of your own, and stop none of its servers.
- Tools: `tests.servers.binary("promtool")`, also "amtool", "otelcol", "telemetrygen", "compose".
  Name their servers in the marker, `@pytest.mark.servers("prometheus")`, so that a first build
  happens before the tests and does not count towards their time limit.

A server that cannot be built costs the tests that need it: they are skipped, in CI they fail.

Wait with `tests.servers.waiting.eventually(check)`. Servers get ports from the system, end with
the fixture, and put the end of their logs into the report of a failing test.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from typing import TYPE_CHECKING, TypeVar

import pytest

from tests.servers.backends import Alertmanager, Jaeger, Prometheus, VictoriaLogs
from tests.servers.build import BuildError, build, failures
from tests.servers.collectors import Collector, Pipeline
from tests.servers.databases import PostgreSQL, Redis
from tests.servers.nodes import QudagNode
from tests.servers.process import LIVE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.servers.process import Server

S = TypeVar("S", bound="Server")

_BUILT_FOR = {
    "prometheus_server": ("prometheus",),
    "alertmanager_server": ("alertmanager",),
    "collector_server": ("collector",),
    "jaeger_server": ("jaeger",),
    "victorialogs_server": ("victorialogs",),
    "qudag_node": ("node",),
    "postgresql": ("postgresql",),
    "redis_server": ("redis",),
    "pipeline": ("prometheus", "alertmanager", "collector", "jaeger", "victorialogs"),
}


def pytest_collection_finish(session: pytest.Session) -> None:
    """Build what the selected tests need, before a time limit runs."""
    if session.config.option.collectonly:
        return
    wanted = dict.fromkeys(server for item in session.items for server in _wanted(item, _BUILT_FOR))
    for server in wanted:
        # The test that needs it says the same sentence.
        with contextlib.suppress(BuildError):
            build(server)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without a server that it names, a test does not begin."""
    for server in _wanted(item, {}):
        build(server)


def _wanted(item: pytest.Item, fixtures: Mapping[str, Sequence[str]]) -> Iterator[str]:
    for marker in item.iter_markers("servers"):
        yield from marker.args
    for fixture in getattr(item, "fixturenames", ()):
        yield from fixtures.get(fixture, ())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Skip a test without its server, but not in CI; add the servers' last lines to a failure."""
    report = yield
    if call.excinfo and call.excinfo.errisinstance(BuildError) and os.environ.get("CI") != "true":
        report.outcome = "skipped"
        path, line, _ = item.location
        report.longrepr = (path, line or 0, f"no server: {call.excinfo.value}")
    if report.failed:
        for server in LIVE:
            title = f"{server.name} log ({server.url})"
            report.sections.append((title, _shortened(server.log_tail(6))))
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which servers are missing, so that nobody takes a part for the whole."""
    for error in failures():
        terminalreporter.write_line(f"MISSING SERVER: {error}", red=True)


def _shortened(log: str) -> str:
    return "\n".join(line[:200] for line in log.splitlines())


def _factory(kind: Callable[..., S], folder: Path) -> Iterator[Callable[..., S]]:
    with contextlib.ExitStack() as stack:
        numbers = itertools.count(1)

        def start(**options: object) -> S:
            server = kind(folder / str(next(numbers)), **options)
            stack.callback(server.close)
            server.start()
            return server

        yield start


@pytest.fixture
def prometheus_server(tmp_path: Path) -> Iterator[Callable[..., Prometheus]]:
    """Start a Prometheus of one's own: `prometheus_server(rules=..., overrides=...)`."""
    yield from _factory(Prometheus, tmp_path / "prometheus")


@pytest.fixture
def collector_server(tmp_path: Path) -> Iterator[Callable[..., Collector]]:
    """Start a Collector of one's own: `collector_server(configs=..., environment=...)`."""
    yield from _factory(Collector, tmp_path / "otelcol")


@pytest.fixture
def alertmanager_server(tmp_path: Path) -> Iterator[Callable[..., Alertmanager]]:
    """Start an Alertmanager of one's own: `alertmanager_server(config=...)`."""
    yield from _factory(Alertmanager, tmp_path / "alertmanager")


@pytest.fixture
def jaeger_server(tmp_path: Path) -> Iterator[Callable[..., Jaeger]]:
    """Start a Jaeger of one's own."""
    yield from _factory(Jaeger, tmp_path / "jaeger")


@pytest.fixture
def victorialogs_server(tmp_path: Path) -> Iterator[Callable[..., VictoriaLogs]]:
    """Start a VictoriaLogs of one's own."""
    yield from _factory(VictoriaLogs, tmp_path / "victorialogs")


@pytest.fixture
def qudag_node(tmp_path: Path) -> Iterator[Callable[..., QudagNode]]:
    """Start a real QuDAG node of one's own: `qudag_node(unix=..., unwired=..., token=...)`."""
    yield from _factory(QudagNode, tmp_path / "node")


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PostgreSQL]:
    """A PostgreSQL, once a session: `.port`, user `tester`, database `postgres`."""
    with PostgreSQL(tmp_path_factory.mktemp("postgresql")) as running:
        yield running


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A Redis, once a session: `.port`."""
    with Redis(tmp_path_factory.mktemp("redis")) as running:
        yield running


@pytest.fixture(scope="session")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """The whole stack, once a session; each server starts when a test first asks for it."""
    folder = tmp_path_factory.mktemp("pipeline")
    with Pipeline(folder, on_demand=True, fast=True) as running:
        yield running
