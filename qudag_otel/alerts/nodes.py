"""The rules of the seventeen alerts, of the baselines' other levels, and of what is absent."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from qudag_otel._query.promql import aggregate, number
from qudag_otel.alerts import activity, pipeline, presence
from qudag_otel.alerts import baselines as b
from qudag_otel.alerts import recording as r
from qudag_otel.alerts._model import Level
from qudag_otel.alerts._rules import ALERTS, crossed, rule, settled
from qudag_otel.alerts.promql import on, series, total
from qudag_otel.catalogue import Severity
from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue import thresholds as t

if TYPE_CHECKING:
    from qudag_otel.alerts._model import Recorded

_MESSAGES: Final = r.MESSAGES_RATE.name
_CONNECTIONS: Final = r.POOL_CONNECTIONS.name
_NODE: Final = on(Level.NODE)
_STEADY: Final = (
    f"{_NODE} {activity.USUAL.name} >= {number(t.STEADY_LEAST)}"
    f" and {_NODE} {activity.CHANGES.name} <= {number(t.STEADY_CHANGES)}"
    f" and {_NODE} {activity.UNBROKEN.name} == 1"
)
"""A node whose messages flow all the time, so that five minutes without any mean something."""
_KEPT: Final = 600.0
"""Seconds; what hovers around a threshold is one ticket."""
_FLOOR: Final = number(ALERTS["LowMessageThroughput"].threshold)

_ANY_ABSENT: Final = aggregate("count", a.SCOPE, presence.NODES.absent.name)
_FAILING: Final = 0.4
"""The share of a health check's answers, beyond which it fails."""
_FAILED_CALLS: Final = series(m.OPERATION_DURATION, "_count", 'outcome="error"')


def _failing(errors: Recorded, calls: Recorded) -> str:
    """The share of failures in a quarter of an hour, at most 1."""
    many = f"on ({', '.join(calls.level.labels)}) group_left ()"
    return (
        f"clamp_max(avg_over_time({errors.name}[15m]) / {many} avg_over_time({calls.name}[15m]), 1)"
    )


def _many(level: Level, counted: str) -> str:
    """Enough failures to be evidence."""
    return f"{total(level, f'increase({counted}[15m])')} >= {number(t.FAILURES_LEAST)}"


CONTRACT_RULES: Final = (
    rule(
        "MessageProcessingStalled",
        "throughput",
        # Where messages come in bursts, only a silence that is far longer than those between them.
        f"{crossed('MessageProcessingStalled', _MESSAGES)} and {_STEADY}"
        f" or max_over_time({_MESSAGES}[{t.BURSTS_SILENCE}]) == 0"
        f" and {_NODE} {activity.CHANGES.name} >= {number(t.BURSTS_CHANGES)}",
        "Node <node_id> processes no message any more, for <duration> longer than is usual for it.",
    ),
    rule(
        "ConnectionPoolExhausted",
        "pool",
        # An unused pool has no idle connection either; the value is the connections in use.
        total(Level.NODE_POOL, f'{_CONNECTIONS}{{state="active"}}')
        + f" > 0 and {on(Level.NODE_POOL)} "
        + settled("ConnectionPoolExhausted", f'{_CONNECTIONS}{{state="idle"}}'),
        "Pool <pool_type> of node <node_id> has no idle connection for <duration>;"
        " <value> are in use.",
        drawn=f'{_CONNECTIONS}{{state="idle"}}',
    ),
    rule(
        "HighErrorRate",
        "errors",
        crossed("HighErrorRate", r.ERROR_RATE.name),
        "Component <component> of node <node_id> fails at <value>, more than <limit>"
        " for <duration>.",
    ),
    rule(
        "HighMemoryUsage",
        "memory",
        settled("HighMemoryUsage", r.MEMORY_RATIO.name),
        "The host of node <node_id> uses <value> of its memory, more than <limit> for <duration>.",
    ),
    rule(
        "LowMessageThroughput",
        "throughput",
        # At 0 the node is stalled, which is another alert.
        f"{crossed('LowMessageThroughput', _MESSAGES)} and {_MESSAGES} > 0 and {_STEADY}",
        "Node <node_id> processes <value>, less than <limit> for <duration>.",
        keep_firing=_KEPT,
    ),
    rule(
        "HighChunkingLatency",
        "chunking",
        crossed("HighChunkingLatency", r.CHUNKING_P95.name),
        "On node <node_id> 5% of the messages take <value> or longer to chunk, more than"
        " <limit> for <duration>.",
    ),
    rule(
        "LowConnectionPoolHitRate",
        "pool",
        f"{crossed('LowConnectionPoolHitRate', r.POOL_HIT_RATIO.name)} and"
        f" {r.POOL_REQUESTS.name} >= {number(t.RATIO_LEAST)}",
        "Pool <pool_type> of node <node_id> answers <value> of the requests with an existing"
        " connection, less than <limit> for <duration>.",
        keep_firing=_KEPT,
    ),
    rule(
        "LowCacheHitRate",
        "cache",
        f"{crossed('LowCacheHitRate', r.CACHE_HIT_RATIO.name)} and"
        f" {r.CACHE_REQUESTS.name} >= {number(t.RATIO_LEAST)}",
        "The validation cache of node <node_id> answers <value> of the lookups, less than"
        " <limit> for <duration>.",
        keep_firing=_KEPT,
    ),
    rule(
        "HighCacheMemoryUsage",
        "cache_memory",
        settled("HighCacheMemoryUsage", r.CACHE_BYTES.name),
        "Cache <cache_type> of node <node_id> holds <value>, more than <limit> for <duration>.",
    ),
    rule(
        "HighSwarmTaskLatency",
        "tasks",
        crossed("HighSwarmTaskLatency", r.TASK_P95.name),
        "In swarm <swarm_id> 5% of the <task_type> tasks take <value> or longer, more than"
        " <limit> for <duration>.",
    ),
    rule(
        "HighSwarmQueueDepth",
        "queue",
        settled("HighSwarmQueueDepth", r.QUEUE_DEPTH_SUM.name),
        "<value> wait in queue <queue_type> of swarm <swarm_id>, more than <limit> for <duration>.",
    ),
    rule(
        "HighCPUUsage",
        "cpu",
        settled("HighCPUUsage", r.CPU_PERCENT.name),
        "The host of node <node_id> uses <value> of its CPU, more than <limit> for <duration>.",
    ),
    rule(
        "MessageThroughputRegression",
        "throughput",
        # Below the floor of LowMessageThroughput a fifth is noise, and 0 no divisor.
        crossed(
            "MessageThroughputRegression",
            f"{b.MESSAGES.average.name} / ({b.MESSAGES.previous_low.name} > {_FLOOR})",
        ),
        "Over the last hour node <node_id> processed <value> of what it did at this time"
        " yesterday or last week, less than <limit> for <duration>.",
    ),
    rule(
        "LatencyRegression",
        "tasks",
        crossed(
            "LatencyRegression",
            f"{b.TASKS.average.name} / ({b.TASKS.previous_high.name} > 0)",
        ),
        "Over the last hour the slowest 5% of the <task_type> tasks in swarm <swarm_id> took"
        " <value> of what they took at this time yesterday or last week, more than <limit>"
        " for <duration>.",
    ),
    rule(
        "LowCompressionRatio",
        "compression",
        # The gauge keeps its last value, so without messages it says nothing.
        f"{crossed('LowCompressionRatio', r.COMPRESSION_AVG.name)}"
        f" and {_NODE} {r.CHUNKS_RATE.name} > 0",
        "On node <node_id> compression with <compression_type> saves <value> of the bytes, less"
        " than <limit> for <duration>.",
    ),
    rule(
        "FrequentCacheEvictions",
        "cache",
        crossed("FrequentCacheEvictions", r.CACHE_EVICTION_RATE.name),
        "Cache <cache_type> of node <node_id> drops <value>, more than <limit> for <duration>.",
    ),
    rule(
        "LowAgentUtilization",
        "agents",
        f"{settled('LowAgentUtilization', r.AGENT_UTILIZATION_AVG.name)}"
        f" and {on(Level.SWARM)} {r.TASKS_WAITING.name} > 0",
        "The agents of swarm <swarm_id> work <value> of the time, less than <limit> for"
        " <duration>, while tasks wait.",
    ),
)
"""The rules of the seventeen alerts."""

