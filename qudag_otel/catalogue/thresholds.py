"""The thresholds of baselines and alerts: panels, rules and the demo's live view read them here."""

from __future__ import annotations

from typing import Final, NamedTuple

from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue._model import Alert, Baseline, Comparison, Metric, Panel, Severity

_ABOVE, _BELOW, _EQUAL = Comparison.ABOVE, Comparison.BELOW, Comparison.EQUAL
_MINUTE: Final = 60.0

BASELINES: Final = (
    Baseline(
        name="throughput",
        title="Message throughput",
        metric=m.MESSAGE_THROUGHPUT,
        unit="{message}/s",
        normal=(100.0, 1000.0),
        warning=10.0,
        critical=0.0,
        comparison=_BELOW,
    ),
    Baseline(
        name="compression",
        title="Compression ratio",
        metric=m.COMPRESSION_RATIO,
        unit="1",
        normal=(0.6, 0.9),
        warning=0.5,
        critical=None,
        comparison=_BELOW,
    ),
    Baseline(
        name="pool_hit_rate",
        title="Connection pool hit rate",
        metric=m.POOL_HITS,
        unit="1",
        normal=(0.8, 0.95),
        warning=0.8,
        critical=None,
        comparison=_BELOW,
    ),
    Baseline(
        name="cache_hit_rate",
        title="Validation cache hit rate",
        metric=m.CACHE_HITS,
        unit="1",
        normal=(0.7, 0.95),
        warning=0.7,
        critical=None,
        comparison=_BELOW,
    ),
    Baseline(
        name="task_latency_p95",
        title="Swarm task latency, 95th percentile",
        metric=m.TASK_LATENCY,
        unit="s",
        normal=(5.0, 30.0),
        warning=30.0,
        critical=60.0,
        comparison=_ABOVE,
    ),
    Baseline(
        name="cpu",
        title="CPU usage",
        metric=m.CPU_USAGE,
        unit="%",
        normal=(20.0, 70.0),
        warning=80.0,
        critical=90.0,
        comparison=_ABOVE,
    ),
    Baseline(
        name="memory",
        title="Memory usage",
        metric=m.SYSTEM_MEMORY,
        unit="%",
        normal=(30.0, 80.0),
        warning=85.0,
        critical=90.0,
        comparison=_ABOVE,
    ),
)

POOL_WAIT_WARNING_SECONDS: Final = 1.0
"""A wait for a connection longer than this is logged as a warning."""

TASK_ANOMALY_SECONDS: Final = 60.0
"""A task that takes longer than this is logged as an anomaly."""

TASK_EXPECTED_SECONDS: Final = 30.0
"""What a task is expected to take at most."""

ANOMALY_WARNING_DEVIATION: Final = 0.2
"""A deviation from the expected value above this share is logged as a warning."""

ANOMALY_ERROR_DEVIATION: Final = 0.5
"""A deviation from the expected value above this share is logged as an error."""


def _alert(
    name: str,
    severity: Severity,
    comparison: Comparison,
    threshold: float,
    unit: str,
    minutes: float,
    panel: Panel,
    summary: str,
    *metrics: Metric,
) -> Alert:
    return Alert(
        name=name,
        severity=severity,
        threshold=threshold,
        comparison=comparison,
        duration=minutes * _MINUTE,
        unit=unit,
        summary=summary,
        panel=panel,
        metrics=metrics,
    )


_CRITICAL, _WARNING, _INFO = Severity.CRITICAL, Severity.WARNING, Severity.INFO

