"""Exporters that take finished calls beside the SDK's spans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from qudag_otel.sdk.export import redacting
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
        calls: list[FastSpan] = []
        others: list[ReadableSpan] = []
        for span in spans:
            if not isinstance(span, FastSpan):
                others.append(span)
            elif span.more is None and span.outcome is None and span.given is None:
                calls.append(span)
            else:
                others.append(redacting.span(span.site.readable(span)))
        result: SpanExportResult
        send = getattr(self._exporter, "export_encoded", None)
        if not calls or send is None:
            others += [redacting.span(call.site.readable(call)) for call in calls]
            result = self._exporter.export(others)
        else:
            result = send(encode(calls, others, calls[0].site.engine.wall), len(spans))
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
