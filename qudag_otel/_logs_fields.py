"""The fields of a log record: which are ours, and how its parts become plain, masked data."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final, cast

from qudag_otel._calls.failure import Failure
from qudag_otel._redact import attribute, exportable, mask
from qudag_otel.catalogue.spans import COMPONENT, NODE, OPERATION, RECORD

CONTEXT: Final = (NODE.key, COMPONENT.key, OPERATION.key, RECORD.key)
"""The fields that every record of a component may carry; all others are metadata."""
OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What a record has by itself; "message" and "asctime" by formatters, "taskName" by 3.12."""

_KNOWN: Final = OWN.union(CONTEXT)


def extra(context: Mapping[str, str | None], metadata: Mapping[str, object]) -> dict[str, object]:
    """The `extra` of a record: context and metadata side by side, as OTLP attributes have them.

    Fields without a value are left out. Metadata named like a field of `logging` or of the
    context is renamed to `metadata.<name>`. Values are copied: they may change afterwards.
    """
    fields: dict[str, object] = {key: value for key, value in context.items() if value is not None}
    for key, value in metadata.items():
        if value is not None:
            fields[f"metadata.{key}" if key in _KNOWN else key] = attribute(key, value)
    return fields


def metadata(record: logging.LogRecord) -> list[tuple[str, Any]]:
    """What a record carries beside its message and context, as it is."""
    return [
        (key.removeprefix("metadata."), value)
        for key, value in record.__dict__.items()
        if key not in _KNOWN
    ]


def body(record: logging.LogRecord) -> object:
    """A record's message: masked text, or plain data where a mapping or a list was logged.

    A format that does not fit its values is still worth a record.
    """
    message: Any = record.msg
    values = record.args
    if not values:
        if isinstance(message, (Mapping, list, tuple)):
            return exportable(cast("object", message))
        return mask(message if message.__class__ is str else _text(message))
    try:
        found = record.getMessage()
    except Exception:  # noqa: BLE001 - a value's own code
        found = f"{_text(message)} {exportable(values)}"
    return mask(found)


def failure(record: logging.LogRecord) -> Failure | None:
    """What is kept of a record's exception; None if it has none."""
    found: Any = record.exc_info
    try:
        return Failure(found[1]) if found else None
    except Exception:  # noqa: BLE001 - it may be anything: the record is worth more
        return None


def exception(record: logging.LogRecord) -> str:
    """The traceback of a record's exception, masked and without the last line's end."""
    found = failure(record)
    return mask(found.stacktrace.rstrip("\n")) if found else ""


def _text(value: object) -> str:
    found = exportable(value)
    return found if isinstance(found, str) else str(found)
