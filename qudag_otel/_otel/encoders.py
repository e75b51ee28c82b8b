"""OpenTelemetry's encoders of OTLP; the one of log records has no public name yet."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable

_PACKAGE: Final = "opentelemetry.exporter.otlp.proto.common"
_ENCODERS: Final = {
    "traces": (("trace_encoder",), "encode_spans"),
    "metrics": (("metrics_encoder",), "encode_metrics"),
    "logs": (("log_encoder", "_log_encoder"), "encode_logs"),
}


def encoder(signal: str) -> Callable[[Any], bytes]:
    """Load what makes the request of a batch.

    Args:
        signal: "traces", "metrics" or "logs".

    Raises:
        ImportError: The installed release has no such encoder.
    """
    modules, name = _ENCODERS[signal]
    encode: Callable[[Any], Any] = getattr(_first(modules), name)

    def request(batch: Any) -> bytes:
        made = encode(batch)
        if signal == "metrics":
            _without_extremes(made)
        content: bytes = made.SerializeToString()
        return content

    return request


def _without_extremes(request: Any) -> None:
    """A distribution of nothing has no least and no greatest value; the SDK's are infinities."""
    for resource in request.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.histogram.data_points:
                    if not point.count:
                        point.ClearField("min")
                        point.ClearField("max")


def _first(modules: tuple[str, ...]) -> Any:
    for name in modules[:-1]:
        try:
            return importlib.import_module(f"{_PACKAGE}.{name}")
        except ImportError:
            continue
    return importlib.import_module(f"{_PACKAGE}.{modules[-1]}")
