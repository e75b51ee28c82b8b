"""Log records as lines: one JSON object each, or readable text."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime
from typing import Final

from opentelemetry import trace

from qudag_otel._logs_fields import metadata, text
from qudag_otel.catalogue.spans import COMPONENT, NODE, OPERATION, RECORD

# The key in a line, and the field of the record it is read from.
_CONTEXT: Final = {
    "node": NODE.key,
    "component": COMPONENT.key,
    "operation": OPERATION.key,
    "record": RECORD.key,
}


def fields(record: logging.LogRecord) -> dict[str, object]:
    """A record as plain data; what it does not have is left out.

    Trace and span id are those of the span that is current where the record is formatted.
    """
    found: dict[str, object] = {
        "timestamp": timestamp(record.created),
        "level": record.levelname.lower(),
        "logger": record.name,
        "message": _message(record),
    }
    for key, attribute in _CONTEXT.items():
        value = getattr(record, attribute, None)
        if value is not None:
            found[key] = value
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        found["trace_id"] = trace.format_trace_id(span.trace_id)
        found["span_id"] = trace.format_span_id(span.span_id)
    rest = metadata(record)
    if rest:
        found["metadata"] = rest
    return found


def timestamp(seconds: float) -> str:
    """A time in UTC as ISO 8601 writes it, to the millisecond.

    Args:
        seconds: The time in seconds since the epoch.
    """
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    except Exception:  # noqa: BLE001 - a %-format that does not fit its values is still worth a line
        return text(record.msg)


class JsonFormatter(logging.Formatter):
    """Formats any record of `logging` as one line of JSON.

    Keys: timestamp (UTC), level, logger, message, and where there are any node, component,
    operation, record (the kind of a special record), trace_id, span_id, metadata, exception.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        found = fields(record)
        if record.exc_info:
            found["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            found["stack"] = self.formatStack(record.stack_info)
        return json.dumps(found, ensure_ascii=False, separators=(",", ":"))


class TextFormatter(logging.Formatter):
    """Formats any record of `logging` as a readable line, its metadata as key=value."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line, with the traceback below it."""
        found = fields(record)
        source = str(found.get("component", found["logger"]))
        if "operation" in found:
            source += f".{found['operation']}"
        line = f"{found['timestamp']} {record.levelname:<8} {source}: {_one_line(found['message'])}"
        pairs = metadata(record)
        pairs.update((key, found[key]) for key in ("node", "trace_id", "span_id") if key in found)
        for key, value in pairs.items():
            line += f" {_one_line(key)}={_shown(value)}"
        if record.exc_info:
            line += "\n" + self.formatException(record.exc_info)
        if record.stack_info:
            line += "\n" + self.formatStack(record.stack_info)
        return line


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str) and value and value.isprintable() and not set(value) & set(' ="'):
        return value
    return json.dumps(value, ensure_ascii=False)


def _one_line(value: object) -> str:
    """Text without line ends and other control characters, so that no message fakes a line."""
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in str(value)
    )
