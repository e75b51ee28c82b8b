"""Exporters that take finished calls beside the SDK's spans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from qudag_otel.sdk import _redacting as redacting
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
        calls: list[tuple[FastSpan, bytes]] = []
        send = getattr(self._exporter, "export_encoded", None)
        others: list[ReadableSpan] = []
        for span in spans:
            if not isinstance(span, FastSpan):
                others.append(span)
                continue
            values = None if send is None else span.site.values(span)
            if values is None:
                others.append(redacting.span(span.site.readable(span)))
            else:
                calls.append((span, values))
        result: SpanExportResult
        if send is None or not calls:
            result = self._exporter.export(others)
        else:
            result = send(encode(calls, calls[0][0].site.engine.wall), others)
        return result

    def limit(self, deadline: float) -> None:
        """Make every export end before a point on the monotonic clock, where it can be made to."""
        limit = getattr(self._exporter, "limit", None)
        if limit is not None:
            limit(deadline)

    def shutdown(self) -> None:
        """End the exporter."""
        self._exporter.shutdown()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing waits here."""
        del timeout_millis
        return True
