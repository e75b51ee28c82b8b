"""OTLP's requests and responses of the three signals: counted, split, judged, as JSON.

Source: opentelemetry-proto, `opentelemetry/proto/collector/*/v1/*_service.proto`; OpenTelemetry
Protocol specification, "Partial Success" and "JSON Protobuf Encoding".
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as traces

from qudag_otel.sdk.export.failures import Failure, NotDelivered, shortened

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class _Words:
    """What one signal calls its messages and fields."""

    request: type[Any]
    response: type[Any]
    resources: str
    scopes: str
    items: str
    rejected: str


_SIGNALS: Final = {
    "traces": _Words(
        traces.ExportTraceServiceRequest, traces.ExportTraceServiceResponse,
        "resource_spans", "scope_spans", "spans", "rejected_spans",
    ),
    "metrics": _Words(
        metrics.ExportMetricsServiceRequest, metrics.ExportMetricsServiceResponse,
        "resource_metrics", "scope_metrics", "metrics", "rejected_data_points",
    ),
    "logs": _Words(
        logs.ExportLogsServiceRequest, logs.ExportLogsServiceResponse,
        "resource_logs", "scope_logs", "log_records", "rejected_log_records",
    ),
}  # fmt: skip
REQUESTS: Final = {signal: words.request for signal, words in _SIGNALS.items()}
RESPONSES: Final = {signal: words.response for signal, words in _SIGNALS.items()}
_IDS: Final = frozenset({"traceId", "spanId", "parentSpanId"})


def judge(signal: str, content: bytes) -> str:
    """Read a response.

    Args:
        signal: The signal.
        content: The response, as protobuf.

    Returns:
        What the receiver warns of; empty if it does not.

    Raises:
        NotDelivered: It rejected some items, or this is no response.
    """
    words = _SIGNALS[signal]
    try:
        partial = words.response.FromString(content).partial_success
    except DecodeError:
        raise NotDelivered(
            0, Failure("unexpected_answer", "the answer is no OTLP response")
        ) from None
    message = shortened(partial.error_message)
    rejected = getattr(partial, words.rejected)
    if rejected:
        raise NotDelivered(
            rejected, Failure("rejected", f"rejected by the receiver: {message or 'no reason'}")
        )
    return message


def _leaves(signal: str, message: Any) -> Iterator[tuple[Any, Any, Any]]:
    words = _SIGNALS[signal]
    for resource in getattr(message, words.resources):
        for scope in getattr(resource, words.scopes):
            for item in getattr(scope, words.items):
                yield resource, scope, item


def _points(metric: Any) -> Any:
    kind = metric.WhichOneof("data")
    return getattr(metric, kind).data_points if kind else ()


def count(signal: str, body: bytes) -> int:
    """How many spans, data points or records are in a request."""
    message = _SIGNALS[signal].request.FromString(body)
    if signal == "metrics":
        return sum(len(_points(metric)) for _, _, metric in _leaves(signal, message))
    return sum(1 for _ in _leaves(signal, message))


def halves(signal: str, body: bytes) -> tuple[bytes, ...]:
    """Split a request in two; what cannot be split comes back as it is."""
    words = _SIGNALS[signal]
    message = words.request.FromString(body)
    items = list(_leaves(signal, message))
    if len(items) == 1 and signal == "metrics":
        return _halves_of_points(message, items[0][2])
    half = len(items) // 2
    if not half:
        return (body,)
    return tuple(_request(words, part) for part in (items[:half], items[half:]))


def _request(words: _Words, items: list[tuple[Any, Any, Any]]) -> bytes:
    request: Any = words.request()
    resource = scope = into_resource = into_scope = None
    for from_resource, from_scope, item in items:
        if from_resource is not resource:
            resource, scope = from_resource, None
            into_resource = getattr(request, words.resources).add()
            into_resource.resource.CopyFrom(resource.resource)
            into_resource.schema_url = resource.schema_url
        if from_scope is not scope:
            scope = from_scope
            into_scope = getattr(into_resource, words.scopes).add()
            into_scope.scope.CopyFrom(scope.scope)
            into_scope.schema_url = scope.schema_url
        getattr(into_scope, words.items).append(item)
    content: bytes = request.SerializeToString()
    return content


def _halves_of_points(message: Any, metric: Any) -> tuple[bytes, ...]:
    points = _points(metric)
    every = list(points)
    half = len(every) // 2
    if not half:
        return (message.SerializeToString(),)
    parts: list[bytes] = []
    for part in (every[:half], every[half:]):
        del points[:]
        points.extend(part)
        parts.append(message.SerializeToString())
    return tuple(parts)


def as_json(signal: str, body: bytes) -> bytes:
    """A request in OTLP's JSON: ids in hexadecimal, enumerations as numbers."""
    from google.protobuf.json_format import MessageToDict

    message = _SIGNALS[signal].request.FromString(body)
    found = MessageToDict(message, use_integers_for_enums=True)
    return json.dumps(_hexadecimal(found), separators=(",", ":")).encode()


def _hexadecimal(value: Any) -> Any:
    if isinstance(value, list):
        return [_hexadecimal(item) for item in value]  # pyright: ignore[reportUnknownVariableType] - JSON
    if not isinstance(value, dict):
        return value
    pairs: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType] - JSON
    return {
        key: base64.b64decode(inner).hex() if key in _IDS else _hexadecimal(inner)
        for key, inner in pairs.items()
    }