CONTRACT_ALERTS: Final = (
    _alert("MessageProcessingStalled", _CRITICAL, _EQUAL, 0.0, "{message}/s", 2,
           Panel.MESSAGE_THROUGHPUT, "A node that processed messages processes none.",
           m.MESSAGE_THROUGHPUT),
    _alert("ConnectionPoolExhausted", _CRITICAL, _EQUAL, 0.0, "{connection}", 2,
           Panel.CONNECTION_POOL, "A pool in use has no idle connection left.",
           m.ACTIVE_CONNECTIONS),
    _alert("HighErrorRate", _CRITICAL, _ABOVE, 0.1, "{error}/s", 2,
           Panel.SYSTEM_HEALTH, "A component fails often.",
           m.ERRORS),
    _alert("HighMemoryUsage", _CRITICAL, _ABOVE, 0.9, "1", 5,
           Panel.RESOURCE_USAGE, "A node's host is almost out of memory.",
           m.SYSTEM_MEMORY),
    _alert("LowMessageThroughput", _WARNING, _BELOW, 10.0, "{message}/s", 5,
           Panel.MESSAGE_THROUGHPUT, "A node processes few messages.",
           m.MESSAGE_THROUGHPUT),
    _alert("HighChunkingLatency", _WARNING, _ABOVE, 0.5, "s", 5,
           Panel.CHUNK_PROCESSING, "Splitting messages into chunks is slow.",
           m.CHUNKING_DURATION),
    _alert("LowConnectionPoolHitRate", _WARNING, _BELOW, 0.8, "1", 5,
           Panel.CONNECTION_POOL, "A pool opens new connections too often.",
           m.POOL_HITS, m.POOL_MISSES),
    _alert("LowCacheHitRate", _WARNING, _BELOW, 0.7, "1", 10,
           Panel.VALIDATION_CACHE, "The validation cache answers too few lookups.",
           m.CACHE_HITS, m.CACHE_MISSES),
    _alert("HighCacheMemoryUsage", _WARNING, _ABOVE, float(1 << 30), "By", 5,
           Panel.VALIDATION_CACHE, "A cache holds more memory than it should.",
           m.CACHE_MEMORY),
    _alert("HighSwarmTaskLatency", _WARNING, _ABOVE, 30.0, "s", 5,
           Panel.SWARM_COORDINATION, "Swarm tasks take long.",
           m.TASK_LATENCY),
    _alert("HighSwarmQueueDepth", _WARNING, _ABOVE, 100.0, "{task}", 5,
           Panel.SWARM_COORDINATION, "Tasks pile up in front of the agents.",
           m.QUEUE_DEPTH),
    _alert("HighCPUUsage", _WARNING, _ABOVE, 80.0, "%", 5,
           Panel.RESOURCE_USAGE, "A node's host is short of CPU.",
           m.CPU_USAGE),
    _alert("MessageThroughputRegression", _WARNING, _BELOW, 0.8, "1", 30,
           Panel.PERFORMANCE_BASELINES,
           "A node processes a fifth fewer messages than at the same time before.",
           m.MESSAGE_THROUGHPUT),
    _alert("LatencyRegression", _WARNING, _ABOVE, 1.3, "1", 30,
           Panel.PERFORMANCE_BASELINES,
           "Swarm tasks take a third longer than at the same time before.",
           m.TASK_LATENCY),
    _alert("LowCompressionRatio", _INFO, _BELOW, 0.5, "1", 10,
           Panel.CHUNK_PROCESSING, "Compression saves little.",
           m.COMPRESSION_RATIO),
    _alert("FrequentCacheEvictions", _INFO, _ABOVE, 10.0, "{entry}/s", 5,
           Panel.VALIDATION_CACHE, "The cache drops entries all the time.",
           m.CACHE_EVICTIONS),
    _alert("LowAgentUtilization", _INFO, _BELOW, 0.3, "1", 10,
           Panel.SWARM_COORDINATION, "Agents idle while tasks wait.",
           m.AGENT_UTILIZATION, m.QUEUE_DEPTH),
)  # fmt: skip
"""The seventeen alerts of the contract."""

_MEMORY, _CPU, _TASKS = BASELINES[6], BASELINES[5], BASELINES[4]

LEVEL_ALERTS: Final = (
    _alert("ElevatedMemoryUsage", _WARNING, _ABOVE, _MEMORY.warning / 100, "1", 5,
           Panel.RESOURCE_USAGE, "A node's host runs short of memory.",
           m.SYSTEM_MEMORY),
    _alert("CriticalCPUUsage", _CRITICAL, _ABOVE, _CPU.critical or 0.0, "%", 5,
           Panel.RESOURCE_USAGE, "A node's host has no CPU left.",
           m.CPU_USAGE),
    _alert("CriticalSwarmTaskLatency", _CRITICAL, _ABOVE, _TASKS.critical or 0.0, "s", 5,
           Panel.SWARM_COORDINATION, "Swarm tasks take far too long.",
           m.TASK_LATENCY),
)  # fmt: skip
"""The levels of the baselines that none of the seventeen watches."""

