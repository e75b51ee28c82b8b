"""Every metric, once. The Prometheus names and labels of the first twenty are a contract.

Units follow UCUM; names translate to the contract's under UnderscoreEscapingWithSuffixes.
"""

from __future__ import annotations

from typing import Final

from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue._model import Group, Instrument, Metric, Panel

# Edges at 0.5, 30, 60 and 120 s, because alerts and baselines are measured there: a histogram
# whose bounds end below a threshold can never show that it was crossed.
SHORT_SECONDS: Final = (
    0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0,
)  # fmt: skip
LONG_SECONDS: Final = (
    0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 45.0, 60.0,
    90.0, 120.0, 300.0,
)  # fmt: skip
OPERATION_SECONDS: Final = (
    0.00001, 0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0, 60.0, 120.0,
)  # fmt: skip

CHUNKS_PROCESSED: Final = Metric(
    name="qudag.chunks.processed",
    instrument=Instrument.COUNTER,
    unit="{chunk}",
    description="Chunks processed.",
    group=Group.CHUNKING,
    attributes=(a.NODE_ID, a.MESSAGE_TYPE),
    panel=Panel.CHUNK_PROCESSING,
)
COMPRESSION_RATIO: Final = Metric(
    name="qudag.compression",
    instrument=Instrument.GAUGE,
    unit="1",
    description="Share of bytes that compression saved on the latest message, 0 to 1.",
    group=Group.CHUNKING,
    attributes=(a.NODE_ID, a.COMPRESSION_TYPE),
    panel=Panel.CHUNK_PROCESSING,
)
CHUNKING_DURATION: Final = Metric(
    name="qudag.chunking.duration",
    instrument=Instrument.HISTOGRAM,
    unit="s",
    description="Time to split and compress one message.",
    group=Group.CHUNKING,
    attributes=(a.NODE_ID, a.MESSAGE_SIZE_BUCKET),
    bounds=SHORT_SECONDS,
    panel=Panel.CHUNK_PROCESSING,
)
POOL_HITS: Final = Metric(
    name="qudag.connection.pool.hits",
    instrument=Instrument.COUNTER,
    unit="{request}",
    description="Requests for a connection that the pool answered with an existing one.",
    group=Group.POOL,
    attributes=(a.NODE_ID, a.POOL_TYPE),
    panel=Panel.CONNECTION_POOL,
)
POOL_MISSES: Final = Metric(
    name="qudag.connection.pool.misses",
    instrument=Instrument.COUNTER,
    unit="{request}",
    description="Requests for a connection that needed a new one, or got none.",
    group=Group.POOL,
    attributes=(a.NODE_ID, a.POOL_TYPE),
    panel=Panel.CONNECTION_POOL,
)
ACTIVE_CONNECTIONS: Final = Metric(
    name="qudag.active.connections",
    workers="sum",
    instrument=Instrument.GAUGE,
    unit="{connection}",
    description="Connections that the pool holds, by state.",
    group=Group.POOL,
    attributes=(a.NODE_ID, a.POOL_TYPE, a.CONNECTION_STATE),
    panel=Panel.CONNECTION_POOL,
    asynchronous=True,
    minimum=0,
)
CONNECTION_WAIT_TIME: Final = Metric(
    name="qudag.connection.wait.time",
    instrument=Instrument.HISTOGRAM,
    unit="s",
    description="Time from asking the pool for a connection to having one.",
    group=Group.POOL,
    attributes=(a.NODE_ID, a.POOL_TYPE),
    bounds=SHORT_SECONDS,
    panel=Panel.CONNECTION_POOL,
)
CACHE_HITS: Final = Metric(
    name="qudag.validation.cache.hits",
    instrument=Instrument.COUNTER,
    unit="{lookup}",
    description="Validations answered from the cache.",
    group=Group.CACHE,
    attributes=(a.NODE_ID, a.VALIDATION_TYPE),
    panel=Panel.VALIDATION_CACHE,
)
CACHE_MISSES: Final = Metric(
    name="qudag.validation.cache.misses",
    instrument=Instrument.COUNTER,
    unit="{lookup}",
    description="Validations that the cache could not answer.",
    group=Group.CACHE,
    attributes=(a.NODE_ID, a.VALIDATION_TYPE),
    panel=Panel.VALIDATION_CACHE,
)
CACHE_MEMORY: Final = Metric(
    name="qudag.cache.memory",
    workers="sum",
    instrument=Instrument.GAUGE,
    unit="By",
    description="Bytes that the cache holds.",
    group=Group.CACHE,
    attributes=(a.NODE_ID, a.CACHE_TYPE),
    panel=Panel.VALIDATION_CACHE,
    asynchronous=True,
    minimum=0,
)
CACHE_EVICTIONS: Final = Metric(
    name="qudag.cache.evictions",
    instrument=Instrument.COUNTER,
    unit="{entry}",
    description="Entries that left the cache, by reason.",
    group=Group.CACHE,
    attributes=(a.NODE_ID, a.CACHE_TYPE, a.EVICTION_REASON),
    panel=Panel.VALIDATION_CACHE,
)
TASKS_CREATED: Final = Metric(
    name="qudag.swarm.tasks.created",
    instrument=Instrument.COUNTER,
    unit="{task}",
    description="Tasks handed to the swarm.",
    group=Group.SWARM,
    attributes=(a.SWARM_ID, a.TASK_TYPE, a.PRIORITY),
    panel=Panel.SWARM_COORDINATION,
)
TASKS_COMPLETED: Final = Metric(
    name="qudag.swarm.tasks.completed",
    instrument=Instrument.COUNTER,
    unit="{task}",
    description="Tasks that ended, by status.",
    group=Group.SWARM,
    attributes=(a.SWARM_ID, a.TASK_TYPE, a.TASK_STATUS),
    panel=Panel.SWARM_COORDINATION,
)
TASK_LATENCY: Final = Metric(
    name="qudag.swarm.task.latency",
    instrument=Instrument.HISTOGRAM,
    unit="s",
    description="Time from a task's creation to its end.",
    group=Group.SWARM,
    attributes=(a.SWARM_ID, a.TASK_TYPE),
    bounds=LONG_SECONDS,
    panel=Panel.SWARM_COORDINATION,
)
AGENT_UTILIZATION: Final = Metric(
    name="qudag.agent.utilization",
    instrument=Instrument.GAUGE,
    unit="1",
    description="Share of time an agent worked since the previous collection, 0 to 1.",
    group=Group.SWARM,
    attributes=(a.SWARM_ID, a.AGENT_ID, a.AGENT_TYPE),
    panel=Panel.SWARM_COORDINATION,
    asynchronous=True,
)
QUEUE_DEPTH: Final = Metric(
    name="qudag.swarm.queue.depth",
    workers="sum",
    instrument=Instrument.GAUGE,
    unit="{task}",
    description="Tasks that wait for an agent.",
    group=Group.SWARM,
    attributes=(a.SWARM_ID, a.QUEUE_TYPE, a.PRIORITY),
    panel=Panel.SWARM_COORDINATION,
    asynchronous=True,
)
MESSAGE_THROUGHPUT: Final = Metric(
    name="qudag.message.throughput",
    instrument=Instrument.COUNTER,
    unit="{message}",
    description="Messages that passed the node.",
    group=Group.SYSTEM,
    attributes=(a.NODE_ID, a.MESSAGE_TYPE, a.DIRECTION),
    panel=Panel.MESSAGE_THROUGHPUT,
)
ERRORS: Final = Metric(
    name="qudag.errors",
    instrument=Instrument.COUNTER,
    unit="{error}",
    description="Errors, by the component they happened in.",
    group=Group.SYSTEM,
    attributes=(a.NODE_ID, a.COMPONENT, a.ERROR_TYPE),
    panel=Panel.SYSTEM_HEALTH,
)
SYSTEM_MEMORY: Final = Metric(
    name="qudag.system.memory",
    instrument=Instrument.GAUGE,
    unit="By",
    description="Memory of the host.",
    group=Group.SYSTEM,
    attributes=(a.NODE_ID, a.MEMORY_TYPE),
    panel=Panel.RESOURCE_USAGE,
    asynchronous=True,
)
CPU_USAGE: Final = Metric(
    name="qudag.cpu.usage",
    instrument=Instrument.GAUGE,
    unit="%",
    description="CPU in use since the previous collection, 0 to 100.",
    group=Group.SYSTEM,
    attributes=(a.NODE_ID, a.CPU_CORE),
    panel=Panel.RESOURCE_USAGE,
    asynchronous=True,
)

