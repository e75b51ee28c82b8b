"""Processors of the application's own that only want to see ended spans.

They are given them by a thread of ours, soon after: no call is slower because somebody follows.
A processor that wants to see a span start, or that exports each one at once, is not among them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import (
    BatchSpanProcessor,
    SimpleSpanProcessor,
    SpanExporter,
    SpanExportResult,
)

from qudag_otel._calls.failure import text_of
from qudag_otel._foreign import interrupts
from qudag_otel._warnings import warn_once
from qudag_otel.sdk.export.batch import BatchSpans
from qudag_otel.sdk.export.exporting import Exporting
from qudag_otel.sdk.fast.call import FastSpan
from qudag_otel.sdk.fast.ended import EndedSpan

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk.trace import ReadableSpan

DELAY_SECONDS: Final = 0.2
_SIZE: Final = 512
_LIMIT: Final = 20_000


def follows(processor: SpanProcessor) -> bool:
    """Whether a processor only wants ended spans, and does not mind when it gets them."""
    kind: Any = type(processor)
    if kind is BatchSpanProcessor:  # its `on_start` does nothing
        return True
    quiet = all(
        getattr(kind, name, None) is getattr(SpanProcessor, name, None)
        for name in ("on_start", "_on_ending")
    )
    return quiet and not isinstance(processor, (SimpleSpanProcessor, BatchSpans))


class Followers(SpanExporter):
    """Hands spans to processors, as an exporter.

    Args:
        processors: Who gets them; some may be added.
    """

    def __init__(self, processors: list[SpanProcessor]) -> None:
        self._processors = processors

    def export(self, spans: Sequence[ReadableSpan | FastSpan]) -> SpanExportResult:
        """Hand spans over."""
        for span in spans:
            ended = EndedSpan(span) if isinstance(span, FastSpan) else span
            for processor in self._processors:
                try:
                    processor.on_end(ended)
                except BaseException as error:  # the others shall get it all the same
                    if interrupts(error):
                        raise
                    name = type(processor).__name__
                    warn_once(
                        f"processor:{name}:{type(error).__name__}",
                        "the span processor %s failed: %s", name, text_of(error),
                    )  # fmt: skip
        return SpanExportResult.SUCCESS


def following(processors: list[SpanProcessor]) -> BatchSpans:
    """The queue and thread behind processors that follow."""
    export = Exporting(lambda: Followers(processors), "traces", "span processors", "processor")
    return BatchSpans(export, delay=DELAY_SECONDS, size=_SIZE, limit=_LIMIT, timeout=10.0)
