"""Every series recorded from the metrics: dashboards, alerts and the guide read these names.

Rates of counters, quantiles of histograms and sums of gauges, each at the level that alerts speak
of: node, pool, cache, swarm. A ratio has no sample while its denominator is 0, so that idleness
is neither good nor bad.
"""

from __future__ import annotations

from typing import Final

from qudag_otel._query.promql import added, share
from qudag_otel.alerts._model import Level, Recorded
from qudag_otel.alerts.promql import WINDOW, average, quantile, rate, series, total
from qudag_otel.catalogue import metrics as m

_COMPRESSED = 'compression_type!="none"'

MESSAGES_RATE: Final = Recorded(
    level=Level.NODE,
    subject="qudag_messages",
    operation="rate5m",
    expression=rate(Level.NODE, m.MESSAGE_THROUGHPUT),
    unit="{message}/s",
    description="Messages a second, of all types and both directions.",
)
CHUNKS_RATE: Final = Recorded(
    level=Level.NODE,
    subject="qudag_chunks",
    operation="rate5m",
    expression=rate(Level.NODE, m.CHUNKS_PROCESSED),
    unit="{chunk}/s",
    description="Chunks a second.",
)
CHUNKING_P95: Final = Recorded(
    level=Level.NODE,
    subject="qudag_chunking_seconds",
    operation="p95_5m",
    expression=quantile(Level.NODE, m.CHUNKING_DURATION, 0.95),
    unit="s",
    description="Time to chunk a message that 95% of the messages stay under.",
)
COMPRESSION_AVG: Final = Recorded(
    level=Level.NODE_COMPRESSION,
    subject="qudag_compression_saved",
    operation="avg5m",
    # The gauge holds the latest message only, and "none" is no compression that could be better.
    expression=average(
        Level.NODE_COMPRESSION,
        f"avg_over_time({series(m.COMPRESSION_RATIO, '', _COMPRESSED)}[{WINDOW}])",
    ),
    unit="1",
    description="Share of bytes that an algorithm saves, averaged over five minutes.",
)

POOL_REQUESTS: Final = Recorded(
    level=Level.NODE_POOL,
    subject="qudag_pool_requests",
    operation="rate5m",
    expression=added(rate(Level.NODE_POOL, m.POOL_HITS), rate(Level.NODE_POOL, m.POOL_MISSES)),
    unit="{request}/s",
    description="Requests for a connection a second, hits and misses.",
)
POOL_HIT_RATIO: Final = Recorded(
    level=Level.NODE_POOL,
    subject="qudag_pool_hit",
    operation="ratio_rate5m",
    expression=share(rate(Level.NODE_POOL, m.POOL_HITS), POOL_REQUESTS.name),
    unit="1",
    description="Share of requests that the pool answered with an existing connection.",
)
POOL_CONNECTIONS: Final = Recorded(
    level=Level.NODE_POOL_STATE,
    subject="qudag_pool_connections",
    operation="sum",
    expression=total(Level.NODE_POOL_STATE, series(m.ACTIVE_CONNECTIONS)),
    unit="{connection}",
    description="Connections that a pool holds, by state.",
)
POOL_WAIT_P95: Final = Recorded(
    level=Level.NODE_POOL,
    subject="qudag_pool_wait_seconds",
    operation="p95_5m",
    expression=quantile(Level.NODE_POOL, m.CONNECTION_WAIT_TIME, 0.95),
    unit="s",
    description="Wait for a connection that 95% of the requests stay under.",
)

CACHE_REQUESTS: Final = Recorded(
    level=Level.NODE,
    subject="qudag_cache_lookups",
    operation="rate5m",
    expression=added(rate(Level.NODE, m.CACHE_HITS), rate(Level.NODE, m.CACHE_MISSES)),
    unit="{lookup}/s",
    description="Lookups in the validation cache a second, hits and misses.",
)
CACHE_HIT_RATIO: Final = Recorded(
    level=Level.NODE,
    subject="qudag_cache_hit",
    operation="ratio_rate5m",
    expression=share(rate(Level.NODE, m.CACHE_HITS), CACHE_REQUESTS.name),
    unit="1",
    description="Share of lookups that the validation cache answered.",
)
CACHE_BYTES: Final = Recorded(
    level=Level.NODE_CACHE,
    subject="qudag_cache_bytes",
    operation="sum",
    expression=total(Level.NODE_CACHE, series(m.CACHE_MEMORY)),
    unit="By",
    description="Bytes that a cache holds.",
)
CACHE_EVICTION_RATE: Final = Recorded(
    level=Level.NODE_CACHE,
    subject="qudag_cache_evicted",
    operation="rate5m",
    expression=rate(Level.NODE_CACHE, m.CACHE_EVICTIONS),
    unit="{entry}/s",
    description="Entries a second that leave a cache, for any reason.",
)

