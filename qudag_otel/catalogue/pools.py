"""Metrics of connection pools and HTTP clients, as OpenTelemetry names them.

Source: OpenTelemetry semantic conventions, "Database client metrics", "HTTP metrics".
"""

from __future__ import annotations

from typing import Final

from qudag_otel.catalogue._model import Attribute, Group, Instrument, Metric
from qudag_otel.catalogue.metrics import SHORT_SECONDS

POOL_NAME: Final = Attribute(
    key="db.client.connection.pool.name",
    description="The pool: its own name, or where it connects to.",
    example="db.example:5432/shop",
)
STATE: Final = Attribute(
    key="db.client.connection.state",
    description="Whether a connection is in use or waits in the pool.",
    values=("used", "idle"),
)
HTTP_STATE: Final = Attribute(
    key="http.connection.state",
    description="Whether a connection carries a request or waits for one.",
    values=("active", "idle"),
)


def _pool(
    name: str,
    instrument: Instrument,
    unit: str,
    description: str,
    *attributes: Attribute,
    bounds: tuple[float, ...] = (),
) -> Metric:
    return Metric(
        name=f"db.client.connection.{name}",
        instrument=instrument,
        unit=unit,
        description=description,
        group=Group.POOL,
        attributes=(POOL_NAME, *attributes),
        bounds=bounds,
        asynchronous=instrument is Instrument.UP_DOWN_COUNTER,
        minimum=0 if instrument is Instrument.UP_DOWN_COUNTER else None,
        workers="sum",
    )


_NOW: Final = Instrument.UP_DOWN_COUNTER
COUNT: Final = _pool("count", _NOW, "{connection}", "Connections, by state.", STATE)
IDLE_MAX: Final = _pool("idle.max", _NOW, "{connection}", "Idle connections that are kept.")
IDLE_MIN: Final = _pool("idle.min", _NOW, "{connection}", "Idle connections that are held ready.")
MAX: Final = _pool("max", _NOW, "{connection}", "Connections that may be open.")
PENDING: Final = _pool(
    "pending_requests", _NOW, "{request}", "Requests that wait for a connection."
)
TIMEOUTS: Final = _pool(
    "timeouts", Instrument.COUNTER, "{timeout}", "Requests that waited for a connection in vain."
)
CREATE_TIME: Final = _pool(
    "create_time", Instrument.HISTOGRAM, "s", "Time to open a connection.", bounds=SHORT_SECONDS
)
WAIT_TIME: Final = _pool(
    "wait_time", Instrument.HISTOGRAM, "s", "Time to get an open connection from the pool.",
    bounds=SHORT_SECONDS,
)  # fmt: skip
USE_TIME: Final = _pool(
    "use_time", Instrument.HISTOGRAM, "s", "Time from getting a connection to giving it back.",
    bounds=SHORT_SECONDS,
)  # fmt: skip
OPEN_CONNECTIONS: Final = Metric(
    name="http.client.open_connections",
    instrument=_NOW,
    unit="{connection}",
    description="Connections of HTTP clients, by state and server.",
    group=Group.POOL,
    attributes=(
        HTTP_STATE,
        Attribute(key="server.address", description="The server's host.", example="api.example"),
        Attribute(key="server.port", description="The server's port.", example="443"),
    ),
    asynchronous=True,
    minimum=0,
    workers="sum",
)

POOL_METRICS: Final = (
    COUNT,
    IDLE_MAX,
    IDLE_MIN,
    MAX,
    PENDING,
    TIMEOUTS,
    CREATE_TIME,
    WAIT_TIME,
    USE_TIME,
    OPEN_CONNECTIONS,
)
"""Every metric of pools by OpenTelemetry's names."""
