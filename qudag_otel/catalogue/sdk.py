"""Metrics of the SDK itself, as OpenTelemetry names them: what is queued, sent and lost on its way.

Source: OpenTelemetry semantic conventions, "OpenTelemetry SDK metrics".
"""

from __future__ import annotations

from typing import Final

from qudag_otel.catalogue._model import Attribute, Group, Instrument, Metric
from qudag_otel.catalogue.metrics import SHORT_SECONDS

COMPONENT_NAME: Final = Attribute(
    key="otel.component.name",
    description="The queue, exporter or reader: its kind, counted from 0.",
    example="batching_span_processor/0",
)
COMPONENT_TYPE: Final = Attribute(
    key="otel.component.type",
    description="Its kind, as OpenTelemetry names it.",
    example="otlp_grpc_span_exporter",
)
FAILURE: Final = Attribute(
    key="error.type",
    description=(
        "Why it was lost: queue_full, already_shutdown, connection_refused, name_not_found, "
        "timeout, tls_failed, certificate_invalid, rejected, unexpected_answer, a status."
    ),
    example="queue_full",
)
SERVER_ADDRESS: Final = Attribute(
    key="server.address", description="The receiver's host.", example="localhost"
)
SERVER_PORT: Final = Attribute(
    key="server.port", description="The receiver's port.", example="4317"
)
SAMPLING_RESULT: Final = Attribute(
    key="otel.span.sampling_result",
    description="What the sampler said.",
    values=("DROP", "RECORD_ONLY", "RECORD_AND_SAMPLE"),
)
_COMPONENT: Final = (COMPONENT_NAME, COMPONENT_TYPE)
_EXPORTER: Final = (*_COMPONENT, SERVER_ADDRESS, SERVER_PORT)


def _metric(
    name: str,
    instrument: Instrument,
    unit: str,
    description: str,
    attributes: tuple[Attribute, ...],
    bounds: tuple[float, ...] = (),
) -> Metric:
    return Metric(
        name=f"otel.sdk.{name}",
        instrument=instrument,
        unit=unit,
        description=description,
        group=Group.TELEMETRY,
        attributes=attributes,
        bounds=bounds,
        asynchronous=not bounds,
    )


_COUNTER, _UP_DOWN = Instrument.COUNTER, Instrument.UP_DOWN_COUNTER
_ITEMS: Final = {
    "traces": ("span", "{span}", "Spans"),
    "logs": ("log", "{log_record}", "Log records"),
    "metrics": ("metric_data_point", "{data_point}", "Data points"),
}

SPAN_STARTED: Final = _metric(
    "span.started", _COUNTER, "{span}", "Spans that were begun and are recorded.",
    (SAMPLING_RESULT,),
)  # fmt: skip
SPAN_LIVE: Final = _metric(
    "span.live", _UP_DOWN, "{span}", "Recorded spans that have not ended.", (SAMPLING_RESULT,)
)
LOG_CREATED: Final = _metric(
    "log.created", _COUNTER, "{log_record}", "Log records given to a logger that is exported.", ()
)
QUEUE_SIZE: Final = {
    signal: _metric(
        f"processor.{item}.queue.size", _UP_DOWN, unit,
        f"{words} that wait for export, at call sites, too.", _COMPONENT,
    )
    for signal, (item, unit, words) in _ITEMS.items() if signal != "metrics"
}  # fmt: skip
QUEUE_CAPACITY: Final = {
    signal: _metric(
        f"processor.{item}.queue.capacity", _UP_DOWN, unit,
        f"{words} that may wait while the receiver takes none.", _COMPONENT,
    )
    for signal, (item, unit, words) in _ITEMS.items() if signal != "metrics"
}  # fmt: skip
PROCESSED: Final = {
    signal: _metric(
        f"processor.{item}.processed", _COUNTER, unit,
        f"{words} that left the queue for the exporter, or were dropped before it (error_type).",
        (*_COMPONENT, FAILURE),
    )
    for signal, (item, unit, words) in _ITEMS.items() if signal != "metrics"
}  # fmt: skip
IN_FLIGHT: Final = {
    signal: _metric(
        f"exporter.{item}.inflight", _UP_DOWN, unit, f"{words} that are being exported.", _EXPORTER
    )
    for signal, (item, unit, words) in _ITEMS.items()
}
EXPORTED: Final = {
    signal: _metric(
        f"exporter.{item}.exported", _COUNTER, unit,
        f"{words} that the receiver acknowledged, or that were lost on the way (error_type).",
        (*_EXPORTER, FAILURE),
    )
    for signal, (item, unit, words) in _ITEMS.items()
}  # fmt: skip
EXPORT_DURATION: Final = _metric(
    "exporter.operation.duration", Instrument.HISTOGRAM, "s",
    "Time to export one batch, with its retries.", (*_EXPORTER, FAILURE), SHORT_SECONDS,
)  # fmt: skip
COLLECTION_DURATION: Final = _metric(
    "metric_reader.collection.duration", Instrument.HISTOGRAM, "s",
    "Time to collect all metrics once.", _COMPONENT, SHORT_SECONDS,
)  # fmt: skip

SDK_METRICS: Final = (
    SPAN_STARTED,
    SPAN_LIVE,
    LOG_CREATED,
    *QUEUE_SIZE.values(),
    *QUEUE_CAPACITY.values(),
    *PROCESSED.values(),
    *IN_FLIGHT.values(),
    *EXPORTED.values(),
    EXPORT_DURATION,
    COLLECTION_DURATION,
)
"""Every metric of the SDK that is exported."""
