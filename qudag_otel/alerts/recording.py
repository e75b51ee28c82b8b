"""Every series recorded from the metrics: dashboards, alerts and the guide read these names.

Rates of counters, quantiles of histograms and sums of gauges, each at the level that alerts speak
of: node, pool, cache, swarm. A ratio has no sample while its denominator is 0, so that idleness
is neither good nor bad.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qudag_otel._query.promql import added, aggregate, share
from qudag_otel.alerts._model import Level, Recorded
from qudag_otel.alerts.promql import WINDOW, average, buckets, gauge, quantile, rate, series
from qudag_otel.catalogue import metrics as m

if TYPE_CHECKING:
    from qudag_otel.catalogue import Metric

_COMPRESSED = 'compression_type!="none"'
UNSUCCESSFUL: Final = 'status=~"failure|timeout"'
"""Tasks that ended badly; cancelled ones are nobody's fault."""

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
    # A message without bytes has no ratio: its NaN must not hide the others'.
    expression=average(
        Level.NODE_COMPRESSION,
        f"avg_over_time(({series(m.COMPRESSION_RATIO, '', _COMPRESSED)} >= 0)[{WINDOW}:])",
    ),
    unit="1",
    description="Share of bytes that an algorithm saves, averaged over five minutes.",
)

POOL_HITS_RATE: Final = Recorded(
    level=Level.NODE_POOL,
    subject="qudag_pool_hits",
    operation="rate5m",
    expression=rate(Level.NODE_POOL, m.POOL_HITS),
    unit="{request}/s",
    description="Requests a second that the pool answered with an existing connection.",
)
POOL_MISSES_RATE: Final = Recorded(
    level=Level.NODE_POOL,
    subject="qudag_pool_misses",
    operation="rate5m",
    expression=rate(Level.NODE_POOL, m.POOL_MISSES),
    unit="{request}/s",
    description="Requests a second that needed a new connection.",
)
POOL_REQUESTS: Final = Recorded(
    level=Level.NODE_POOL,
    subject="qudag_pool_requests",
    operation="rate5m",
    expression=added(POOL_HITS_RATE.name, POOL_MISSES_RATE.name),
    unit="{request}/s",
    description="Requests for a connection a second, hits and misses.",
)
POOL_HIT_RATIO: Final = Recorded(
    level=Level.NODE_POOL,
    subject="qudag_pool_hit",
    operation="ratio_rate5m",
    expression=share(POOL_HITS_RATE.name, POOL_REQUESTS.name),
    unit="1",
    description="Share of requests that the pool answered with an existing connection.",
)
POOL_CONNECTIONS: Final = Recorded(
    level=Level.NODE_POOL_STATE,
    subject="qudag_pool_connections",
    operation="sum",
    expression=gauge(Level.NODE_POOL_STATE, m.ACTIVE_CONNECTIONS),
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

CACHE_HITS_RATE: Final = Recorded(
    level=Level.NODE,
    subject="qudag_cache_hits",
    operation="rate5m",
    expression=rate(Level.NODE, m.CACHE_HITS),
    unit="{lookup}/s",
    description="Lookups a second that the validation cache answered.",
)
CACHE_MISSES_RATE: Final = Recorded(
    level=Level.NODE,
    subject="qudag_cache_misses",
    operation="rate5m",
    expression=rate(Level.NODE, m.CACHE_MISSES),
    unit="{lookup}/s",
    description="Lookups a second that the validation cache could not answer.",
)
CACHE_REQUESTS: Final = Recorded(
    level=Level.NODE,
    subject="qudag_cache_lookups",
    operation="rate5m",
    expression=added(CACHE_HITS_RATE.name, CACHE_MISSES_RATE.name),
    unit="{lookup}/s",
    description="Lookups in the validation cache a second, hits and misses.",
)
CACHE_HIT_RATIO: Final = Recorded(
    level=Level.NODE,
    subject="qudag_cache_hit",
    operation="ratio_rate5m",
    expression=share(CACHE_HITS_RATE.name, CACHE_REQUESTS.name),
    unit="1",
    description="Share of lookups that the validation cache answered.",
)
CACHE_BYTES: Final = Recorded(
    level=Level.NODE_CACHE,
    subject="qudag_cache_bytes",
    operation="sum",
    expression=gauge(Level.NODE_CACHE, m.CACHE_MEMORY),
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

TYPE_CREATED_RATE: Final = Recorded(
    level=Level.SWARM_TASK,
    subject="qudag_tasks_created",
    operation="rate5m",
    expression=rate(Level.SWARM_TASK, m.TASKS_CREATED),
    unit="{task}/s",
    description="Tasks a second handed to the swarm, by type.",
)
TYPE_COMPLETED_RATE: Final = Recorded(
    level=Level.SWARM_TASK,
    subject="qudag_tasks_completed",
    operation="rate5m",
    expression=rate(Level.SWARM_TASK, m.TASKS_COMPLETED),
    unit="{task}/s",
    description="Tasks a second that ended, with any status, by type.",
)
TASKS_CREATED_RATE: Final = Recorded(
    level=Level.SWARM,
    subject="qudag_tasks_created",
    operation="rate5m",
    expression=aggregate("sum", Level.SWARM.labels, TYPE_CREATED_RATE.name),
    unit="{task}/s",
    description="Tasks a second handed to the swarm.",
)
TASKS_COMPLETED_RATE: Final = Recorded(
    level=Level.SWARM,
    subject="qudag_tasks_completed",
    operation="rate5m",
    expression=aggregate("sum", Level.SWARM.labels, TYPE_COMPLETED_RATE.name),
    unit="{task}/s",
    description="Tasks a second that ended, with any status.",
)
TASKS_SUCCEEDED_RATE: Final = Recorded(
    level=Level.SWARM,
    subject="qudag_tasks_succeeded",
    operation="rate5m",
    expression=rate(Level.SWARM, m.TASKS_COMPLETED, 'status="success"'),
    unit="{task}/s",
    description="Tasks a second that succeeded.",
)
TASK_SUCCESS_RATIO: Final = Recorded(
    level=Level.SWARM,
    subject="qudag_tasks_success",
    operation="ratio_rate5m",
    expression=share(TASKS_SUCCEEDED_RATE.name, TASKS_COMPLETED_RATE.name),
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
    expression=gauge(Level.SWARM_QUEUE, m.QUEUE_DEPTH),
    unit="{task}",
    description="Tasks of all priorities that wait in a queue.",
)
TASKS_WAITING: Final = Recorded(
    level=Level.SWARM,
    subject="qudag_tasks_waiting",
    operation="sum",
    expression=aggregate("sum", Level.SWARM.labels, QUEUE_DEPTH_SUM.name),
    unit="{task}",
    description="Tasks that wait in any queue of the swarm.",
)
AGENT_UTILIZATION_AVG: Final = Recorded(
    level=Level.SWARM,
    subject="qudag_agents_busy",
    operation="avg",
    expression=average(Level.SWARM, f"{series(m.AGENT_UTILIZATION)} >= 0"),
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
_USED = aggregate(
    "max", Level.NODE.labels, f"""{series(m.SYSTEM_MEMORY, "", 'memory_type="used"')} >= 0"""
)
_INSTALLED = aggregate(
    "max", Level.NODE.labels, f"""{series(m.SYSTEM_MEMORY, "", 'memory_type="total"')} > 0"""
)
_CPU_AVERAGE = series(m.CPU_USAGE, "", 'cpu_core="average"') + " >= 0"
_CPU_CORES = series(m.CPU_USAGE, "", 'cpu_core!="average"') + " >= 0"

# max, not sum: several processes of one host report the same memory and the same cores.
MEMORY_RATIO: Final = Recorded(
    level=Level.NODE,
    subject="qudag_memory_used",
    operation="ratio",
    expression=f"{_USED} / {_INSTALLED}",
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
COMPONENT_UP_MIN: Final = Recorded(
    level=Level.NODE_COMPONENT,
    subject=m.COMPONENT_UP.prometheus_name,
    operation="min",
    expression=aggregate("min", Level.NODE_COMPONENT.labels, f"{series(m.COMPONENT_UP)} >= 0"),
    unit="{component}",
    description="0 if a component's own health check fails in any process, else 1.",
)

OPERATION_RATE: Final = Recorded(
    level=Level.NODE_OPERATION,
    subject="qudag_operation_calls",
    operation="rate5m",
    expression=rate(Level.NODE_OPERATION, m.OPERATION_DURATION, suffix="_count"),
    unit="{call}/s",
    description="Calls of an instrumented operation a second that ended, with any outcome.",
)
OPERATION_FAILURE_RATE: Final = Recorded(
    level=Level.NODE_OPERATION,
    subject="qudag_operation_failures",
    operation="rate5m",
    expression=rate(Level.NODE_OPERATION, m.OPERATION_DURATION, 'outcome="error"', suffix="_count"),
    unit="{call}/s",
    description="Calls of an instrumented operation a second that ended with an error.",
)
OPERATION_ERROR_RATIO: Final = Recorded(
    level=Level.NODE_OPERATION,
    subject="qudag_operation_errors",
    operation="ratio_rate5m",
    expression=share(OPERATION_FAILURE_RATE.name, OPERATION_RATE.name),
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


def _distribution(level: Level, subject: str, metric: Metric, what: str) -> Recorded:
    return Recorded(
        level=level,
        subject=f"{subject}_bucket",
        operation="rate5m",
        expression=buckets(level, metric),
        unit="1/s",
        description=f"{what} a second that took at most `le` seconds, for heatmaps.",
    )


CHUNKING_BUCKETS: Final = _distribution(
    Level.NODE_LE, "qudag_chunking_seconds", m.CHUNKING_DURATION, "Messages chunked"
)
POOL_WAIT_BUCKETS: Final = _distribution(
    Level.NODE_POOL_LE, "qudag_pool_wait_seconds", m.CONNECTION_WAIT_TIME, "Requests"
)
OPERATION_BUCKETS: Final = _distribution(
    Level.NODE_OPERATION_LE, "qudag_operation_seconds", m.OPERATION_DURATION, "Calls"
)
RPC_BUCKETS: Final = _distribution(
    Level.NODE_LE, "qudag_node_rpc_seconds", m.NODE_RPC_DURATION, "Answers"
)
CHUNKING_P95_BY_SIZE: Final = Recorded(
    level=Level.NODE_SIZE,
    subject="qudag_chunking_seconds",
    operation="p95_5m",
    expression=quantile(Level.NODE_SIZE, m.CHUNKING_DURATION, 0.95),
    unit="s",
    description="Time to chunk a message that 95% of the messages of a size stay under.",
)
RPC_P95: Final = Recorded(
    level=Level.NODE_RPC,
    subject="qudag_node_rpc_seconds",
    operation="p95_5m",
    expression=quantile(Level.NODE_RPC, m.NODE_RPC_DURATION, 0.95),
    unit="s",
    description="Time in which 95% of the answers of a watched node came, by method.",
)

NODE_RECORDED: Final = (
    MESSAGES_RATE,
    CHUNKS_RATE,
    CHUNKING_P95,
    COMPRESSION_AVG,
    POOL_HITS_RATE,
    POOL_MISSES_RATE,
    POOL_REQUESTS,
    POOL_HIT_RATIO,
    POOL_CONNECTIONS,
    POOL_WAIT_P95,
    CACHE_HITS_RATE,
    CACHE_MISSES_RATE,
    CACHE_REQUESTS,
    CACHE_HIT_RATIO,
    CACHE_BYTES,
    CACHE_EVICTION_RATE,
    ERROR_RATE,
    MEMORY_RATIO,
    CPU_PERCENT,
    COMPONENT_UP_MIN,
)
"""Recorded for every node. A series that reads another one stands after it."""

SWARM_RECORDED: Final = (
    TYPE_CREATED_RATE,
    TYPE_COMPLETED_RATE,
    TASKS_CREATED_RATE,
    TASKS_COMPLETED_RATE,
    TASKS_SUCCEEDED_RATE,
    TASK_SUCCESS_RATIO,
    TASK_P95,
    QUEUE_DEPTH_SUM,
    TASKS_WAITING,
    AGENT_UTILIZATION_AVG,
)
"""Recorded for every swarm."""

OPERATION_RECORDED: Final = (
    OPERATION_RATE,
    OPERATION_FAILURE_RATE,
    OPERATION_ERROR_RATIO,
    OPERATION_P95,
)
"""Recorded for every instrumented operation."""

DISTRIBUTIONS_RECORDED: Final = (
    CHUNKING_BUCKETS,
    POOL_WAIT_BUCKETS,
    OPERATION_BUCKETS,
    RPC_BUCKETS,
    CHUNKING_P95_BY_SIZE,
    RPC_P95,
)
"""Recorded for panels alone, and as seldom as samples come: a panel of a week reads a tenth."""