CONTRACT: Final = (
    CHUNKS_PROCESSED,
    COMPRESSION_RATIO,
    CHUNKING_DURATION,
    POOL_HITS,
    POOL_MISSES,
    ACTIVE_CONNECTIONS,
    CONNECTION_WAIT_TIME,
    CACHE_HITS,
    CACHE_MISSES,
    CACHE_MEMORY,
    CACHE_EVICTIONS,
    TASKS_CREATED,
    TASKS_COMPLETED,
    TASK_LATENCY,
    AGENT_UTILIZATION,
    QUEUE_DEPTH,
    MESSAGE_THROUGHPUT,
    ERRORS,
    SYSTEM_MEMORY,
    CPU_USAGE,
)
"""The twenty metrics whose Prometheus names and labels users' queries depend on."""

OPERATION_DURATION: Final = Metric(
    name="qudag.operation.duration",
    instrument=Instrument.HISTOGRAM,
    unit="s",
    description="Duration of an instrumented operation; a generator's from first to last step.",
    group=Group.OPERATION,
    attributes=(a.NODE_ID, a.OPERATION, a.COMPONENT, a.OUTCOME),
    bounds=OPERATION_SECONDS,
    panel=Panel.SYSTEM_HEALTH,
)
OPERATION_ACTIVE: Final = Metric(
    name="qudag.operation.active",
    instrument=Instrument.UP_DOWN_COUNTER,
    unit="{call}",
    description="Calls of an instrumented operation that are in flight.",
    group=Group.OPERATION,
    attributes=(a.NODE_ID, a.OPERATION, a.COMPONENT),
    panel=Panel.SYSTEM_HEALTH,
)
COMPONENT_UP: Final = Metric(
    name="qudag.component.up",
    workers="min",
    instrument=Instrument.GAUGE,
    unit="{component}",
    description="1 if the component's own health check passes, 0 if it fails.",
    group=Group.COMPONENT,
    attributes=(a.NODE_ID, a.COMPONENT),
    panel=Panel.SYSTEM_HEALTH,
    asynchronous=True,
)
RESOURCE_USED: Final = Metric(
    name="qudag.resource.used",
    instrument=Instrument.GAUGE,
    unit="1",
    description="Share of a named resource in use, as its owner reports it, 0 to 1.",
    group=Group.SYSTEM,
    attributes=(
        a.NODE_ID,
        a.RESOURCE,
    ),
    panel=Panel.RESOURCE_USAGE,
)

