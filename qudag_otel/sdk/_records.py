"""Log records in a light form: what logging made, until it is encoded on the exporter's thread.

A record of the API costs its caller several times as much, for processors that most applications
do not have. Where there is one, the light record becomes one of the API.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from qudag_otel._logs_fields import body, failure, given
from qudag_otel._otel.context import CURRENT, SPAN_KEY
from qudag_otel._redact import exportable, mask, safe_text

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from opentelemetry.context import Context
    from opentelemetry.sdk._logs import LogRecordProcessor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.trace import SpanContext

    from qudag_otel._calls.failure import Failure

# OpenTelemetry's names of levels that the standard library calls otherwise.
_LEVEL_NAMES: Final = {"WARNING": "WARN", "CRITICAL": "FATAL"}
_AS_IT_IS: Final = frozenset({str, bool, int, float, type(None)})
EVENT_NAME: Final = "otel.event.name"
"""The field that becomes a record's event name. Source: semantic conventions, `otel.event.name`."""


class Place(NamedTuple):
    """Where in the code a record was logged, and how severe it is."""

    path: str
    line: int
    function: str
    level: int
    level_name: str

    def usual(self) -> Place:
        """The same with what is no text or number made one."""
        return Place(
            _word(self.path), _count(self.line), _word(self.function), _count(self.level),
            _word(self.level_name),
        )  # fmt: skip


_USUAL: Final = (str, int, str, int, str)


class LightRecord:
    """A record on its way; its texts are not masked yet.

    Args:
        record: The record of the standard library.
        resource: What produced it.
    """

    __slots__ = (
        "body", "context", "created", "event_name", "failure", "fields", "name", "observed",
        "place", "resource", "span",
    )  # fmt: skip

    def __init__(self, record: logging.LogRecord, resource: Resource) -> None:
        self.resource = resource
        # Any of these may be anything: a record can be made by hand.
        name = record.name
        self.name = name if name.__class__ is str else _word(name)
        self.place = Place(
            record.pathname, record.lineno, record.funcName, record.levelno, record.levelname
        )
        if tuple(map(type, self.place)) != _USUAL:
            self.place = self.place.usual()
        self.created = int(record.created * 1e9)
        self.observed = time.time_ns()
        message = record.msg
        # A text without values is masked when it is encoded; what can change is copied now.
        self.body: Any = message if message.__class__ is str and not record.args else body(record)
        self.fields: list[tuple[str, Any]] = [
            (key, value if value.__class__ in _AS_IT_IS else exportable(value, name=key))
            for key, value in given(record)
        ]
        self.event_name = ""
        self.failure: Failure | None = None
        if record.exc_info or EVENT_NAME in record.__dict__:
            self._more(record)
        self.context: Context = CURRENT.get()
        self.span: Any = self.context.get(SPAN_KEY)

    def _more(self, record: logging.LogRecord) -> None:
        name = record.__dict__.get(EVENT_NAME)
        if name is not None:
            self.event_name = mask(str(exportable(name)))
            self.fields = [pair for pair in self.fields if pair[0] != EVENT_NAME]
        found = failure(record)
        if found is not None:
            self.failure = found

    def described(self) -> list[tuple[str, Any]]:
        """Its fields, with what the conventions say of an exception; nothing masked yet.

        Source: OpenTelemetry semantic conventions, exceptions in logs.
        """
        found = self.failure
        if found is None:
            return self.fields
        return [
            *self.fields,
            ("exception.type", found.type),
            ("exception.message", found.message),
            ("exception.stacktrace", found.stacktrace),
        ]

    def ids(self) -> SpanContext | None:
        """The ids of the span that was current; None if there was none."""
        if self.span is None:
            return None
        found: SpanContext = self.span.get_span_context()
        return found if found.trace_id and found.span_id else None

    def of_api(self) -> LogRecord:
        """The same as a record of the API, masked."""
        attributes: dict[str, Any] = {
            mask(key): exportable(value, name=key) for key, value in self.described()
        }
        place = self.place
        attributes["code.file.path"] = mask(place.path)
        attributes["code.function.name"] = mask(place.function)
        attributes["code.line.number"] = place.line
        return LogRecord(
            timestamp=self.created,
            observed_timestamp=self.observed,
            context=self.context,
            severity_number=severity(place.level),
            severity_text=severity_text(place.level_name),
            body=mask(self.body) if isinstance(self.body, str) else self.body,
            attributes=attributes,
            event_name=self.event_name or None,
        )

    def readable(self) -> ReadableLogRecord:
        """The same as exporters of the SDK know it."""
        return ReadableLogRecord(
            log_record=self.of_api(),
            resource=self.resource,
            instrumentation_scope=InstrumentationScope(mask(self.name)),
        )


def _word(value: object) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else safe_text(value)


def _count(value: object) -> int:
    return value if isinstance(value, int) and abs(value) < 1 << 31 else 0


def severity(level: int) -> SeverityNumber:
    """Translate a level: ten of the standard library's are four of OpenTelemetry's."""
    if level <= 0:
        return SeverityNumber.UNSPECIFIED
    tens = min(level // 10, 5)
    return SeverityNumber(4 * tens + 1 + min(level - 10 * tens, 3))


def severity_text(level_name: str) -> str:
    """Translate a level's name."""
    return _LEVEL_NAMES.get(level_name) or mask(level_name)


class OurLoggerProvider(LoggerProvider):
    """The SDK's, which tells when the application adds a processor to it."""

    when_extended: Callable[[], None] | None = None

    def add_log_record_processor(self, log_record_processor: LogRecordProcessor) -> None:
        """Add a processor; it sees every record that is emitted from now on."""
        super().add_log_record_processor(log_record_processor)
        if self.when_extended is not None:
            self.when_extended()
