"""How much memory a queued item keeps, roughly: a few that are huge must not fill it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from qudag_otel.sdk.fast.call import FastSpan

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
        return _of_items(cast("Iterable[Any]", value), depth - 1)
    if depth and isinstance(value, dict):
        return _of_items(value.values(), depth - 1)  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]
    return 8


def _of_items(items: Iterable[Any], depth: int = _DEPTH) -> int:
    total = 0
    for item in items:  # most are texts and numbers, and this is on the time of calls
        kind = item.__class__
        total += len(item) if kind is str else 8 if kind in _NUMBERS else _weight(item, depth)
    return total


def _of_pairs(pairs: Mapping[Any, Any] | None) -> int:
    return _of_items(pairs.values()) if pairs else 0


def weight_of_span(span: Any) -> int:
    """The weight of a span in bytes; 0 for a common one and a plain call."""
    if isinstance(span, FastSpan):
        if span.more is None and span.outcome is None:
            return 0
        # What it was given, and the text of an exception with the places of its traceback.
        failure = None if span.outcome is None else span.failure
        weight = len(failure.message) + _PLACES if failure else 0
        for operation in span.more or ():
            weight += _of_items(operation)  # a name, and what was given
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
        weight += _of_items(value for _, value in record.fields)
    else:
        weight = _weight(log.body) + _of_pairs(log.attributes)
    return weight if weight > COMMON_BYTES else 0
