"""httpcore's connection pools, which are httpx's: connections by state and server.

Beside opentelemetry-instrumentation-httpx, which makes a span and a duration of each request.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.qudag.adapters._adapter import (
    Adapter,
    Members,
    after_init,
    guarded,
    names,
)

from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue import pools as c

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.instrumentation.qudag.adapters._adapter import Observed, Reading

__all__ = ["HttpcorePoolInstrumentor"]

_IDLE, _PLACE, _PORT = c.OPEN_CONNECTIONS.attribute_keys


class HttpcorePoolInstrumentor(Adapter):
    """Watches the pools of httpx and httpcore clients; `watch(pool)` one that is there."""

    requires = ("httpcore >= 1, < 2",)

    def __init__(self) -> None:
        if not hasattr(self, "pools"):
            self.pools: Members[str] = Members("httpcore pools")

    def hooks(self) -> Iterable[tuple[Any, str, Any]]:
        """Pools that are made; proxies' are of these classes, too."""
        import httpcore

        made = after_init(self.watch)
        for pool in (httpcore.ConnectionPool, httpcore.AsyncConnectionPool):
            yield pool, "__init__", made

    def watch(self, pool: object, name: str = "httpcore") -> None:
        """Watch a pool; those of one name are reported together.

        Args:
            pool: The pool, held weakly.
            name: Its `pool_type`.
        """
        self.pools.add(pool, name)

    def observed(self) -> Iterable[Observed]:
        """Connections, under the names that are asked for."""
        qudag, semconv = names()
        if qudag:
            yield m.ACTIVE_CONNECTIONS, self._ours
        if semconv:
            yield c.OPEN_CONNECTIONS, self._theirs

    def end(self) -> None:
        """Read them no more."""
        super().end()
        self.pools.clear()

    def _ours(self) -> Iterable[Reading]:
        found: Counter[tuple[str, bool]] = Counter()
        for pool, name in self.pools:
            found.update({(name, False): 0, (name, True): 0})
            found.update((name, idle) for idle, *_ in guarded(_connections, pool) or ())
        for (name, idle), count in found.items():
            yield {"pool_type": name, "state": "idle" if idle else "active"}, count

    def _theirs(self) -> Iterable[Reading]:
        found = Counter(one for pool, _ in self.pools for one in guarded(_connections, pool) or ())
        for (idle, host, port), count in found.items():
            yield {_IDLE: "idle" if idle else "active", _PLACE: host, _PORT: port}, count


def _connections(pool: Any) -> list[tuple[bool, str, str]]:
    """Of each connection: whether it is idle, its host, its port."""
    found: list[tuple[bool, str, str]] = []
    for one in pool.connections:
        origin = getattr(one, "_origin", None)
        host = origin.host.decode("ascii", "replace") if origin else ""
        found.append((one.is_idle(), host, str(origin.port or "") if origin else ""))
    return found