AVAILABILITY_ALERTS: Final = (
    _alert("MostNodesAbsent", _CRITICAL, _ABOVE, 0.5, "1", 1,
           Panel.SYSTEM_HEALTH, "Most nodes are not heard of any more: one cause, many nodes.",
           m.MESSAGE_THROUGHPUT, m.SYSTEM_MEMORY, m.OPERATION_DURATION),
    _alert("NodeAbsent", _CRITICAL, _EQUAL, 1.0, "1", 2,
           Panel.SYSTEM_HEALTH, "A node that reported is not heard of any more.",
           m.MESSAGE_THROUGHPUT, m.SYSTEM_MEMORY, m.OPERATION_DURATION),
    _alert("ComponentUnhealthy", _WARNING, _EQUAL, 0.0, "{component}", 2,
           Panel.SYSTEM_HEALTH, "A component's own health check fails.",
           m.COMPONENT_UP),
    _alert("MostWorkFails", _CRITICAL, _ABOVE, 0.5, "1", 5,
           Panel.SYSTEM_HEALTH, "Most of what is tried fails, however little that is.",
           m.ERRORS, m.MESSAGE_THROUGHPUT, m.OPERATION_DURATION),
)  # fmt: skip
"""Nodes and components that are not there, or whose work is in vain."""

SWARM_ALERTS: Final = (
    _alert("SwarmAbsent", _CRITICAL, _EQUAL, 1.0, "1", 2,
           Panel.SWARM_COORDINATION, "A swarm that reported is not heard of any more.",
           m.TASKS_CREATED, m.QUEUE_DEPTH, m.AGENT_UTILIZATION),
    _alert("SwarmStalled", _CRITICAL, _EQUAL, 0.0, "{task}/s", 5,
           Panel.SWARM_COORDINATION, "A swarm has work, and none of it ends.",
           m.TASKS_CREATED, m.TASKS_COMPLETED, m.QUEUE_DEPTH, m.AGENT_UTILIZATION),
    _alert("MostTasksFail", _CRITICAL, _ABOVE, 0.5, "1", 5,
           Panel.SWARM_COORDINATION, "Most tasks that end have failed.",
           m.TASKS_COMPLETED),
)  # fmt: skip
"""Whole swarms that are gone, stand still or work in vain."""

WATCHED_ALERTS: Final = (
    _alert("NodeDown", _CRITICAL, _EQUAL, 0.0, "{node}", 2,
           Panel.SYSTEM_HEALTH, "A watched node does not answer, or does not run.",
           m.NODE_UP, m.NODE_INFO),
    _alert("NodeWithoutPeers", _WARNING, _EQUAL, 0.0, "{peer}", 10,
           Panel.SYSTEM_HEALTH, "A watched node is connected to nobody.",
           m.NODE_PEERS),
    _alert("NodeMakesNoProgress", _WARNING, _EQUAL, 0.0, "{change}", 5,
           Panel.SYSTEM_HEALTH, "A watched node's DAG grows no more.",
           m.NODE_VERTICES),
    _alert("NodeRestarted", _INFO, _ABOVE, 2 * _MINUTE, "s", 0,
           Panel.SYSTEM_HEALTH, "A watched node was restarted.",
           m.NODE_UPTIME),
    _alert("NodeRestartsAgain", _WARNING, _ABOVE, 2.0, "{restart}", 0,
           Panel.SYSTEM_HEALTH, "A watched node restarts again and again.",
           m.NODE_RESTARTS),
    _alert("NodeUnwatched", _WARNING, _EQUAL, 1.0, "1", 5,
           Panel.SYSTEM_HEALTH, "Nobody watches a node any more that was watched.",
           m.NODE_UP),
)  # fmt: skip
"""Real nodes, as their RPC tells of them."""

STEADY_LEAST: Final = 0.1
"""Messages a second: below, five minutes without one are a matter of chance."""

STEADY_CHANGES: Final = 4.0
"""A node whose messages begin or stop more often than this in six hours works in bursts."""

BURSTS_CHANGES: Final = 36.0
"""From so many on, bursts are so dense that `BURSTS_SILENCE` without one is no chance."""

BURSTS_SILENCE: Final = "3h"
"""How long a node that works in bursts may be silent, as PromQL spells it."""

RATIO_LEAST: Final = 20 / 300
"""Lookups or requests a second, 20 in five minutes: a ratio of fewer is a matter of chance."""

FAILURES_LEAST: Final = 10.0
"""Failures in a quarter of an hour; a share of fewer is no evidence."""

TASKS_FAILED_LEAST: Final = 5.0
"""Failed tasks in an hour; a share of fewer is no evidence."""

SWARM_STALLED_SECONDS: Final = 50 * _MINUTE
"""Longer than any task of a healthy swarm takes; nightly ones may take 45 minutes."""

ADAPTIVE_DEVIATIONS: Final = 3.0
"""Half the adaptive band, in standard deviations of the same hour yesterday."""

ROBUST_DEVIATIONS: Final = 4.0
"""Half the robust band, in robust deviations of the last day."""

BAND_FLOOR: Final = 0.5
"""Half a band is at least this share of its centre, however quiet the series was."""

ANOMALY_FLOOR: Final = 0.1
"""Latencies below this share of their alert's threshold are never called unusual."""