NODE_UP: Final = Metric(
    name="qudag.node.up",
    workers="min",
    instrument=Instrument.GAUGE,
    unit="{node}",
    description="1 if the node answers its RPC, 0 if it does not.",
    group=Group.NODE,
    attributes=(a.NODE_ID,),
    asynchronous=True,
)
NODE_INFO: Final = Metric(
    name="qudag.node.info",
    instrument=Instrument.GAUGE,
    unit="{node}",
    description="Always 1; the labels tell what the node says it is.",
    group=Group.NODE,
    attributes=(a.NODE_ID, a.PEER_ID, a.NODE_STATE),
    asynchronous=True,
)
NODE_UPTIME: Final = Metric(
    name="qudag.node.uptime",
    instrument=Instrument.GAUGE,
    unit="s",
    description="Time since the node started.",
    group=Group.NODE,
    attributes=(a.NODE_ID,),
    asynchronous=True,
)
NODE_RESTARTS: Final = Metric(
    name="qudag.node.restarts",
    instrument=Instrument.COUNTER,
    unit="{restart}",
    description="Times that the node's uptime began anew.",
    group=Group.NODE,
    attributes=(a.NODE_ID,),
)
NODE_PEERS: Final = Metric(
    name="qudag.node.peers",
    instrument=Instrument.GAUGE,
    unit="{peer}",
    description="Peers that the node is connected to.",
    group=Group.NODE,
    attributes=(a.NODE_ID,),
    asynchronous=True,
)
NODE_VERTICES: Final = Metric(
    name="qudag.node.vertices",
    instrument=Instrument.GAUGE,
    unit="{vertex}",
    description="Vertices in the node's DAG.",
    group=Group.NODE,
    attributes=(a.NODE_ID,),
    asynchronous=True,
)
NODE_TIPS: Final = Metric(
    name="qudag.node.tips",
    instrument=Instrument.GAUGE,
    unit="{vertex}",
    description="Tips of the node's DAG, where the node measures them.",
    group=Group.NODE,
    attributes=(a.NODE_ID,),
    asynchronous=True,
)
NODE_PENDING: Final = Metric(
    name="qudag.node.pending",
    instrument=Instrument.GAUGE,
    unit="{transaction}",
    description="Transactions that wait, where the node measures them.",
    group=Group.NODE,
    attributes=(a.NODE_ID,),
    asynchronous=True,
)
NODE_MEMORY: Final = Metric(
    name="qudag.node.memory",
    instrument=Instrument.GAUGE,
    unit="By",
    description="Resident memory of the node's process, where the node tells it.",
    group=Group.NODE,
    attributes=(a.NODE_ID,),
    asynchronous=True,
)
NODE_MESSAGES: Final = Metric(
    name="qudag.node.messages",
    instrument=Instrument.COUNTER,
    unit="{message}",
    description="Messages that the node says passed it, where it counts them.",
    group=Group.NODE,
    attributes=(a.NODE_ID, a.DIRECTION),
    asynchronous=True,
)
NODE_IO: Final = Metric(
    name="qudag.node.io",
    instrument=Instrument.COUNTER,
    unit="By",
    description="Bytes that the node says passed it, where it counts them.",
    group=Group.NODE,
    attributes=(a.NODE_ID, a.DIRECTION),
    asynchronous=True,
)
NODE_RPC_DURATION: Final = Metric(
    name="qudag.node.rpc.duration",
    instrument=Instrument.HISTOGRAM,
    unit="s",
    description="Time from asking a node's RPC to its answer, or to having none.",
    group=Group.NODE,
    attributes=(a.NODE_ID, a.RPC_METHOD, a.OUTCOME),
    bounds=SHORT_SECONDS,
)
PROCESS_ENDED: Final = Metric(
    name="qudag.process.ended",
    instrument=Instrument.GAUGE,
    unit="{process}",
    description="1 in the last report of a process that ends on purpose.",
    group=Group.SYSTEM,
    attributes=(a.NODE_ID,),
    panel=Panel.SYSTEM_HEALTH,
)
PROCESS_CPU: Final = Metric(
    name="qudag.process.cpu",
    instrument=Instrument.GAUGE,
    unit="%",
    description="CPU of the host that this process took since the previous collection, 0 to 100.",
    group=Group.SYSTEM,
    attributes=(a.NODE_ID,),
    panel=Panel.RESOURCE_USAGE,
    asynchronous=True,
)
PROCESS_MEMORY: Final = Metric(
    name="qudag.process.memory",
    instrument=Instrument.GAUGE,
    unit="By",
    description="Resident memory of this process.",
    group=Group.SYSTEM,
    attributes=(a.NODE_ID,),
    panel=Panel.RESOURCE_USAGE,
    asynchronous=True,
)

