"""The rules of the seventeen alerts, of the baselines' other levels, and of what is absent."""

from __future__ import annotations

from typing import Final

from qudag_otel._query.promql import number
from qudag_otel.alerts import baselines as b
from qudag_otel.alerts import recording as r
from qudag_otel.alerts._rules import ALERTS, crossed, rule
from qudag_otel.alerts.promql import series
from qudag_otel.catalogue import metrics as m

EXPECTED_NODES: Final = "node:qudag_node:expected"
"""The name of the series that list the nodes that must be there; see `groups.expected_nodes`."""

_MESSAGES: Final = r.MESSAGES_RATE.name
_CONNECTIONS: Final = r.POOL_CONNECTIONS.name
_POOL: Final = "node_id, pool_type"
_FLOOR: Final = number(ALERTS["LowMessageThroughput"].threshold)

CONTRACT_RULES: Final = (
    rule(
        "MessageProcessingStalled",
        "throughput",
        # The second half keeps silent about a node that never had anything to do.
        f"{crossed('MessageProcessingStalled', _MESSAGES)}"
        f" and on (node_id) max_over_time({_MESSAGES}[1d]) > 0",
        "Node <node_id> processed no message for <duration>, though it did within the last day.",
    ),
    rule(
        "ConnectionPoolExhausted",
        "pool",
        # An unused pool has no idle connection either; the value is the connections in use.
        f'sum by ({_POOL}) ({_CONNECTIONS}{{state="active"}}) > 0 and on ({_POOL}) '
        + crossed("ConnectionPoolExhausted", f'{_CONNECTIONS}{{state="idle"}}'),
        "Pool <pool_type> of node <node_id> has no idle connection for <duration>;"
        " <value> are in use.",
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
        crossed("HighMemoryUsage", r.MEMORY_RATIO.name),
        "The host of node <node_id> uses <value> of its memory, more than <limit> for <duration>.",
    ),
    rule(
        "LowMessageThroughput",
        "throughput",
        # At 0 the node is stalled, which is another alert.
        f"{crossed('LowMessageThroughput', _MESSAGES)} and {_MESSAGES} > 0",
        "Node <node_id> processes <value>, less than <limit> for <duration>.",
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
        crossed("LowConnectionPoolHitRate", r.POOL_HIT_RATIO.name),
        "Pool <pool_type> of node <node_id> answers <value> of the requests with an existing"
        " connection, less than <limit> for <duration>.",
    ),
    rule(
        "LowCacheHitRate",
        "cache",
        crossed("LowCacheHitRate", r.CACHE_HIT_RATIO.name),
        "The validation cache of node <node_id> answers <value> of the lookups, less than"
        " <limit> for <duration>.",
    ),
    rule(
        "HighCacheMemoryUsage",
        "cache_memory",
        crossed("HighCacheMemoryUsage", r.CACHE_BYTES.name),
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
        crossed("HighSwarmQueueDepth", r.QUEUE_DEPTH_SUM.name),
        "<value> wait in queue <queue_type> of swarm <swarm_id>, more than <limit> for <duration>.",
    ),
    rule(
        "HighCPUUsage",
        "cpu",
        crossed("HighCPUUsage", r.CPU_PERCENT.name),
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
        f" and on (node_id) {r.CHUNKS_RATE.name} > 0",
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
        f"{crossed('LowAgentUtilization', r.AGENT_UTILIZATION_AVG.name)}"
        f" and on (swarm_id) sum by (swarm_id) ({r.QUEUE_DEPTH_SUM.name}) > 0",
        "The agents of swarm <swarm_id> work <value> of the time, less than <limit> for"
        " <duration>, while tasks wait.",
    ),
)
"""The rules of the seventeen alerts."""

LEVEL_RULES: Final = (
    rule(
        "ElevatedMemoryUsage",
        "memory",
        crossed("ElevatedMemoryUsage", r.MEMORY_RATIO.name),
        "The host of node <node_id> uses <value> of its memory, more than <limit> for <duration>.",
    ),
    rule(
        "CriticalCPUUsage",
        "cpu",
        crossed("CriticalCPUUsage", r.CPU_PERCENT.name),
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
        "NodeAbsent",
        "presence",
        # rate() of nothing is nothing: that a node is gone shows only against what was there.
        f"(group by (node_id) (last_over_time({r.NODE_PRESENT.name}[1h])) or {EXPECTED_NODES})"
        f" unless on (node_id) {r.NODE_PRESENT.name}",
        "Nothing is heard of node <node_id> for <duration>: it stopped, or its telemetry does"
        " not arrive.",
    ),
    rule(
        "ComponentUnhealthy",
        "health",
        crossed("ComponentUnhealthy", f"min by (node_id, component) ({series(m.COMPONENT_UP)})"),
        "The health check of component <component> on node <node_id> fails for <duration>.",
    ),
)
"""The rules of nodes and components that are not there."""
