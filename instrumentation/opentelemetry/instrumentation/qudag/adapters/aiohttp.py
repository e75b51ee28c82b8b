"""aiohttp's client connections: in use, idle, and how long requests wait for one.

Beside opentelemetry-instrumentation-aiohttp-client, which makes a span and a duration of each
request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.qudag.adapters._adapter import after_init
from opentelemetry.instrumentation.qudag.adapters._pools import PoolAdapter, State

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["AiohttpConnectorInstrumentor"]


class AiohttpConnectorInstrumentor(PoolAdapter):
    """Watches connectors: `instrument()` those to come, `watch(connector, name)` one.

    Under QuDAG's names alone: OpenTelemetry's are those of database clients.
    """

    requires = ("aiohttp >= 3.9, < 4",)
    conventions = False

    def hooks(self) -> Iterable[tuple[Any, str, Any]]:
        """Connectors that are made, and connections that they give."""
        from aiohttp.connector import BaseConnector

        yield BaseConnector, "__init__", after_init(self.watch)
        yield BaseConnector, "connect", self.getting_later

    def watch(self, pool: object, name: str = "aiohttp") -> None:
        """Watch a connector.

        Args:
            pool: The connector, held weakly; of a session, `session.connector`.
            name: Its `pool_type`.
        """
        super().watch(pool, name)

    def state(self, pool: Any) -> State:
        """From the connector's own lists."""
        return State(len(pool._acquired), sum(len(one) for one in pool._conns.values()))

    def lasting(self, connection: Any) -> Any:
        """The transport's protocol, which outlives a request."""
        return connection.protocol