LEVEL_RULES: Final = (
    rule(
        "ElevatedMemoryUsage",
        "memory",
        settled("ElevatedMemoryUsage", r.MEMORY_RATIO.name),
        "The host of node <node_id> uses <value> of its memory, more than <limit> for <duration>.",
    ),
    rule(
        "CriticalCPUUsage",
        "cpu",
        settled("CriticalCPUUsage", r.CPU_PERCENT.name),
        "The host of node <node_id> uses <value> of its CPU, more than <limit> for <duration>.",
    ),
    rule(
        "CriticalSwarmTaskLatency",
        "tasks",
        crossed("CriticalSwarmTaskLatency", r.TASK_P95.name),
        "In swarm <swarm_id> 5% of the <task_type> tasks take <value> or longer, more than"
        " <limit> for <duration>.",
    ),
)
"""The rules of the baselines' levels that none of the seventeen watches."""

AVAILABILITY_RULES: Final = (
    rule(
        "MostNodesAbsent",
        "presence",
        # Of one or two nodes, most are absent when one is; unless a Collector explains it.
        f"{crossed('MostNodesAbsent', presence.NODES_ABSENT.name)} and {_ANY_ABSENT} >= 3"
        f" or {crossed('MostNodesAbsent', presence.NODES_ABSENT.name)}"
        f" and on () {pipeline.ABSENT.name} > 0",
        "Nothing is heard of <value> of the nodes for <duration>: look for what they share, a"
        " Collector, a network or a release.",
    ),
    rule(
        "NodeAbsent",
        "presence",
        f"{presence.NODES.absent.name} == 1",
        "Nothing is heard of node <node_id> for <duration>: it stopped, or its telemetry does"
        " not arrive.",
    ),
    rule(
        "ComponentUnhealthy",
        "health",
        settled("ComponentUnhealthy", r.COMPONENT_UP_MIN.name, most=_FAILING),
        "The health check of component <component> on node <node_id> fails for <duration>.",
    ),
    rule(
        "MostWorkFails",
        "failures",
        f"{crossed('MostWorkFails', _failing(r.ERROR_RATE, r.MESSAGES_RATE))}"
        f" and {_many(Level.NODE_COMPONENT, series(m.ERRORS))}",
        "Component <component> of node <node_id> counts errors for <value> of the node's messages"
        " of a quarter of an hour, more than <limit> for <duration>.",
    ),
    replace(
        rule(
            "MostWorkFails",
            "failures",
            crossed(
                "MostWorkFails",
                _failing(r.OPERATION_FAILURE_RATE, r.OPERATION_RATE),
            )
            + f" and {_many(Level.NODE_OPERATION, _FAILED_CALLS)}",
            "On node <node_id> <value> of the calls of <operation> (<component>) fail, more than"
            " <limit> for <duration>.",
        ),
        severity=Severity.WARNING,
    ),
)
"""The rules of nodes and components that are not there, or whose work is in vain."""
