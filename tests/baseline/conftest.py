"""A Prometheus with two hours of a small network, in the second of which some of it went wrong."""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from qudag_otel.catalogue import metrics as m
from tests.baseline.history import History

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True)
class Network:
    """Where it is, and when its two hours end."""

    url: str
    before: int
    after: int


@pytest.fixture(scope="session")
def network(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Network]:
    """Node "steady" stays, "lossy" loses a fifth, "gone" ends; swarm "slow" takes 30% longer."""
    after = int(time.time()) // 60 * 60 - 3600
    before = after - 3600
    history = History(before - 3600, after)
    chance = random.Random(7)

    def later(factor: float, rate: float) -> Callable[[int], float]:
        return lambda at: rate * (factor if at >= before else 1.0)

    def tasks(factor: float) -> Callable[[int], list[float]]:
        scale = later(factor, 1)
        return lambda at: [scale(at) * chance.lognormvariate(math.log(4), 0.8) for _ in range(10)]

    for node, factor in {"steady": 1.0, "lossy": 0.8}.items():
        for direction in ("inbound", "outbound"):
            labels = {"node_id": node, "message_type": "file", "direction": direction, "job": "a"}
            history.counter(m.MESSAGE_THROUGHPUT, labels, later(factor, 50), noise=chance)
        pool = {"node_id": node, "pool_type": "peer"}
        history.counter(m.POOL_HITS, pool, 9, noise=chance)
        history.counter(m.POOL_MISSES, pool, 1, noise=chance)
    # Misses only: the cache has never answered anything.
    checks = {"node_id": "steady", "validation_type": "signature"}
    history.counter(m.CACHE_MISSES, checks, 5, noise=chance)
    zstd = {"node_id": "steady", "compression_type": "zstd"}
    history.gauge(m.COMPRESSION_RATIO, zstd, lambda at: math.nan if at % 600 == 0 else 0.7)
    for core, share in {"average": 40.0, "0": 80.0, "1": 0.0}.items():
        history.gauge(m.CPU_USAGE, {"node_id": "steady", "cpu_core": core}, share)
    for core, share in {"0": 10.0, "1": 50.0}.items():
        history.gauge(m.CPU_USAGE, {"node_id": "lossy", "cpu_core": core}, share)
    history.add(
        m.CHUNKS_PROCESSED,
        {"node_id": "gone", "message_type": "file"},
        [(at, 30.0 * index) for index, at in enumerate(history.times) if at <= before],
    )
    for swarm, factor in {"brisk": 1.0, "slow": 1.3}.items():
        labels = {"swarm_id": swarm, "task_type": "verify"}
        history.durations(m.TASK_LATENCY, labels, tasks(factor))
    with history.server(tmp_path_factory.mktemp("network")) as server:
        yield Network(server.url, before, after)
