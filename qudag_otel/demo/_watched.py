"""How the network is watched: the one module here that knows of telemetry.

It uses what any application would: wrappers around the parts, `@instrumented` on functions, a
logger, and a trace context in the messages' headers, so that one file is one trace on all nodes.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from opentelemetry.instrumentation.qudag.cache import MonitoredValidationCache
from opentelemetry.instrumentation.qudag.chunking import MonitoredChunkProcessor
from opentelemetry.instrumentation.qudag.messages import MonitoredMessageFlow
from opentelemetry.instrumentation.qudag.pool import MonitoredConnectionPool
from opentelemetry.instrumentation.qudag.swarm import MonitoredSwarmCoordinator
from opentelemetry.instrumentation.qudag.system import SystemMonitor

from qudag_otel import instrumented, propagation
from qudag_otel.component import monitor
from qudag_otel.demo.chunks import COMPRESSION, Chunk
from qudag_otel.demo.network import FILE, MESSAGE_TYPES, TASK_TYPES, Parts
from qudag_otel.demo.tally import CACHE, POOL, QUEUE, VALIDATION
from qudag_otel.recorders import update_resource_usage

if TYPE_CHECKING:
    from pathlib import Path

    from opentelemetry.metrics import Meter

    from qudag_otel.demo.network import Node
    from qudag_otel.demo.wire import Message
    from qudag_otel.logs import ComponentLogger

REPORT_SECONDS: Final = 5.0
"""How often a node reports how it does, in seconds."""


class _Outgoing:
    """A node's own send and handle, with the current trace written into what is sent."""

    def __init__(self, node: Node) -> None:
        self._node = node

    async def send(self, message: Message, message_type: str, /, peer: str) -> Message:
        traced = replace(message, headers=propagation.outgoing())
        return await self._node.send(traced, message_type, peer)

    async def handle(self, message: Message, message_type: str, /) -> Message:
        return await self._node.handle(message, message_type)


class _Flow:
    """The watched flow: what comes in continues the sender's trace."""

    def __init__(self, node: Node) -> None:
        self._watched = MonitoredMessageFlow(
            _Outgoing(node), node_id=node.node_id, message_types=MESSAGE_TYPES
        )

    async def send(self, message: Message, message_type: str, /, peer: str) -> Message:
        return await self._watched.send(message, message_type, peer)

    async def handle(self, message: Message, message_type: str, /) -> Message:
        with propagation.incoming(message.headers):
            return await self._watched.handle(message, message_type)


class WatchedNode:
    """A node whose parts, functions, errors and health are watched from now until `close`.

    Args:
        node: The node, before it is started.
    """

    component_name = "node"

    def __init__(self, node: Node) -> None:
        self._node = node
        node_id = node.node_id
        here = {"node_id": node_id}
        self._cache = MonitoredValidationCache(
            node.cache, validation_type=VALIDATION, cache_type=CACHE, node_id=node_id
        )
        self._pool = MonitoredConnectionPool(node.pool, pool_type=POOL, node_id=node_id)
        self._swarm = MonitoredSwarmCoordinator(
            node.swarm,
            swarm_id=node.swarm.swarm_id,
            node_id=node_id,
            queue_type=QUEUE,
            task_types=TASK_TYPES,
        )
        self._system = SystemMonitor(node_id=node_id)
        node.cache.on_eviction = self._cache.evicted
        node.swarm.presence = self._swarm.agent
        index = instrumented(name="index_file", component=self.component_name, attributes=here)
        archive = instrumented(name="archive_file", component=self.component_name, attributes=here)
        send_file = instrumented(name="send_file", component=self.component_name, attributes=here)
        node.parts = Parts(
            chunker=MonitoredChunkProcessor(
                node.chunker,
                compression_type=COMPRESSION,
                node_id=node_id,
                message_types=[FILE],
                chunk_bytes=_sent_bytes,
            ),
            cache=self._cache,
            pool=self._pool,
            swarm=self._swarm,
            flow=_Flow(node),
            index=index(node.index_file),
            archive=archive(node.archive_file),
        )
        self._send_file = send_file(node.send_file)
        self._stop_monitoring = monitor(self, node_id=node_id)

    def register_metrics(self, _meter: Meter, /) -> None:
        """Nothing: all that it measures is in the catalogue."""

    def use_logger(self, logger: ComponentLogger, /) -> None:
        """Log through this logger."""
        self._log = logger

    def healthy(self) -> bool:
        """Whether the node listens."""
        return self._node.listens

    async def send_file(self, path: Path, *, forged: bool) -> None:
        """Send a file as the node does, and log it if it does not arrive."""
        try:
            await self._send_file(path, forged=forged)
        except Exception as error:
            self._log.warning(
                f"{path.name} was not delivered",
                operation="send_file",
                error=f"{type(error).__name__}: {error}",
            )
            raise

    async def report(self) -> None:
        """Report from time to time how cache, pool, DAG and swarm do, until cancelled."""
        cache, swarm = self._node.cache, self._node.swarm
        hits = misses = evictions = 0
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            now, gone = cache.lookups, cache.evictions.total()
            self._log.cache_performance(
                CACHE,
                hits=now["hit"] - hits,
                misses=now["miss"] - misses,
                memory_bytes=cache.memory_bytes,
                evictions=gone - evictions,
            )
            hits, misses, evictions = now["hit"], now["miss"], gone
            pool, dag = self._node.pool, self._node.dag
            update_resource_usage(POOL, pool.active, pool.limit, node_id=self._node.node_id)
            update_resource_usage("dag", len(dag), dag.limit, node_id=self._node.node_id)
            queued = sum(swarm.queue_depths().values())
            self._log.swarm_coordination(
                swarm.swarm_id,
                agents=len(swarm.agents),
                queued=queued,
                running=swarm.outstanding - queued,
                completed=swarm.completed.total(),
            )

    def close(self) -> None:
        """Stop what is observed at collection."""
        self._stop_monitoring()
        for watched in (self._cache, self._pool, self._swarm, self._system):
            watched.close()


def _sent_bytes(chunk: Chunk) -> int:
    return len(chunk.data)