_UNUSUAL: Final = Panel.PERFORMANCE_BASELINES

ANOMALY_ALERTS: Final = (
    _alert("UnusuallyLowThroughput", _INFO, _BELOW, BAND_FLOOR, "{message}/s", 15, _UNUSUAL,
           "A node processes fewer messages than is usual.", m.MESSAGE_THROUGHPUT),
    _alert("UnusuallyHighThroughput", _INFO, _ABOVE, 1 + BAND_FLOOR, "{message}/s", 15, _UNUSUAL,
           "A node processes more messages than is usual.", m.MESSAGE_THROUGHPUT),
    _alert("UnusuallyHighChunkingLatency", _INFO, _ABOVE, 1 + BAND_FLOOR, "s", 15, _UNUSUAL,
           "Splitting messages takes longer than is usual.", m.CHUNKING_DURATION),
    _alert("UnusuallyHighTaskLatency", _INFO, _ABOVE, 1 + BAND_FLOOR, "s", 15, _UNUSUAL,
           "Swarm tasks take longer than is usual.", m.TASK_LATENCY),
    _alert("UnusuallyLowCacheHitRate", _INFO, _BELOW, BAND_FLOOR, "1", 15, _UNUSUAL,
           "The validation cache answers fewer lookups than is usual.",
           m.CACHE_HITS, m.CACHE_MISSES),
)  # fmt: skip
"""Values outside both bands; the threshold is the least distance, as a share of the centre."""


def _pipeline_alert(
    name: str, severity: Severity, comparison: Comparison, threshold: float, unit: str,
    minutes: float, summary: str,
) -> Alert:  # fmt: skip
    """An alert about the telemetry itself, which has no row of its own."""
    return Alert(
        name=name,
        severity=severity,
        threshold=threshold,
        comparison=comparison,
        duration=minutes * _MINUTE,
        unit=unit,
        summary=summary,
        panel=None,
    )


PIPELINE_ALERTS: Final = (
    _pipeline_alert("CollectorRefusesTelemetry", _WARNING, _ABOVE, 0.0, "{item}/s", 5,
                    "A Collector refuses what applications send."),
    _pipeline_alert("CollectorFailsToSend", _WARNING, _ABOVE, 0.0, "{item}/s", 5,
                    "A Collector gave up sending telemetry, which is lost."),
    _pipeline_alert("CollectorDropsTelemetry", _CRITICAL, _ABOVE, 0.0, "{item}/s", 5,
                    "A Collector's queue is full, it takes nothing more."),
    _pipeline_alert("CollectorLosesTraces", _CRITICAL, _ABOVE, 0.0, "{trace}/s", 5,
                    "Tail sampling has no room for the traces that it waits for."),
    _pipeline_alert("CollectorQueueFillsUp", _WARNING, _ABOVE, 0.8, "1", 5,
                    "A Collector's queue is almost full."),
    _pipeline_alert("ApplicationLosesTelemetry", _WARNING, _ABOVE, 0.0, "{item}/s", 5,
                    "An application cannot deliver its telemetry, or makes more than it can."),
    _pipeline_alert("TelemetryCostsMuch", _WARNING, _ABOVE, 0.25, "1", 15,
                    "Telemetry takes much of the CPU time of the process that it watches."),
    _pipeline_alert("CollectorReceiverFails", _WARNING, _ABOVE, 0.0, "{item}/s", 5,
                    "A Collector's own error keeps it from taking what applications send."),
    _pipeline_alert("CollectorAbsent", _CRITICAL, _ABOVE, 0.0, "{Collector}", 1,
                    "Fewer Collectors report than did before."),
    _pipeline_alert("CollectorRestarts", _WARNING, _ABOVE, 2.0, "{restart}", 0,
                    "A Collector restarts again and again."),
    _pipeline_alert("TargetDown", _WARNING, _EQUAL, 0.0, "1", 2,
                    "Prometheus cannot scrape a target."),
    _pipeline_alert("Watchdog", _INFO, _EQUAL, 1.0, "1", 0,
                    "Always fires: it proves that alerts arrive."),
)  # fmt: skip
"""Without these, silence could mean health as well as blindness."""


class BurnWindow(NamedTuple):
    """How fast an error budget may burn, and over which time that is measured.

    Args:
        factor: The burn rate: 1 spends exactly the budget of 30 days in 30 days.
        long: The range that must show it, in seconds; long enough to be sure.
        short: The range that must still show it, in seconds; short enough to end in time.
        severity: How loudly it speaks.
        duration: How long both must hold, in seconds.
    """

    factor: float
    long: float
    short: float
    severity: Severity
    duration: float


