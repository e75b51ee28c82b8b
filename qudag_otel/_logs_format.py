"""Log records as lines: one JSON object each, or readable text. Secrets are masked in both."""

from __future__ import annotations

import json
import logging
import time
from json.encoder import encode_basestring
from typing import Final

from opentelemetry import trace

from qudag_otel._logs_fields import body, exception, metadata
from qudag_otel._redact import attribute, exportable, mask
from qudag_otel.catalogue.spans import COMPONENT, NODE, OPERATION, RECORD

# The key in a line, and the field of the record it is read from.
_CONTEXT: Final = (
    ("node", NODE.key),
    ("component", COMPONENT.key),
    ("operation", OPERATION.key),
    ("record", RECORD.key),
)
_quote = encode_basestring
_second: tuple[int, str] = (0, "")


def timestamp(seconds: float) -> str:
    """A time in UTC as ISO 8601 writes it, to the millisecond.

    Args:
        seconds: The time in seconds since the epoch.
    """
    global _second  # noqa: PLW0603 - most lines are of the same second as the one before
    whole = int(seconds)
    known, text = _second
    if known != whole:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
        _second = whole, text
    return f"{text}.{int((seconds - whole) * 1000):03d}Z"


def _ids() -> tuple[str, str] | None:
    """Trace and span id of the span that is current where the record is formatted."""
    span = trace.get_current_span()
    if span is trace.INVALID_SPAN:
        return None
    found = span.get_span_context()
    if not found.trace_id or not found.span_id:
        return None
    return f"{found.trace_id:032x}", f"{found.span_id:016x}"


class JsonFormatter(logging.Formatter):
    """Formats any record of `logging` as one line of JSON.

    Keys: timestamp (UTC), level, logger, message, and where there are any node, component,
    operation, record (the kind of a special record), trace_id, span_id, metadata, exception,
    stack. A mapping or list that was logged as the message stays one.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        line = (
            f'{{"timestamp":"{timestamp(record.created)}",'
            f'"level":{_quote(mask(record.levelname.lower()))},'
            f'"logger":{_quote(mask(record.name))},"message":{_json("", body(record))}'
        )
        fields = record.__dict__
        for key, name in _CONTEXT:
            value = fields.get(name)
            if value is not None:
                line += f',"{key}":{_json(name, value)}'
        ids = _ids()
        if ids:
            line += f',"trace_id":"{ids[0]}","span_id":"{ids[1]}"'
        rest = metadata(record)
        if rest:
            pairs = ",".join([f"{_quote(mask(key))}:{_json(key, value)}" for key, value in rest])
            line += f',"metadata":{{{pairs}}}'
        if record.exc_info:
            line += f',"exception":{_quote(exception(record))}'
        if record.stack_info:
            line += f',"stack":{_quote(mask(record.stack_info))}'
        return line + "}"


class TextFormatter(logging.Formatter):
    """Formats any record of `logging` as a readable line, its metadata as key=value."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line, with the traceback below it."""
        fields = record.__dict__
        source = mask(str(fields.get(COMPONENT.key, record.name)))
        if OPERATION.key in fields:
            source += f".{_one_line(attribute(OPERATION.key, fields[OPERATION.key]))}"
        message = body(record)
        shown = message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)
        line = (
            f"{timestamp(record.created)} {_one_line(mask(record.levelname)):<8} "
            f"{_one_line(source)}: {_one_line(shown)}"
        )
        pairs = metadata(record)
        if fields.get(NODE.key) is not None:
            pairs.append(("node", fields[NODE.key]))
        pairs.extend(zip(("trace_id", "span_id"), _ids() or (), strict=False))
        for key, value in pairs:
            line += f" {_one_line(mask(key))}={_shown(exportable(value, name=key))}"
        if record.exc_info:
            line += "\n" + exception(record)
        if record.stack_info:
            line += "\n" + mask(record.stack_info)
        return line


def _json(name: str, value: object) -> str:
    """A value as JSON, masked by its name and by its text."""
    kind = value.__class__
    if kind is str or kind is int:
        found = attribute(name, value)
        return _quote(found) if isinstance(found, str) else str(found)
    if kind is bool:
        return "true" if value else "false"
    return json.dumps(exportable(value, name=name), ensure_ascii=False, separators=(",", ":"))


def _shown(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, str) and value and value.isprintable() and not set(value) & set(' ="'):
        return value
    return json.dumps(value, ensure_ascii=False)


def _one_line(value: object) -> str:
    """Text without line ends and other control characters, so that no message fakes a line."""
    text = str(value)
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else repr(character)[1:-1] for character in text
    )