TASKS_CREATED_RATE: Final = Recorded(
    level=Level.SWARM,
    subject="qudag_tasks_created",
    operation="rate5m",
    expression=rate(Level.SWARM, m.TASKS_CREATED),
    unit="{task}/s",
    description="Tasks a second handed to the swarm.",
)
TASKS_COMPLETED_RATE: Final = Recorded(
    level=Level.SWARM,
    subject="qudag_tasks_completed",
    operation="rate5m",
    expression=rate(Level.SWARM, m.TASKS_COMPLETED),
    unit="{task}/s",
    description="Tasks a second that ended, with any status.",
)
TASK_SUCCESS_RATIO: Final = Recorded(
    level=Level.SWARM,
    subject="qudag_tasks_success",
    operation="ratio_rate5m",
    expression=share(
        rate(Level.SWARM, m.TASKS_COMPLETED, 'status="success"'), TASKS_COMPLETED_RATE.name
    ),
    unit="1",
    description="Share of the tasks that ended which succeeded.",
)
TASK_P95: Final = Recorded(
    level=Level.SWARM_TASK,
    subject="qudag_task_seconds",
    operation="p95_5m",
    expression=quantile(Level.SWARM_TASK, m.TASK_LATENCY, 0.95),
    unit="s",
    description="Time from creation to end that 95% of the tasks of a type stay under.",
)
QUEUE_DEPTH_SUM: Final = Recorded(
    level=Level.SWARM_QUEUE,
    subject="qudag_queue",
    operation="sum",
    expression=total(Level.SWARM_QUEUE, series(m.QUEUE_DEPTH)),
    unit="{task}",
    description="Tasks of all priorities that wait in a queue.",
)
AGENT_UTILIZATION_AVG: Final = Recorded(
    level=Level.SWARM,
    subject="qudag_agents_busy",
    operation="avg",
    expression=average(Level.SWARM, series(m.AGENT_UTILIZATION)),
    unit="1",
    description="Share of time the agents work, averaged over the agents.",
)

ERROR_RATE: Final = Recorded(
    level=Level.NODE_COMPONENT,
    subject="qudag_errors",
    operation="rate5m",
    expression=rate(Level.NODE_COMPONENT, m.ERRORS),
    unit="{error}/s",
    description="Errors a second of a component, of all types.",
)
_USED = series(m.SYSTEM_MEMORY, "", 'memory_type="used"')
_INSTALLED = series(m.SYSTEM_MEMORY, "", 'memory_type="total"')
_CPU_AVERAGE = series(m.CPU_USAGE, "", 'cpu_core="average"')
_CPU_CORES = series(m.CPU_USAGE, "", 'cpu_core!="average"')

# max, not sum: several processes of one host report the same memory and the same cores.
MEMORY_RATIO: Final = Recorded(
    level=Level.NODE,
    subject="qudag_memory_used",
    operation="ratio",
    expression=f"max by (node_id) ({_USED}) / max by (node_id) ({_INSTALLED})",
    unit="1",
    description="Share of the host's memory in use.",
)
CPU_PERCENT: Final = Recorded(
    level=Level.NODE,
    subject="qudag_cpu_percent",
    operation="avg",
    expression=f"{average(Level.NODE, _CPU_AVERAGE)} or {average(Level.NODE, _CPU_CORES)}",
    unit="%",
    description="CPU in use: the average that the node reports, else the average of its cores.",
)
NODE_PRESENT: Final = Recorded(
    level=Level.NODE,
    subject="qudag_node",
    operation="present",
    expression=(
        f"group by (node_id) ({series(m.MESSAGE_THROUGHPUT)} or {series(m.SYSTEM_MEMORY)}"
        f" or {series(m.OPERATION_DURATION, '_count')})"
    ),
    unit="1",
    description="1 for every node that reports.",
)

OPERATION_RATE: Final = Recorded(
    level=Level.NODE_OPERATION,
    subject="qudag_operation_calls",
    operation="rate5m",
    expression=rate(Level.NODE_OPERATION, m.OPERATION_DURATION, suffix="_count"),
    unit="{call}/s",
    description="Calls of an instrumented operation a second that ended, with any outcome.",
)
OPERATION_ERROR_RATIO: Final = Recorded(
    level=Level.NODE_OPERATION,
    subject="qudag_operation_errors",
    operation="ratio_rate5m",
    expression=share(
        rate(Level.NODE_OPERATION, m.OPERATION_DURATION, 'outcome="error"', suffix="_count"),
        OPERATION_RATE.name,
    ),
    unit="1",
    description="Share of an operation's calls that ended with an error.",
)
OPERATION_P95: Final = Recorded(
    level=Level.NODE_OPERATION,
    subject="qudag_operation_seconds",
    operation="p95_5m",
    expression=quantile(Level.NODE_OPERATION, m.OPERATION_DURATION, 0.95),
    unit="s",
    description="Duration that 95% of an operation's calls stay under.",
)

NODE_RECORDED: Final = (
    MESSAGES_RATE,
    CHUNKS_RATE,
    CHUNKING_P95,
    COMPRESSION_AVG,
    POOL_REQUESTS,
    POOL_HIT_RATIO,
    POOL_CONNECTIONS,
    POOL_WAIT_P95,
    CACHE_REQUESTS,
    CACHE_HIT_RATIO,
    CACHE_BYTES,
    CACHE_EVICTION_RATE,
    ERROR_RATE,
    MEMORY_RATIO,
    CPU_PERCENT,
    NODE_PRESENT,
)
"""Recorded for every node. A series that reads another one stands after it."""

SWARM_RECORDED: Final = (
    TASKS_CREATED_RATE,
    TASKS_COMPLETED_RATE,
    TASK_SUCCESS_RATIO,
    TASK_P95,
    QUEUE_DEPTH_SUM,
    AGENT_UTILIZATION_AVG,
)
"""Recorded for every swarm."""

OPERATION_RECORDED: Final = (OPERATION_RATE, OPERATION_ERROR_RATIO, OPERATION_P95)
"""Recorded for every instrumented operation."""
