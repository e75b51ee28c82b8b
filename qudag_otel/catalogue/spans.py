"""Every span that the wrappers and the instrumented node start, and their own attributes.

Source: OpenTelemetry semantic conventions for messaging and error attributes, where one exists.
"""

from __future__ import annotations

from typing import Final

from qudag_otel.catalogue._model import Attribute, Span

NODE: Final = Attribute(
    key="qudag.node.id", description="The node that did the work.", example="node-1"
)
SWARM: Final = Attribute(
    key="qudag.swarm.id", description="The swarm that the task belongs to.", example="swarm-1"
)
COMPONENT: Final = Attribute(
    key="qudag.component", description="The part of the program.", example="chunking"
)
OPERATION: Final = Attribute(
    key="qudag.operation", description="What the component was doing.", example="process"
)
RECORD: Final = Attribute(
    key="qudag.record",
    description="The kind of a special log record.",
    values=(
        "optimization",
        "performance_anomaly",
        "cache_performance",
        "swarm_coordination",
    ),
)
ERROR_TYPE: Final = Attribute(
    key="error.type",
    description="The class of the exception that ended the work.",
    example="TimeoutError",
)

MESSAGING_SYSTEM: Final = Attribute(
    key="messaging.system", description="The messaging system.", values=("qudag",)
)
MESSAGING_OPERATION: Final = Attribute(
    key="messaging.operation.type",
    description="What is done with the message.",
    values=("send", "process"),
)
MESSAGING_OPERATION_NAME: Final = Attribute(
    key="messaging.operation.name",
    description="What the messaging system calls the operation.",
    values=("send", "handle", "submit", "run"),
)
MESSAGE_BYTES: Final = Attribute(
    key="messaging.message.body.size",
    description="The size of the message, in bytes.",
    example="65536",
)
MESSAGE_TYPE: Final = Attribute(
    key="qudag.message.type", description="The kind of message.", example="file"
)
CHUNK_COUNT: Final = Attribute(
    key="qudag.chunk.count", description="How many chunks the message became.", example="4"
)
CHUNK_BYTES: Final = Attribute(
    key="qudag.chunk.bytes", description="Bytes of all chunks after compression.", example="20480"
)
COMPRESSION: Final = Attribute(
    key="qudag.compression.type", description="The compression algorithm.", example="zstd"
)
POOL: Final = Attribute(key="qudag.pool.type", description="The pool.", example="peer")
POOL_HIT: Final = Attribute(
    key="qudag.pool.hit",
    description="Whether the pool answered with an existing connection.",
    example="true",
)
TASK_TYPE: Final = Attribute(
    key="qudag.task.type", description="The kind of task.", example="verify"
)
TASK_PRIORITY: Final = Attribute(
    key="qudag.task.priority", description="The priority of the task.", example="normal"
)
AGENT: Final = Attribute(
    key="qudag.agent.id", description="The agent that ran the task.", example="agent-1"
)

_MESSAGE: Final = (
    NODE,
    MESSAGING_SYSTEM,
    MESSAGING_OPERATION,
    MESSAGING_OPERATION_NAME,
    MESSAGE_TYPE,
    MESSAGE_BYTES,
    ERROR_TYPE,
)
_TASK: Final = (
    SWARM,
    MESSAGING_SYSTEM,
    MESSAGING_OPERATION,
    MESSAGING_OPERATION_NAME,
    TASK_TYPE,
    TASK_PRIORITY,
    ERROR_TYPE,
)

SEND_MESSAGE: Final = Span(
    name="send message",
    kind="producer",
    description="Hand one message to the network.",
    attributes=_MESSAGE,
)
HANDLE_MESSAGE: Final = Span(
    name="process message",
    kind="consumer",
    description="Handle one message that came in.",
    attributes=_MESSAGE,
)
CHUNK_MESSAGE: Final = Span(
    name="chunk message",
    kind="internal",
    description="Split and compress one message.",
    attributes=(
        NODE,
        MESSAGE_TYPE,
        MESSAGE_BYTES,
        CHUNK_COUNT,
        CHUNK_BYTES,
        COMPRESSION,
        ERROR_TYPE,
    ),
)
ACQUIRE_CONNECTION: Final = Span(
    name="acquire connection",
    kind="internal",
    description="Wait for a connection from a pool.",
    attributes=(NODE, POOL, POOL_HIT, ERROR_TYPE),
)
SUBMIT_TASK: Final = Span(
    name="submit task",
    kind="producer",
    description="Hand one task to the swarm.",
    attributes=_TASK,
)
RUN_TASK: Final = Span(
    name="run task",
    kind="consumer",
    description="Work on one task, from the moment an agent starts it.",
    attributes=(*_TASK, AGENT),
)

SPANS: Final[tuple[Span, ...]] = (
    SEND_MESSAGE,
    HANDLE_MESSAGE,
    CHUNK_MESSAGE,
    ACQUIRE_CONNECTION,
    SUBMIT_TASK,
    RUN_TASK,
)
"""Every span."""
