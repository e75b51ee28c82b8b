"""One warning per cause, on the logger `qudag_otel`: telemetry may complain, but not often."""

from __future__ import annotations

import logging
from typing import Final

_LOGGER: Final = logging.getLogger("qudag_otel")
_LIMIT: Final = 1000
_seen: set[str] = set()


def warn_once(key: str, message: str, *arguments: object) -> None:
    """Log a warning unless one with the same key was logged before.

    Args:
        key: What makes two warnings the same; after 1,000 keys a process stays silent.
        message: A %-format.
        arguments: Its values.
    """
    if key in _seen or len(_seen) >= _LIMIT:
        return
    _seen.add(key)
    _LOGGER.warning(message, *arguments)


def reset() -> None:
    """Forget what was logged, so that a test sees its own warnings."""
    _seen.clear()
