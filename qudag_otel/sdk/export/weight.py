"""How much memory a queued item keeps, roughly: a few that are huge must not fill it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qudag_otel.sdk.fast.call import FastSpan

if TYPE_CHECKING:
    from collections.abc import Mapping

COMMON_BYTES: Final = 16 << 10
"""What an item may weigh without being accounted for: the number that may wait bounds those."""
CALL_BYTES: Final = 512
"""The same of a finished call, as many more of these may wait."""
_DEPTH: Final = 4
_NUMBERS: Final = frozenset({int, float, bool})
_PLACES: Final = 4096


def _weight(value: Any, depth: int = _DEPTH) -> int:
    if isinstance(value, (str, bytes)):
        return len(value)
    if depth and isinstance(value, (list, tuple)):
        total = 0
        items: Any = value  # pyright: ignore[reportUnknownVariableType] - any items
        for item in items:  # most are texts and numbers, and this is on the time of calls
            kind = item.__class__
            if kind is str:
                total += len(item)
            else:
                total += 8 if kind in _NUMBERS else _weight(item, depth - 1)
        return total
    return _of_pairs(value, depth - 1) if depth and isinstance(value, dict) else 8  # pyright: ignore[reportUnknownArgumentType] - any items


def _of_pairs(pairs: Mapping[Any, Any] | None, depth: int = _DEPTH) -> int:
    return sum(_weight(value, depth) for value in pairs.values()) if pairs else 0


def weight_of_span(span: Any) -> int:
    """The weight of a span in bytes; 0 for a common one and a plain call."""
    if isinstance(span, FastSpan):
        if span.more is None and span.outcome is None:
            return 0
        # What it was given, and the text of an exception with the places of its traceback.
        failure = None if span.outcome is None else span.failure
        weight = len(failure.message) + _PLACES if failure else 0
        for operation in span.more or ():
            for value in operation:  # a name, and what was given
                weight += len(value) if value.__class__ is str else _weight(value)
        return weight if weight > CALL_BYTES else 0
    weight = _of_pairs(span.attributes)
    for event in span.events:
        weight += _of_pairs(event.attributes)
    return weight if weight > COMMON_BYTES else 0


def weight_of_record(record: Any) -> int:
    """The weight of a log record in bytes; 0 for a common one."""
    log = getattr(record, "log_record", None)
    if log is None:  # a light one
        body = record.body
        weight = len(body) if body.__class__ is str else _weight(body)
        for _, value in record.fields:
            kind = value.__class__
            weight += len(value) if kind is str else 8 if kind in _NUMBERS else _weight(value)
    else:
        weight = _weight(log.body) + _of_pairs(log.attributes)
    return weight if weight > COMMON_BYTES else 0
