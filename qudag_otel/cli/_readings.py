"""What each alert and baseline of the catalogue looks at, read from a few seconds of scrapes."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias

from qudag_otel.catalogue import Comparison
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue.thresholds import CONTRACT_ALERTS
from qudag_otel.cli._history import Group, History, ratio

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qudag_otel.catalogue import Alert

Values: TypeAlias = dict[Group, float]
Reading: TypeAlias = Callable[[History], Values]

P95: Final = 0.95
_NODE: Final = ("node_id",)
_SWARM: Final = ("swarm_id",)

COMPARE: Final = {
    Comparison.ABOVE: operator.gt,
    Comparison.BELOW: operator.lt,
    Comparison.EQUAL: operator.eq,
}


def throughput(history: History) -> Values:
    """Messages a second, by node that ever had one."""
    rates = history.rates(m.MESSAGE_THROUGHPUT, _NODE)
    had = history.values(m.MESSAGE_THROUGHPUT, _NODE)
    return {group: rate for group, rate in rates.items() if had.get(group)}


def pool_hit_rate(history: History) -> Values:
    """The share of requests that the pool answered with a connection it had, by pool."""
    by = ("node_id", "pool_type")
    return ratio(history.rates(m.POOL_HITS, by), history.rates(m.POOL_MISSES, by))


def cache_hit_rate(history: History) -> Values:
    """The share of lookups that the cache answered, by node."""
    return ratio(history.rates(m.CACHE_HITS, _NODE), history.rates(m.CACHE_MISSES, _NODE))


def memory_share(history: History) -> Values:
    """The share of the host's memory in use, by node."""
    used = history.values(m.SYSTEM_MEMORY, _NODE, memory_type="used")
    total = history.values(m.SYSTEM_MEMORY, _NODE, memory_type="total")
    return {group: used[group] / total[group] for group in used if total.get(group)}


def cpu_percent(history: History) -> Values:
    """The use of the host's CPU, in percent, by node: as it says, else the mean of its cores."""
    cores = history.values(m.CPU_USAGE, ("node_id", "cpu_core"))
    said = {(node,): value for (node, core), value in cores.items() if core == "average"}
    return _means((node, value) for (node, _), value in cores.items()) | said


def compression(history: History) -> Values:
    """The mean share of bytes that algorithms saved on their latest message, by node."""
    return _means((node, value) for (node, _), value in _compressed(history).items())


def _compressed(history: History) -> Values:
    """The share of bytes saved, by node and algorithm; `none` could not be better."""
    saved = history.values(m.COMPRESSION_RATIO, ("node_id", "compression_type"))
    return {group: value for group, value in saved.items() if group[1] != "none"}


def utilization(history: History) -> Values:
    """The mean share of time that agents work, by swarm."""
    agents = history.values(m.AGENT_UTILIZATION, ("swarm_id", "agent_id", "agent_type"))
    return _means((swarm, share) for (swarm, *_), share in agents.items())


def _means(values: Iterable[tuple[str, float]]) -> Values:
    """The mean of what belongs to the same node or swarm."""
    several: dict[Group, list[float]] = {}
    for owner, value in values:
        several.setdefault((owner,), []).append(value)
    return {group: sum(found) / len(found) for group, found in several.items()}


def _low_throughput(history: History) -> Values:
    return {group: rate for group, rate in throughput(history).items() if rate}


def _idle_of_used_pools(history: History) -> Values:
    by = ("node_id", "pool_type")
    active = history.values(m.ACTIVE_CONNECTIONS, by, state="active")
    idle = history.values(m.ACTIVE_CONNECTIONS, by, state="idle")
    return {group: count for group, count in idle.items() if active.get(group)}


def _compressed_of_busy_nodes(history: History) -> Values:
    chunks = history.rates(m.CHUNKS_PROCESSED, _NODE)
    return {group: share for group, share in _compressed(history).items() if chunks.get(group[:1])}


def _utilization_of_busy_swarms(history: History) -> Values:
    queued = history.values(m.QUEUE_DEPTH, _SWARM)
    return {group: share for group, share in utilization(history).items() if queued.get(group)}


READINGS: Final[dict[str, Reading]] = {
    "MessageProcessingStalled": throughput,
    "ConnectionPoolExhausted": _idle_of_used_pools,
    "HighErrorRate": lambda h: h.rates(m.ERRORS, ("node_id", "component")),
    "HighMemoryUsage": memory_share,
    "LowMessageThroughput": _low_throughput,
    "HighChunkingLatency": lambda h: h.quantile(m.CHUNKING_DURATION, P95, _NODE),
    "LowConnectionPoolHitRate": pool_hit_rate,
    "LowCacheHitRate": cache_hit_rate,
    "HighCacheMemoryUsage": lambda h: h.values(m.CACHE_MEMORY, ("node_id", "cache_type")),
    "HighSwarmTaskLatency": lambda h: h.quantile(m.TASK_LATENCY, P95, ("swarm_id", "task_type")),
    "HighSwarmQueueDepth": lambda h: h.values(m.QUEUE_DEPTH, ("swarm_id", "queue_type")),
    "HighCPUUsage": cpu_percent,
    "LowCompressionRatio": _compressed_of_busy_nodes,
    "FrequentCacheEvictions": lambda h: h.rates(m.CACHE_EVICTIONS, ("node_id", "cache_type")),
    "LowAgentUtilization": _utilization_of_busy_swarms,
}
"""By alert name: the rules' expressions over what was scraped, as tests/alerts/test_live_view.py
proves by the rules' own unit tests. The regressions are missing: they compare with yesterday."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """A threshold that is crossed now.

    Args:
        alert: The alert that it belongs to.
        subject: What it is about: label values.
        value: The value, in the alert's unit.
        seconds: For how long, in seconds.
    """

    alert: Alert
    subject: Group
    value: float
    seconds: float

    @property
    def fires(self) -> bool:
        """Whether it has lasted long enough for the alert to fire."""
        return self.seconds >= self.alert.duration


class Crossings:
    """Remembers since when each threshold has been crossed."""

    def __init__(self) -> None:
        self._since: dict[tuple[str, Group], float] = {}

    def update(self, history: History, now: float) -> list[Crossing]:
        """The thresholds crossed now, the most severe first.

        Args:
            history: The scrapes.
            now: The monotonic time, in seconds.
        """
        found: list[Crossing] = []
        for alert in CONTRACT_ALERTS:
            reading = READINGS.get(alert.name)
            for subject, value in reading(history).items() if reading else ():
                if COMPARE[alert.comparison](value, alert.threshold):
                    since = self._since.get((alert.name, subject), now)
                    found.append(Crossing(alert, subject, value, now - since))
        self._since = {(one.alert.name, one.subject): now - one.seconds for one in found}
        return found
