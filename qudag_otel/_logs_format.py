"""Log records as lines: one JSON object each, or readable text. Secrets are masked in both."""

from __future__ import annotations

import json
import logging
import time
from json.encoder import encode_basestring
from typing import Final, TypeVar

from opentelemetry import trace

from qudag_otel._logs_fields import body, exception, given, metadata
from qudag_otel._redact import attribute, exportable, mask
from qudag_otel.catalogue.spans import COMPONENT, NODE, OPERATION, RECORD

# The key in a line, by the field of the record it is read from.
_CONTEXT: Final = {
    NODE.key: "node",
    COMPONENT.key: "component",
    OPERATION.key: "operation",
    RECORD.key: "record",
}
_KEPT: Final = 1000
_SIMPLE: Final = frozenset({str, int, float, bool})
_INFINITE: Final = ("inf", "-inf")
_MILLIS: Final = tuple(f".{number:03d}Z" for number in range(1000))

T = TypeVar("T")

_quote = encode_basestring
_heads: dict[tuple[str, str], str] = {}
_keys: dict[str, str] = {}
_inside = {name: f',"{key}":' for name, key in _CONTEXT.items()}
# Most lines are of the same second and of the same span as the one before.
_second: tuple[int, str] = (0, "")
_span: tuple[int, int, tuple[str, str]] = (0, 0, ("", ""))


def timestamp(seconds: float) -> str:
    """A time in UTC as ISO 8601 writes it, to the millisecond.

    Args:
        seconds: The time in seconds since the epoch.
    """
    global _second  # noqa: PLW0603 - see there
    whole = int(seconds)
    known, text = _second
    if known != whole:
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
        _second = whole, text
    return text + _MILLIS[int((seconds - whole) * 1000)]


def _ids() -> tuple[str, str] | None:
    """Trace and span id of the span that is current where the record is formatted."""
    global _span  # noqa: PLW0603 - see there
    span = trace.get_current_span()
    if span is trace.INVALID_SPAN:
        return None
    found = span.get_span_context()
    trace_id, span_id = found.trace_id, found.span_id
    if not trace_id or not span_id:
        return None
    known = _span
    if known[1] == span_id and known[0] == trace_id:
        return known[2]
    ids = f"{trace_id:032x}", f"{span_id:016x}"
    _span = trace_id, span_id, ids
    return ids


class JsonFormatter(logging.Formatter):
    """Formats any record of `logging` as one line of JSON.

    Keys: timestamp (UTC), level, logger, message, and where there are any node, component,
    operation, record (the kind of a special record), trace_id, span_id, metadata, exception,
    stack. A mapping or list that was logged as the message stays one.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        where = record.levelname, record.name
        head = _heads.get(where)
        if head is None:
            level, logger = _quote(mask(where[0].lower())), _quote(mask(where[1]))
            head = _kept(_heads, where, f'","level":{level},"logger":{logger},"message":')
        message = body(record)
        text = _quote(message) if isinstance(message, str) else _json("", message)
        line = f'{{"timestamp":"{timestamp(record.created)}{head}{text}'
        pairs: list[str] = []
        for name, value in given(record):
            key = _inside.get(name)
            if key is not None:
                line += key + _json(name, value)
                continue
            key = _keys.get(name)
            if key is None:
                shown = _quote(mask(name.removeprefix("metadata.")))
                key = _kept(_keys, name, f"{shown}:")
            pairs.append(key + _json(name, value))
        ids = _ids()
        if ids:
            line += f',"trace_id":"{ids[0]}","span_id":"{ids[1]}"'
        if pairs:
            line += f',"metadata":{{{",".join(pairs)}}}'
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


def _kept(known: dict[T, str], key: T, text: str) -> str:
    if len(known) >= _KEPT:
        known.clear()
    known[key] = text
    return text


def _json(name: str, value: object) -> str:
    """A value as JSON, masked by its name and by its text."""
    kind = value.__class__
    if kind in _SIMPLE:
        found = attribute(name, value)
        if isinstance(found, str):
            return _quote(found)
        if kind is not bool and found == found:  # noqa: PLR0124 - not NaN
            text = repr(found)
            if text not in _INFINITE:
                return text
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
