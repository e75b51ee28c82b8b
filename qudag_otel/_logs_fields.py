"""The fields of a log record: which are ours, and how its parts become plain, masked data."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Final, cast

from qudag_otel._calls.failure import Failure
from qudag_otel._foreign import interrupts
from qudag_otel._redact import attribute, exportable, mask
from qudag_otel.catalogue.spans import COMPONENT, NODE, OPERATION, RECORD

CONTEXT: Final = (NODE.key, COMPONENT.key, OPERATION.key, RECORD.key)
"""The fields that every record of a component may carry; all others are metadata."""
OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What a record has by itself; "message" and "asctime" by formatters, "taskName" by 3.12."""

_KNOWN: Final = OWN.union(CONTEXT)
_FIRST: Final = tuple(vars(logging.makeLogRecord({})))
_LAST_OF_OWN: Final = len(_FIRST) - 1


def add(fields: dict[str, object], metadata: Mapping[str, object]) -> None:
    """Add metadata to the fields of a record, as OTLP attributes have them: side by side.

    Fields without a value are left out. Metadata named like a field of `logging` or of the
    context is renamed to `metadata.<name>`. Values are copied: they may change afterwards.
    """
    for key, value in metadata.items():
        if value is not None:
            fields[f"metadata.{key}" if key in _KNOWN else key] = attribute(key, value)


def given(record: logging.LogRecord) -> Iterable[tuple[str, Any]]:
    """What was added to a record, as it is; without looking at each field that all records have.

    A factory of the application's own adds behind those, as a record is filled when it is made.
    """
    items = record.__dict__.items()
    behind: Iterator[tuple[str, Any]] = islice(items, _LAST_OF_OWN, None)
    if next(behind, ("",))[0] != _FIRST[-1]:
        behind = iter(items)
    return [pair for pair in behind if pair[0] not in OWN]


def metadata(record: logging.LogRecord) -> list[tuple[str, Any]]:
    """What a record carries beside its message and context, as it is."""
    return [
        (key.removeprefix("metadata."), value) for key, value in given(record) if key not in CONTEXT
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
    except BaseException as odd:  # a value's own code
        if interrupts(odd):
            raise
        found = f"{_text(message)} {exportable(values)}"
    return mask(found)


def failure(record: logging.LogRecord) -> Failure | None:
    """What is kept of a record's exception; None if it has none."""
    found: Any = record.exc_info
    try:
        return Failure(found[1]) if found else None
    except BaseException as odd:  # it may be anything: the record is worth more
        if interrupts(odd):
            raise
        return None


def exception(record: logging.LogRecord) -> str:
    """The traceback of a record's exception, masked and without the last line's end."""
    found = failure(record)
    return mask(found.stacktrace.rstrip("\n")) if found else ""


def _text(value: object) -> str:
    found = exportable(value)
    return found if isinstance(found, str) else str(found)