TELEMETRY_CPU: Final = Metric(
    name="qudag.telemetry.cpu.time",
    instrument=Instrument.COUNTER,
    unit="s",
    description="CPU time that telemetry took in this process.",
    group=Group.TELEMETRY,
    attributes=(a.NODE_ID, a.COST),
    asynchronous=True,
)
TELEMETRY_SHARE: Final = Metric(
    name="qudag.telemetry.cpu.share",
    instrument=Instrument.GAUGE,
    unit="1",
    description="Share of the process's CPU time that telemetry took in the latest minute, 0 to 1.",
    group=Group.TELEMETRY,
    attributes=(a.NODE_ID,),
    asynchronous=True,
)

METRICS: Final = (
    *CONTRACT,
    OPERATION_DURATION,
    OPERATION_ACTIVE,
    COMPONENT_UP,
    RESOURCE_USED,
    NODE_UP,
    NODE_INFO,
    NODE_UPTIME,
    NODE_RESTARTS,
    NODE_PEERS,
    NODE_VERTICES,
    NODE_TIPS,
    NODE_PENDING,
    NODE_MEMORY,
    NODE_MESSAGES,
    NODE_IO,
    NODE_RPC_DURATION,
    TELEMETRY_CPU,
    TELEMETRY_SHARE,
    PROCESS_CPU,
    PROCESS_MEMORY,
    PROCESS_ENDED,
)
"""Every metric."""
