"""SQLAlchemy's pools, also under its asyncio engines.

Beside opentelemetry-instrumentation-sqlalchemy, which makes a span of each statement and, of
pools, the former `db.client.connections.usage` alone.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.qudag.adapters._adapter import after_init, guarded
from opentelemetry.instrumentation.qudag.adapters._pools import Pool, PoolAdapter, State

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["SqlalchemyPoolInstrumentor"]

_SEEN = "qudag_otel.seen"
_BEGAN = "qudag_otel.began"


class SqlalchemyPoolInstrumentor(PoolAdapter):
    """Watches the pools of all engines: `instrument()` those to come, `watch` one that is there."""

    requires = ("sqlalchemy >= 2.0, < 3",)
    counts = False

    def hooks(self) -> Iterable[tuple[Any, str, Any]]:
        """Engines that are made and disposed of, and requests for connections."""
        from sqlalchemy import exc
        from sqlalchemy.engine import Engine
        from sqlalchemy.pool import Pool as Watched

        self.timeouts = (exc.TimeoutError,)
        yield Engine, "__init__", after_init(self.watch)
        yield Engine, "dispose", self._renewing
        yield Watched, "connect", self.getting

    def watch(self, pool: Any, name: str | None = None) -> None:
        """Watch an engine's pool; not one that keeps no connections.

        Args:
            pool: Its engine, or asyncio engine.
            name: The pool's name; by default where it connects to, or its logging name.
        """
        engine = getattr(pool, "sync_engine", pool)
        if self.pools.find(engine.pool) is None and hasattr(engine.pool, "checkedout"):
            super().watch(engine.pool, name or engine.pool.logging_name or _place(engine.url))
            kept = self.pools.find(engine.pool)
            if kept is not None:
                _listen(engine, engine.pool, kept)

    def state(self, pool: Any) -> State:
        """From the pool's own counts."""
        overflow = getattr(pool, "_max_overflow", -1)
        most = None if overflow < 0 else pool.size() + overflow
        return State(pool.checkedout(), pool.checkedin(), most, pool.size() or None)

    def lasting(self, connection: Any) -> None:
        """None: the pool's events tell of its use."""

    def _renewing(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def dispose(engine: Any, *args: Any, **kwargs: Any) -> Any:
            before = engine.pool
            done = original(engine, *args, **kwargs)
            kept = self.pools.find(before)
            if kept is not None and engine.pool is not before:
                self.pools.remove(before)
                self.pools.add(engine.pool, kept)  # its listeners came along
            return done

        return dispose


def _place(url: Any) -> str:
    """Where an engine connects to, as the conventions name a pool; without user and password."""
    host = f"{url.host}:{url.port}" if url.port else url.host
    return "/".join(part for part in (host or url.get_backend_name(), url.database) if part)


def _listen(engine: Any, pool: Any, kept: Pool) -> None:
    from sqlalchemy import event

    def connecting(_dialect: Any, record: Any, *_: Any) -> None:
        record.record_info[_BEGAN] = time.perf_counter()

    def connected(_: Any, record: Any) -> None:
        began = record.record_info.pop(_BEGAN, None)
        if began is not None:
            kept.opened(time.perf_counter() - began)

    def checked_out(_: Any, record: Any, _proxy: Any) -> None:
        kept.asked(hit=_SEEN in record.info)
        record.info[_SEEN] = True
        kept.taken(record)

    def checked_in(_: Any, record: Any) -> None:
        kept.given_back(record)

    def safe(listener: Callable[..., None]) -> Callable[..., None]:
        return lambda *args: guarded(listener, *args)

    event.listen(engine, "do_connect", safe(connecting))
    event.listen(pool, "connect", safe(connected))
    event.listen(pool, "checkout", safe(checked_out))
    event.listen(pool, "checkin", safe(checked_in))
