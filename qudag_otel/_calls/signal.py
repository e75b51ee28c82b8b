"""Exceptions as log records, which the conventions prefer to events of spans.

`OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN` chooses: `logs` for records alone, `logs/dup` for both, and
without it events as before.

Source: OpenTelemetry semantic conventions, "Semantic conventions for exceptions".
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

from opentelemetry._logs import LogRecord, SeverityNumber, get_logger
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, set_span_in_context

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import SpanContext

    from qudag_otel._calls.failure import Failure

VARIABLE: Final = "OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN"
_SCOPE: Final = "qudag_otel"


class Signals:
    """Where the exceptions of calls are recorded."""

    def __init__(self) -> None:
        self.events = True
        self.logs = False
        self.choose(os.environ)

    def choose(self, environ: Mapping[str, str]) -> None:
        """Read the choice; of both values, the one that keeps more counts."""
        wanted = {word.strip().lower() for word in environ.get(VARIABLE, "").split(",")}
        self.logs = bool(wanted & {"logs", "logs/dup"})
        self.events = not self.logs or "logs/dup" in wanted


SIGNALS: Final = Signals()


def emit(failure: Failure, span: SpanContext) -> None:
    """Emit the record of an exception that ended a call, once for all calls that it passes.

    Args:
        failure: The exception.
        span: The call's span.
    """
    if failure.reference:
        return
    get_logger(_SCOPE).emit(
        LogRecord(
            timestamp=time.time_ns(),
            context=set_span_in_context(NonRecordingSpan(span), Context()),
            severity_number=SeverityNumber.ERROR,
            severity_text="ERROR",
            body=failure.description,
            attributes={
                "exception.type": failure.type,
                "exception.message": failure.message,
                "exception.stacktrace": failure.stacktrace,
            },
        )
    )
