"""Exporters that take finished calls beside the SDK's spans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from qudag_otel.sdk.fast.call import FastSpan
from qudag_otel.sdk.fast.encode import encode

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan


class CallExporter(SpanExporter):
    """Gives calls to an exporter: encoded where it takes bytes, else as the SDK's spans.

    Args:
        exporter: An exporter of the SDK.
    """

    def __init__(self, exporter: Any) -> None:
        self._exporter = exporter

    def export(self, spans: Sequence[ReadableSpan | FastSpan]) -> SpanExportResult:
        """Export a batch."""
        calls = [span for span in spans if isinstance(span, FastSpan)]
        others = [span for span in spans if not isinstance(span, FastSpan)]
        result: SpanExportResult
        send = getattr(self._exporter, "export_encoded", None)
        if not calls or send is None:
            others += [call.site.readable(call) for call in calls]
            result = self._exporter.export(others)
        else:
            result = send(encode(calls, others, calls[0].site.engine.wall), len(spans))
        return result

    def shutdown(self) -> None:
        """End the exporter."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits here."""
        del timeout_millis
        return True


def http_exporter(**arguments: Any) -> Any:
    """The SDK's OTLP/HTTP span exporter, with `export_encoded` where this release allows it."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    class Exporter(OTLPSpanExporter):
        def export_encoded(self, request: bytes, items: int) -> SpanExportResult:
            client: Any = self._client
            with self._metrics.export_operation(items) as operation:
                result = client.export(request)
                if result.success:
                    return SpanExportResult.SUCCESS
                operation.error = result.error
                return SpanExportResult.FAILURE

    made = Exporter(**arguments)
    if hasattr(getattr(made, "_client", None), "export"):
        return made
    return OTLPSpanExporter(**arguments)


def grpc_exporter(**arguments: Any) -> Any:
    """The SDK's OTLP/gRPC span exporter, with `export_encoded` where this release allows it."""
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    class Exporter(OTLPSpanExporter):
        def _translate_data(self, data: Any) -> ExportTraceServiceRequest:
            if isinstance(data, _Encoded):
                return ExportTraceServiceRequest.FromString(data.request)
            return super()._translate_data(data)

        def _count_data(self, data: Any) -> int:
            return data.items if isinstance(data, _Encoded) else len(data)

        def export_encoded(self, request: bytes, items: int) -> SpanExportResult:
            encoded: Any = _Encoded(request, items)
            return self.export(encoded)

    if hasattr(OTLPSpanExporter, "_translate_data") and hasattr(OTLPSpanExporter, "_count_data"):
        return Exporter(**arguments)
    return OTLPSpanExporter(**arguments)


class _Encoded:
    """A request that is encoded already."""

    def __init__(self, request: bytes, items: int) -> None:
        self.request = request
        self.items = items
