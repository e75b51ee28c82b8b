"""asyncpg's pools.

Beside opentelemetry-instrumentation-asyncpg, which makes a span of each statement.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from opentelemetry.instrumentation.qudag.adapters._adapter import after_init
from opentelemetry.instrumentation.qudag.adapters._pools import PoolAdapter, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["AsyncpgPoolInstrumentor"]


class AsyncpgPoolInstrumentor(PoolAdapter):
    """Watches asyncpg's pools until they are closed: `instrument()` those to come, `watch` one."""

    requires = ("asyncpg >= 0.29, < 1",)
    timeouts = (TimeoutError,)

    def hooks(self) -> Iterable[tuple[Any, str, Any]]:
        """Pools that are made and closed, and connections that are given and taken back."""
        from asyncpg.pool import Pool, PoolConnectionHolder

        yield Pool, "__init__", after_init(self._made, given=True)
        yield PoolConnectionHolder, "connect", self.opening_later
        yield Pool, "_acquire", self.getting_later
        yield Pool, "release", self.giving
        yield Pool, "close", self._leaving
        yield Pool, "terminate", self._leaving

    def watch(self, pool: object, name: str = "asyncpg") -> None:
        """Watch a pool.

        Args:
            pool: The pool, held until it is closed.
            name: Its name; of one that `instrument()` saw, where it connects to.
        """
        super().watch(pool, name)

    def state(self, pool: Any) -> State:
        """From the pool's own counts."""
        idle, size = pool.get_idle_size(), pool.get_size()
        return State(size - idle, idle, pool.get_max_size(), None, pool.get_min_size())

    def pool_of(self, owner: Any) -> Any:
        """The pool of the place that a connection takes in it."""
        return owner._pool

    def lasting(self, connection: Any) -> Any:
        """The connection behind the proxy, which is made anew for each use."""
        return getattr(connection, "_con", connection)

    def _made(self, pool: Any, *args: Any, **kwargs: Any) -> None:
        url = urlsplit(args[0] if args and isinstance(args[0], str) else "")
        host = kwargs.get("host") or url.hostname or "localhost"
        port = kwargs.get("port") or url.port or 5432
        database = kwargs.get("database") or url.path.lstrip("/")
        self.watch(pool, f"{host}:{port}/{database}" if database else f"{host}:{port}")

    def _leaving(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def leave(pool: Any, *args: Any, **kwargs: Any) -> Any:
            self.pools.remove(pool)
            return original(pool, *args, **kwargs)

        return leave
