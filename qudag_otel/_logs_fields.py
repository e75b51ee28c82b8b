"""The fields of a log record: which are ours, and how any value becomes exportable."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Final, cast

from qudag_otel.catalogue.spans import COMPONENT, NODE, OPERATION, RECORD

CONTEXT: Final = (NODE.key, COMPONENT.key, OPERATION.key, RECORD.key)
"""The fields that every record of a component may carry; all others are metadata."""

# What a record has by itself. "message" and "asctime" are set by formatters, "taskName" by 3.12.
_OWN: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_DEPTH: Final = 5


def exportable(value: object, depth: int = _DEPTH) -> object:
    """A value as JSON and OTLP can carry it: what is neither simple nor a container is its text.

    Args:
        value: Any value.
        depth: How many containers deep it is followed; what is deeper becomes text.
    """
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if depth and isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value)
        return {text(key): exportable(one, depth - 1) for key, one in pairs.items()}
    if depth and isinstance(value, Sequence) and not isinstance(value, (bytes, bytearray)):
        return [exportable(one, depth - 1) for one in cast("Sequence[object]", value)]
    return text(value)


def text(value: object) -> str:
    """A value's text, also if its own code for that fails."""
    try:
        return str(value)
    except Exception:  # noqa: BLE001 - any code may stand behind it
        return f"<{type(value).__name__}>"


def extra(context: Mapping[str, str | None], metadata: Mapping[str, object]) -> dict[str, object]:
    """The `extra` of a record: context and metadata side by side, as OTLP attributes have them.

    Fields without a value are left out. Metadata named like a field of `logging` or of the
    context is renamed to `metadata.<name>`.
    """
    fields: dict[str, object] = {key: value for key, value in context.items() if value is not None}
    for key, value in metadata.items():
        if value is not None:
            taken = key in _OWN or key in CONTEXT
            fields[f"metadata.{key}" if taken else key] = exportable(value)
    return fields


def metadata(record: logging.LogRecord) -> dict[str, object]:
    """What a record carries beside its message and context."""
    return {
        key.removeprefix("metadata."): exportable(value)
        for key, value in vars(record).items()
        if key not in _OWN and key not in CONTEXT
    }
