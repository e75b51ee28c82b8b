"""psycopg's pools, sync and asyncio: requests from the pool's own statistics, waits and uses timed.

Beside opentelemetry-instrumentation-psycopg, which makes a span of each statement.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.qudag.adapters._adapter import after_init
from opentelemetry.instrumentation.qudag.adapters._pools import PoolAdapter, State, totals

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["PsycopgPoolInstrumentor"]


class PsycopgPoolInstrumentor(PoolAdapter):
    """Watches psycopg pools: `instrument()` those to come, `watch(pool)` one that is there."""

    requires = ("psycopg-pool >= 3.2, < 4",)
    counts = False

    def hooks(self) -> Iterable[tuple[Any, str, Any]]:
        """Pools that are made, and connections that are given and taken back."""
        library: Any = import_module("psycopg_pool")

        self.timeouts = (library.PoolTimeout,)
        made = after_init(self.watch)
        for pool in (library.ConnectionPool, library.AsyncConnectionPool):
            yield pool, "__init__", made
        yield library.ConnectionPool, "_connect", self.opening
        yield library.AsyncConnectionPool, "_connect", self.opening_later
        yield library.ConnectionPool, "getconn", self.getting
        yield library.ConnectionPool, "putconn", self.giving
        yield library.AsyncConnectionPool, "getconn", self.getting_later
        yield library.AsyncConnectionPool, "putconn", self.giving

    def watch(self, pool: Any, name: str | None = None) -> None:
        """Watch a pool.

        Args:
            pool: A ConnectionPool or AsyncConnectionPool.
            name: Its name; by default its own.
        """
        if self.pools.find(pool) is None:
            super().watch(pool, name or pool.name)
            totals(self.pools, pool, _requests)

    def state(self, pool: Any) -> State:
        """From the pool's statistics."""
        now = pool.get_stats()
        size, idle = now.get("pool_size", 0), now.get("pool_available", 0)
        return State(
            size - idle, idle, now.get("pool_max"), None, now.get("pool_min"),
            now.get("requests_waiting", 0),
        )  # fmt: skip


def _requests(pool: Any) -> tuple[float, float]:
    """Requests that were answered at once, and those that were queued."""
    now = pool.get_stats()
    queued = now.get("requests_queued", 0)
    return now.get("requests_num", 0) - queued, queued