_HOUR: Final = 60 * _MINUTE
_DAY: Final = 24 * _HOUR

BURN_WINDOWS: Final = (
    BurnWindow(14.4, _HOUR, 5 * _MINUTE, _CRITICAL, 2 * _MINUTE),
    BurnWindow(6, 6 * _HOUR, 30 * _MINUTE, _CRITICAL, 15 * _MINUTE),
    BurnWindow(3, _DAY, 2 * _HOUR, _WARNING, _HOUR),
    BurnWindow(1, 3 * _DAY, 6 * _HOUR, _WARNING, 3 * _HOUR),
)
"""Multi-window, multi-burn-rate alerts: 2% of the budget in an hour, 5% in 6 hours, 10% in a day
and in three days.

Source: The Site Reliability Workbook, chapter 5, "Alerting on SLOs", table 5-8.
"""

BURN_LEAST_BAD: Final = 5.0
"""Fewer bad calls than this in the long window are no evidence, whatever their share."""

STACK_ALERTS: Final = (
    _pipeline_alert("AlertsGoNowhere", _CRITICAL, _EQUAL, 1.0, "1", 5,
                    "Alerts do not reach the people they are for."),
    _pipeline_alert("RulesFail", _CRITICAL, _ABOVE, 0.0, "{failure}/s", 5,
                    "Prometheus cannot evaluate rules, so that their alerts are silent."),
    _pipeline_alert("ReloadFailed", _WARNING, _EQUAL, 0.0, "1", 5,
                    "A changed configuration was refused; the former one is still in use."),
    _pipeline_alert("StorageRejectsSamples", _WARNING, _ABOVE, 0.0, "{sample}/s", 10,
                    "Prometheus refuses part of what is pushed to it."),
    _pipeline_alert("StorageFails", _CRITICAL, _ABOVE, 0.0, "{failure}", 0,
                    "Prometheus' storage fails or is corrupt."),
    _pipeline_alert("LogStoreDrops", _WARNING, _ABOVE, 0.0, "{row}/s", 10,
                    "The log store drops part of what is pushed to it."),
)  # fmt: skip
"""The watcher watched: rules, notifications, reloads and stores of the stack itself."""

OBJECTIVE_ALERTS: Final = (
    _pipeline_alert("ObjectiveBurnsFast", _CRITICAL, _ABOVE, 6.0, "1", 2,
                    "An operation spends its error budget within days."),
    _pipeline_alert("ObjectiveBurnsSlowly", _WARNING, _ABOVE, 1.0, "1", 60,
                    "An operation spends its error budget before its end."),
)  # fmt: skip
"""Alerts on objectives; their thresholds and durations are those of `BURN_WINDOWS`."""

DISK_FULL_WITHIN: Final = 86400.0
"""Seconds ahead at which a filesystem that goes on growing must not be full."""
DISK_LEAST: Final = 0.7
"""The share in use below which growth is no concern yet."""

HOST_ALERTS: Final = (
    _alert("HostDiskFillsUp", _WARNING, _ABOVE, 1.0, "1", 30, Panel.RESOURCE_USAGE,
           "A filesystem will be full within a day."),
    _alert("HostDiskFull", _CRITICAL, _ABOVE, 0.95, "1", 5, Panel.RESOURCE_USAGE,
           "A filesystem is almost full."),
    _alert("HostInodesRunOut", _WARNING, _ABOVE, 0.9, "1", 15, Panel.RESOURCE_USAGE,
           "A filesystem has hardly an inode left."),
    _alert("HostFilesystemReadOnly", _CRITICAL, _EQUAL, 1.0, "1", 2, Panel.RESOURCE_USAGE,
           "A filesystem cannot be written to any more."),
    _alert("HostMemoryRunsOut", _WARNING, _ABOVE, 0.95, "1", 10, Panel.RESOURCE_USAGE,
           "A host is almost out of memory."),
    _alert("HostNetworkErrors", _WARNING, _ABOVE, 0.01, "1", 15, Panel.RESOURCE_USAGE,
           "A host's network card sees faulty packets."),
)  # fmt: skip
"""The hosts under the nodes, as the agent on each measures them."""

ALERTS: Final = (
    *CONTRACT_ALERTS,
    *LEVEL_ALERTS,
    *AVAILABILITY_ALERTS,
    *SWARM_ALERTS,
    *WATCHED_ALERTS,
    *ANOMALY_ALERTS,
    *PIPELINE_ALERTS,
    *STACK_ALERTS,
    *HOST_ALERTS,
    *OBJECTIVE_ALERTS,
)
"""Every alert."""
