"""A real Prometheus and a real VictoriaLogs with data of which the truth is known."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from qudag_otel.catalogue import metrics as m
from tests.baseline.history import History
from tests.servers.backends import VictoriaLogs
from tests.servers.build import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from qudag_otel.catalogue import Metric
    from tests.servers.backends import Prometheus

_HOUR = 3600


@dataclass(frozen=True)
class Past:
    """The Prometheus, the moment to ask about, and how many series each metric has."""

    server: Prometheus
    now: int
    series: dict[str, int]


@pytest.fixture(scope="session")
def past(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Past]:
    """Two nodes and a swarm for two hours, and a third node that fell silent."""
    now = int(time.time()) // 300 * 300 - 900
    recent = History(now - 2 * _HOUR, now)
    _throughput(recent, now)
    _pool_and_cache(recent)
    _swarm(recent)
    _host(recent, now)
    _operations(recent)
    recent.raw("up", {"job": "qudag", "instance": "a"}, [(at, 1) for at in recent.times])
    recent.raw("up", {"job": "qudag", "instance": "b"}, [(at, 0) for at in recent.times])
    for name, severity, state in (
        ("HighCPUUsage", "warning", "firing"),
        ("HighCPUUsage", "warning", "pending"),
        ("Watchdog", "info", "firing"),
    ):
        labels = {"alertname": name, "severity": severity, "alertstate": state}
        recent.raw("ALERTS", labels, [(at, 1) for at in recent.times if at > now - 1800])
    with recent.server(tmp_path_factory.mktemp("past")) as server:
        yield Past(server, now, dict(recent.series))


def _throughput(history: History, now: int) -> None:
    """node-1: 75 + 50 a second until two hours ago, then 60 + 40; node-2: 10; node-3: 5, ended."""
    day = range(now - 26 * _HOUR, now + 1, 15)
    for direction, before, after in (("inbound", 75, 60), ("outbound", 50, 40)):
        total = 0.0
        points: list[tuple[int, float]] = []
        for at in day:
            points.append((at, total))
            total += 15 * (before if at < now - 2 * _HOUR else after)
        labels = {"node_id": "node-1", "message_type": "file", "direction": direction}
        history.add(m.MESSAGE_THROUGHPUT, labels, points)
    other = {"node_id": "node-2", "message_type": "other", "direction": "outbound"}
    history.add(m.MESSAGE_THROUGHPUT, other, _ramp(day, 10))
    silent = {"node_id": "node-3", "message_type": "file", "direction": "outbound"}
    history.add(m.MESSAGE_THROUGHPUT, silent, _ramp(range(day.start, now - 1199, 15), 5))
    file = {"node_id": "node-1", "message_type": "file"}
    history.counter(m.CHUNKS_PROCESSED, file, 250)
    for kind, rate in (("TimeoutError", 0.3), ("OSError", 0.2), ("ValueError", 0.0)):
        labels = {"node_id": "node-1", "component": "network", "error_type": kind}
        history.counter(m.ERRORS, labels, rate)


def _ramp(times: Iterable[int], rate: float) -> list[tuple[int, float]]:
    start = None
    points: list[tuple[int, float]] = []
    for at in times:
        start = at if start is None else start
        points.append((at, rate * (at - start)))
    return points


def _pool_and_cache(history: History) -> None:
    """node-1 hits nine of ten in the pool and three of four in the cache; node-2 never hits."""
    one, two = ({"node_id": node, "pool_type": "peer"} for node in ("node-1", "node-2"))
    history.counter(m.POOL_HITS, one, 9)
    history.counter(m.POOL_MISSES, one, 1)
    history.counter(m.POOL_MISSES, two, 2)
    for pool, active, idle in ((one, 8, 2), (two, 0, 0)):
        history.gauge(m.ACTIVE_CONNECTIONS, {**pool, "state": "active"}, active)
        history.gauge(m.ACTIVE_CONNECTIONS, {**pool, "state": "idle"}, idle)
    # Nine in ten wait up to 0.1 s, the tenth up to 2.5: p95 is half way from 1 to 2.5.
    history.durations(m.CONNECTION_WAIT_TIME, one, lambda _: [0.07] * 90 + [2.0] * 10)

    signature = {"node_id": "node-1", "validation_type": "signature"}
    history.counter(m.CACHE_HITS, signature, 15)
    history.counter(m.CACHE_MISSES, signature, 3)
    history.counter(m.CACHE_MISSES, {"node_id": "node-1", "validation_type": "hash"}, 2)
    history.counter(m.CACHE_MISSES, {"node_id": "node-2", "validation_type": "hash"}, 4)
    cache = {"node_id": "node-1", "cache_type": "validation"}
    for reason, rate in (("capacity", 6), ("expired", 1)):
        history.counter(m.CACHE_EVICTIONS, {**cache, "reason": reason}, rate)
    history.gauge(m.CACHE_MEMORY, cache, 2e9)


def _swarm(history: History) -> None:
    """12 tasks a second come, 10 end, 9 of them well; another kind always fails."""
    verify = {"swarm_id": "swarm-1", "task_type": "verify"}
    history.counter(m.TASKS_CREATED, {**verify, "priority": "normal"}, 12)
    for status, rate in (("success", 9), ("failure", 0.5), ("timeout", 0.4), ("cancelled", 0.1)):
        history.counter(m.TASKS_COMPLETED, {**verify, "status": status}, rate)
    failing = {"swarm_id": "swarm-2", "task_type": "index", "status": "failure"}
    history.counter(m.TASKS_COMPLETED, failing, 1)
    # Nine in ten take up to 20 s, the tenth 45 to 60: p95 is half way from 45 to 60.
    history.durations(m.TASK_LATENCY, verify, lambda _: [18.0] * 90 + [50.0] * 10)
    for priority, waiting in (("high", 20), ("normal", 100)):
        queue = {"swarm_id": "swarm-1", "queue_type": "tasks", "priority": priority}
        history.gauge(m.QUEUE_DEPTH, queue, waiting)
    for agent, share in (("agent-1", 1.0), ("agent-2", 0.5)):
        labels = {"swarm_id": "swarm-1", "agent_id": agent, "agent_type": "worker"}
        history.gauge(m.AGENT_UTILIZATION, labels, share)


def _host(history: History, now: int) -> None:
    """node-1 has 8 of 16 GB in use, 100 kB/s more; node-2 4 of 16. One core of two is busy."""
    for node, used, growth in (("node-1", 8e9, 1e5), ("node-2", 4e9, 0.0)):
        labels = {"node_id": node, "memory_type": "used"}
        points = [(at, used + growth * (at - now)) for at in history.times]
        history.add(m.SYSTEM_MEMORY, labels, points)
        history.gauge(m.SYSTEM_MEMORY, {"node_id": node, "memory_type": "total"}, 16e9)
    for core, share in (("average", 50), ("0", 99), ("1", 1)):
        history.gauge(m.CPU_USAGE, {"node_id": "node-1", "cpu_core": core}, share)
    zstd = {"node_id": "node-1", "compression_type": "zstd"}
    history.gauge(m.COMPRESSION_RATIO, zstd, lambda at: 0.6 if at % 30 else 0.8)
    # Half take up to 0.1 s: the median is that bound.
    size = {"node_id": "node-1", "message_size_bucket": "large"}
    history.durations(m.CHUNKING_DURATION, size, lambda _: [0.07, 0.2])


def _operations(history: History) -> None:
    """store.put takes 25 to 50 ms and fails once in twenty; store.get has not been called."""
    put = {"node_id": "node-1", "operation": "store.put", "component": "store"}
    history.durations(m.OPERATION_DURATION, {**put, "outcome": "ok"}, lambda _: [0.03] * 19)
    history.durations(m.OPERATION_DURATION, {**put, "outcome": "error"}, lambda _: [0.03])
    history.gauge(m.OPERATION_ACTIVE, put, 3)
    for component, up in (("pool", 1), ("cache", 0)):
        history.gauge(m.COMPONENT_UP, {"node_id": "node-1", "component": component}, up)


@pytest.fixture(scope="session")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VictoriaLogs]:
    """A VictoriaLogs to which an application has sent a few known lines."""
    with VictoriaLogs(tmp_path_factory.mktemp("lines")) as server:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        environment = {
            **kept,
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "otlp",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": f"{server.otlp_http}/v1/logs",
        }
        for node in ("node-1", "node-2"):
            command = [sys.executable, "-m", "tests.guide.application", node]
            subprocess.run(
                command,
                env=environment,
                cwd=REPOSITORY,
                check=True,
                capture_output=True,
                timeout=60,
            )
        yield server


def metric_of(series: str) -> Metric | None:
    """The catalogue's metric that a series name in Prometheus belongs to."""
    for metric in m.METRICS:
        if series in {
            f"{metric.prometheus_name}{part}" for part in ("", "_bucket", "_count", "_sum")
        }:
            return metric
    return None
