"""One warning per cause, on the logger `qudag_otel`: telemetry may complain, but not often."""

from __future__ import annotations

import logging
from typing import Final

from qudag_otel._foreign import interrupts
from qudag_otel._redact import mask, rendered

_LOGGER: Final = logging.getLogger("qudag_otel")
_LIMIT: Final = 1000
_LONGEST: Final = 2000  # characters of one value in a warning
_USUAL_BITS: Final = 64
_seen: set[str] = set()


def warn_once(key: str, message: str, *arguments: object) -> None:
    """Log a warning unless one with the same key was logged before; never raises.

    Args:
        key: What makes two warnings the same; after 1,000 keys a process stays silent.
        message: A %-format.
        arguments: Its values; they are shown in short, and what looks like a secret is masked.
    """
    if key in _seen or len(_seen) >= _LIMIT:
        return
    _seen.add(key)
    try:
        # Formatted here, as handlers know no secrets.
        text = mask(message % tuple(map(_shown, arguments)) if arguments else message)
        _LOGGER.warning("%s", text)
    except BaseException as error:  # a handler of the application's, or no depth is left
        if interrupts(error):
            raise


class _Shown:
    """A value whose text may be long, or fail."""

    def __init__(self, value: object) -> None:
        self._value = value

    def __str__(self) -> str:
        return str(rendered(self._value, _LONGEST))

    __repr__ = __str__


def _shown(value: object) -> object:
    if isinstance(value, str):
        return str.__str__(value)[:_LONGEST]
    # Of other numbers the text may be too long for Python, or fail.
    usual = type(value) is float or (type(value) is int and value.bit_length() <= _USUAL_BITS)
    return value if usual else _Shown(value)


def reset() -> None:
    """Forget what was logged, so that a test sees its own warnings."""
    _seen.clear()
