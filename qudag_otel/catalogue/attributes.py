"""Every attribute, once."""

from __future__ import annotations

from typing import Final

from qudag_otel.catalogue._model import Attribute

# Identity: every metric carries exactly one of the two.
NODE_ID: Final = Attribute(
    key="node_id",
    description="The node that measured it; by default the resource attribute `qudag.node.id`.",
    example="node-1",
    limit=1000,
)
SWARM_ID: Final = Attribute(
    key="swarm_id",
    description="The swarm it describes; by default the resource attribute `qudag.swarm.id`.",
    example="swarm-1",
    limit=1000,
)

SCOPE: Final = ("deployment_environment_name", "cluster", "group")
"""Labels that keep fleets apart: two nodes of one id in two of them are two nodes.

They are resource attributes over OTLP and labels of the target where /metrics is scraped. Rules
keep them wherever they aggregate; without them everything is one fleet.
"""

MESSAGE_TYPE: Final = Attribute(
    key="message_type", description="The kind of message.", example="file"
)
DIRECTION: Final = Attribute(
    key="direction",
    description="Which way the message went, seen from the node.",
    values=("inbound", "outbound"),
)
COMPRESSION_TYPE: Final = Attribute(
    key="compression_type", description="The compression algorithm.", example="zstd"
)
MESSAGE_SIZE_BUCKET: Final = Attribute(
    key="message_size_bucket",
    description=(
        "The size of the whole message: small up to 1 KiB, medium up to 10 KiB, "
        "large up to 100 KiB, xlarge above."
    ),
    values=("small", "medium", "large", "xlarge"),
)
MESSAGE_SIZE_LIMITS: Final = (("small", 1024), ("medium", 10 * 1024), ("large", 100 * 1024))
"""Upper bounds in bytes, inclusive; what exceeds the last is "xlarge"."""

POOL_TYPE: Final = Attribute(key="pool_type", description="The pool.", example="peer")
CONNECTION_STATE: Final = Attribute(
    key="state",
    description="Whether a connection is in use or waits in the pool.",
    values=("active", "idle"),
)
VALIDATION_TYPE: Final = Attribute(
    key="validation_type", description="What is validated.", example="signature"
)
CACHE_TYPE: Final = Attribute(key="cache_type", description="The cache.", example="validation")
EVICTION_REASON: Final = Attribute(
    key="reason",
    description=(
        "Why an entry left: no room, too old, too many bytes (`memory` in 0.1), or on request."
    ),
    values=("capacity", "expired", "memory_pressure", "explicit", "memory"),
)
TASK_TYPE: Final = Attribute(key="task_type", description="The kind of task.", example="verify")
PRIORITY: Final = Attribute(
    key="priority",
    description="The priority of a task.",
    values=("low", "normal", "high", "critical"),
)
TASK_STATUS: Final = Attribute(
    key="status",
    description="How a task ended.",
    values=("success", "failure", "timeout", "cancelled"),
)
AGENT_ID: Final = Attribute(key="agent_id", description="The agent.", example="agent-1", limit=1000)
AGENT_TYPE: Final = Attribute(key="agent_type", description="The kind of agent.", example="worker")
QUEUE_TYPE: Final = Attribute(key="queue_type", description="The queue.", example="tasks")
MEMORY_TYPE: Final = Attribute(
    key="memory_type",
    description="Memory in use, or installed.",
    values=("used", "total"),
)
CPU_CORE: Final = Attribute(
    key="cpu_core",
    description='The core, counted from 0, or "average" over all.',
    example="average",
    limit=1025,
)
COMPONENT: Final = Attribute(
    key="component", description="The part of the program.", example="chunking"
)
ERROR_TYPE: Final = Attribute(
    key="error_type",
    description=(
        "The class of the error: an exception's qualified name, or a name of one's own, such as "
        "`connection_error`, `timeout_error`, `validation_error` or `unknown_error`."
    ),
    example="TimeoutError",
)
OPERATION: Final = Attribute(
    key="operation",
    description="The name of the instrumented operation.",
    example="store.put",
    limit=1000,
)
OUTCOME: Final = Attribute(
    key="outcome",
    description=(
        "How the operation ended: ok, error, expected (an exception declared as an outcome), "
        "cancelled (task cancellation) or closed (a generator closed before its end)."
    ),
    values=("ok", "error", "expected", "cancelled", "closed"),
)

COST: Final = Attribute(
    key="cost",
    description="Where telemetry took the time: in threads of its own, in calls, in log lines.",
    values=("threads", "calls", "logs"),
)
RESOURCE: Final = Attribute(
    key="resource", description="The resource, named by its owner.", example="disk"
)

PEER_ID: Final = Attribute(
    key="peer_id",
    description="The node's id in its network, as the node says it.",
    example="12D3KooWLnJTEKqcV8dP",
    limit=1000,
)
NODE_STATE: Final = Attribute(
    key="node_state",
    description="What the node says of itself; unwired is an RPC server without a node behind it.",
    values=("running", "stopped", "unwired"),
)
RPC_METHOD: Final = Attribute(
    key="method",
    description="The method of a node's RPC.",
    values=("get_status", "get_network_stats"),
)
