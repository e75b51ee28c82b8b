"""Ask again until the answer is right."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


def eventually(check: Callable[[], T], timeout: float = 45.0, interval: float = 0.25) -> T:
    """Call `check` until it returns, and return what it returned.

    Tried again are AssertionError (a wrong answer, an `ApiError`), ValueError and LookupError (an
    answer that does not yet hold what is unpacked).

    Raises:
        AssertionError: the last one, when `timeout` seconds are over.
        ValueError: likewise.
        LookupError: likewise.
    """
    deadline = time.monotonic() + timeout
    while True:
        try:
            return check()
        except (AssertionError, ValueError, LookupError):
            if time.monotonic() > deadline:
                raise
        time.sleep(interval)
