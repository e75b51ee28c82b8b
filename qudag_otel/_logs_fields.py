"""The fields of a log record: which are ours, and how its parts become plain, masked data."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Mapping
from typing import Any, Final, cast

from qudag_otel._redact import attribute, exportable, mask
from qudag_otel.catalogue.spans import COMPONENT, NODE, OPERATION, RECORD

CONTEXT: Final = (NODE.key, COMPONENT.key, OPERATION.key, RECORD.key)
"""The fields that every record of a component may carry; all others are metadata."""
OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What a record has by itself; "message" and "asctime" are set by formatters, "taskName" by 3.12."""

_KNOWN: Final = OWN.union(CONTEXT)
_TRACEBACK: Final = 1 << 16
"""How many characters of a traceback are kept: its end says what happened."""


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
    message, values = record.msg, record.args
    if not values:
        if isinstance(message, (Mapping, list, tuple)):
            return exportable(cast("object", message))
        return mask(message if message.__class__ is str else _text(message))
    try:
        found = record.getMessage()
    except Exception:  # noqa: BLE001 - a value's own code
        found = f"{_text(message)} {exportable(values)}"
    return mask(found)


def exception(record: logging.LogRecord) -> str:
    """The traceback of a record's exception; empty if it has none."""
    found: Any = record.exc_info
    if not found or not isinstance(found, tuple):
        return ""
    try:
        text = "".join(traceback.format_exception(*found))  # type: ignore[arg-type]  # or it raises
    except Exception as error:  # noqa: BLE001 - an exception's own code
        text = f"<{type(error).__name__} in the traceback>"
    return mask(text[-_TRACEBACK:].rstrip("\n"))


def _text(value: object) -> str:
    found = exportable(value)
    return found if isinstance(found, str) else str(found)
