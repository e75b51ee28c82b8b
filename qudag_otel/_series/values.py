"""What can be exported: the one place where any number becomes one and any text becomes one."""

from __future__ import annotations

import math
from typing import Any, Final

from qudag_otel._foreign import interrupts

PLAIN: Final = frozenset({int, float})
"""The classes of numbers that need no conversion."""

HIGHEST: Final = 1.7976931348623157e308
"""The largest finite float."""

_INT64: Final = 2**63


def number(value: object) -> int | float | None:
    """A number as exporters take it.

    Whatever converts to a number is one: bool, numbers of numpy, decimals, fractions, members of
    an IntEnum, arrays of one element. An integer that OTLP's 64 bits cannot hold becomes a float.

    Returns:
        An int or a float itself, never of a derived class, and finite; None if there is none.
    """
    if type(value) is float:
        return value if math.isfinite(value) else None
    if type(value) is int and -_INT64 <= value < _INT64:
        return value
    if isinstance(value, (str, bytes, bytearray)):
        return None  # "5" is a mistake, not a number
    converted: Any = value
    try:
        if not isinstance(value, (int, float)):
            if hasattr(value, "item"):  # numpy's own numbers tell whether they are whole
                converted = converted.item()
            elif hasattr(value, "__index__"):
                converted = converted.__index__()
        if isinstance(converted, int):
            whole = int(converted)
            return whole if -_INT64 <= whole < _INT64 else float(whole)
        inexact = float(converted)
    except BaseException as odd:  # the conversion is somebody else's code
        if interrupts(odd):
            raise
        return None
    return inexact if math.isfinite(inexact) else None


def text(value: object) -> str:
    """A label's value as exporters take it: valid UTF-8, whatever it was."""
    try:
        found = value if isinstance(value, str) else str(value)
        return utf8(str.__str__(found))
    except BaseException as odd:  # `__str__` is somebody else's code
        if interrupts(odd):
            raise
        return type(value).__name__


def utf8(found: str) -> str:
    r"""The same text, with what UTF-8 cannot hold written as `\udc80`."""
    try:
        found.encode()
    except UnicodeEncodeError:
        return found.encode(errors="backslashreplace").decode()
    return found


def shown(value: object) -> str:
    """A value for a log line, short, whatever its `__repr__` does."""
    try:
        return utf8(f"{value!r:.100}")
    except BaseException as odd:  # `__repr__` is somebody else's code
        if interrupts(odd):
            raise
        return f"a {type(value).__name__}"
