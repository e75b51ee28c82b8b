"""redis-py's connection pools, sync and asyncio.

Beside opentelemetry-instrumentation-redis, which makes a span of each command. redis-py 7.2 and
later have metrics of their own (`redis.observability`), off by default: use those or these.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.qudag.adapters._adapter import after_init
from opentelemetry.instrumentation.qudag.adapters._pools import PoolAdapter, State

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["RedisPoolInstrumentor"]


class RedisPoolInstrumentor(PoolAdapter):
    """Watches redis-py's pools: `instrument()` those to come, `watch(pool)` one that is there."""

    requires = ("redis >= 5, < 9",)
    opens = True

    def hooks(self) -> Iterable[tuple[Any, str, Any]]:
        """Pools that are made, and connections that are given and taken back."""
        from redis import asyncio as later
        from redis import connection as now

        made = after_init(self.watch)
        for library, getting in ((now, self.getting), (later, self.getting_later)):
            for pool in (library.ConnectionPool, library.BlockingConnectionPool):
                yield pool, "__init__", made
                yield pool, "get_connection", getting
                yield pool, "release", self.giving

    def watch(self, pool: Any, name: str | None = None) -> None:
        """Watch a pool.

        Args:
            pool: The pool, held weakly; of a client, `client.connection_pool`.
            name: Its name; by default where it connects to.
        """
        given = pool.connection_kwargs
        place = given.get("path") or f"{given.get('host', 'localhost')}:{given.get('port', 6379)}"
        super().watch(pool, name or f"{place}/{given.get('db') or 0}")

    def state(self, pool: Any) -> State:
        """From the pool's own lists."""
        taken_from = getattr(pool, "pool", None)  # of one that blocks, but not of asyncio's later
        if taken_from is not None:
            queue = taken_from.queue if hasattr(taken_from, "queue") else taken_from._queue
            idle = sum(1 for one in list(queue) if one is not None)  # None is room for one
            used = len(pool._connections) - idle
        else:
            idle, used = len(pool._available_connections), len(pool._in_use_connections)
        most = pool.max_connections
        return State(max(0, used), idle, most if most < 1 << 31 else None)

    def is_timeout(self, error: BaseException) -> bool:
        """Whether a pool that blocks had none in time, or one that does not has no more."""
        return "No connection available" in str(error) or "Too many connections" in str(error)
