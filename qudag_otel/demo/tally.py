"""What the nodes counted themselves, under the names and labels of the catalogue.

Nothing here reads a metric: these are the network's own counters, which tests and readers
compare with what /metrics says.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, TypeAlias

import psutil

from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue.attributes import DIRECTION, EVICTION_REASON
from qudag_otel.demo.chunks import COMPRESSION
from qudag_otel.demo.network import MESSAGE_TYPES, TASK_TYPES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qudag_otel.catalogue import Metric
    from qudag_otel.demo.network import Node

# What the nodes' only pool, cache, kind of validation and queue are called.
POOL: Final = "peer"
CACHE: Final = "content"
VALIDATION: Final = "signature"
QUEUE: Final = "tasks"

Sample: TypeAlias = "dict[str, object]"
"""`labels`, and `value` or, for a histogram, `count` and `sum`."""

_Entry: TypeAlias = "tuple[Metric, dict[str, str], float | tuple[int, float]]"


class Tally:
    """The account of a run, from its construction on.

    Args:
        nodes: The nodes that it asks.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._nodes = nodes
        self._started = time.monotonic()
        self._cpu = _cpu_seconds()

    def counted(self) -> dict[str, list[Sample]]:
        """Every metric of the contract as the nodes themselves counted it.

        Gauges are what holds now, except the agents' utilization and the CPU's, which are those of
        the whole run.
        """
        found: dict[str, list[Sample]] = {metric.prometheus_name: [] for metric in m.CONTRACT}
        for node in self._nodes:
            for metric, labels, value in self._entries(node):
                sample: Sample = {"labels": labels}
                if isinstance(value, tuple):
                    sample["count"], sample["sum"] = value
                else:
                    sample["value"] = value
                found[metric.prometheus_name].append(sample)
        return found

    def _entries(self, node: Node) -> Iterator[_Entry]:
        where = {"node_id": node.node_id}
        for metric, labels, value in (
            *_chunking(node),
            *_connections(node),
            *_validation(node),
            *_messages(node),
            *self._host(),
        ):
            yield metric, {**where, **labels}, value
        where = {"swarm_id": node.swarm.swarm_id}
        for metric, labels, value in (*_tasks(node), *self._agents(node)):
            yield metric, {**where, **labels}, value

    def _agents(self, node: Node) -> Iterator[_Entry]:
        elapsed = time.monotonic() - self._started
        for agent in node.swarm.agents:
            labels = {"agent_id": agent.id, "agent_type": agent.type}
            yield m.AGENT_UTILIZATION, labels, min(1.0, agent.busy_seconds() / elapsed)

    def _host(self) -> Iterator[_Entry]:
        memory = psutil.virtual_memory()
        used = memory.total - memory.available
        yield m.SYSTEM_MEMORY, {"memory_type": "used"}, used
        yield m.SYSTEM_MEMORY, {"memory_type": "total"}, memory.total
        cores = [
            _busy_percent(before, after)
            for before, after in zip(self._cpu, _cpu_seconds(), strict=True)
        ]
        yield m.CPU_USAGE, {"cpu_core": "average"}, sum(cores) / len(cores)
        for number, core in enumerate(cores):
            yield m.CPU_USAGE, {"cpu_core": str(number)}, core


def _cpu_seconds() -> list[dict[str, float]]:
    """The seconds that each core spent on each kind of work since the host started."""
    cores = psutil.cpu_times(percpu=True)
    # "guest" times are within "user" and "nice" already.
    return [{k: v for k, v in core._asdict().items() if "guest" not in k} for core in cores]


def _busy_percent(before: dict[str, float], after: dict[str, float]) -> float:
    spent = {kind: after[kind] - before[kind] for kind in after}
    total = sum(spent.values())
    idle = spent["idle"] + spent.get("iowait", 0.0)
    return 100 * (total - idle) / total if total else 0.0


def _chunking(node: Node) -> Iterator[_Entry]:
    for message_type, count in node.chunker.chunks.items():
        yield m.CHUNKS_PROCESSED, {"message_type": message_type}, count
    yield m.COMPRESSION_RATIO, {"compression_type": COMPRESSION}, node.chunker.latest_saved
    for bucket, (count, seconds) in node.chunker.durations.items():
        yield m.CHUNKING_DURATION, {"message_size_bucket": bucket}, (count, seconds)


def _connections(node: Node) -> Iterator[_Entry]:
    pool, labels = node.pool, {"pool_type": POOL}
    yield m.POOL_HITS, labels, pool.requests["hit"]
    yield m.POOL_MISSES, labels, pool.requests["miss"]
    yield m.ACTIVE_CONNECTIONS, {**labels, "state": "active"}, pool.active
    yield m.ACTIVE_CONNECTIONS, {**labels, "state": "idle"}, pool.idle
    yield m.CONNECTION_WAIT_TIME, labels, (pool.obtained, pool.waited_seconds)


def _validation(node: Node) -> Iterator[_Entry]:
    cache = node.cache
    yield m.CACHE_HITS, {"validation_type": VALIDATION}, cache.lookups["hit"]
    yield m.CACHE_MISSES, {"validation_type": VALIDATION}, cache.lookups["miss"]
    yield m.CACHE_MEMORY, {"cache_type": CACHE}, cache.memory_bytes
    for reason in EVICTION_REASON.values:
        labels = {"cache_type": CACHE, "reason": reason}
        yield m.CACHE_EVICTIONS, labels, cache.evictions[reason]


def _tasks(node: Node) -> Iterator[_Entry]:
    swarm = node.swarm
    for (task_type, priority), count in swarm.created.items():
        yield m.TASKS_CREATED, {"task_type": task_type, "priority": priority}, count
    for (task_type, status), count in swarm.completed.items():
        yield m.TASKS_COMPLETED, {"task_type": task_type, "status": status}, count
    for task_type in TASK_TYPES:
        ended = sum(n for (kind, _), n in swarm.completed.items() if kind == task_type)
        yield m.TASK_LATENCY, {"task_type": task_type}, (ended, swarm.latency_seconds[task_type])
    for priority, depth in swarm.queue_depths().items():
        yield m.QUEUE_DEPTH, {"queue_type": QUEUE, "priority": priority}, depth


def _messages(node: Node) -> Iterator[_Entry]:
    for message_type in MESSAGE_TYPES:
        for direction in DIRECTION.values:
            labels = {"message_type": message_type, "direction": direction}
            yield m.MESSAGE_THROUGHPUT, labels, node.messages[message_type, direction]
    for component, errors in (
        ("pool", node.pool.errors),
        ("messages", node.errors),
        ("swarm", node.swarm.errors),
        ("node", node.undelivered),
    ):
        for kind, count in errors.items():
            yield m.ERRORS, {"component": component, "error_type": _qualified(kind)}, count


def _qualified(kind: type[BaseException]) -> str:
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"
