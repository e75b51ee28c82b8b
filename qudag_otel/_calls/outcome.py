"""How a call ended, and whether that is an error."""

from __future__ import annotations

import enum
import sys
from typing import Final


class Outcome(enum.Enum):
    """The values of the label `outcome`."""

    OK = "ok"
    ERROR = "error"
    EXPECTED = "expected"
    CANCELLED = "cancelled"
    CLOSED = "closed"


# Somebody asked the program to stop: nothing failed.
_STOPS: Final = (KeyboardInterrupt, SystemExit)


def outcome_of(error: BaseException | None, expected: tuple[type[BaseException], ...]) -> Outcome:
    """Classify the end of a call.

    Args:
        error: What it raised, or None.
        expected: The exception types that its author declared as an outcome.
    """
    if error is None:
        return Outcome.OK
    if expected and isinstance(error, expected):
        return Outcome.EXPECTED
    if isinstance(error, _STOPS) or _is_cancellation(error):
        return Outcome.CANCELLED
    if isinstance(error, GeneratorExit):
        return Outcome.CLOSED
    return Outcome.ERROR


def _is_cancellation(error: BaseException) -> bool:
    """Whether a task was cancelled. Who never imported asyncio is spared the import."""
    asyncio = sys.modules.get("asyncio")
    return asyncio is not None and isinstance(error, asyncio.CancelledError)
