"""What every command shares: the ends it can have, and numbers and words read with a clear no.

Exit codes: 0 it is done, and nothing is wrong; 1 it is done, and found something wrong; 2 it cannot
be done, because of its words, a file, or a server that is not there; 130 and 141 as a shell has it.
"""

from __future__ import annotations

import argparse
import math
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

DONE: Final = 0
FOUND: Final = 1
IMPOSSIBLE: Final = 2
INTERRUPTED: Final = 130
UNREAD: Final = 141
"""The reader of the output went away."""

T = TypeVar("T")


class CommandError(Exception):
    """The command cannot be done; the message says why, and what to do."""


def bounded(
    rule: str, low: float, high: float = math.inf, *, parse: Callable[[str], float] = float
) -> Callable[[str], float]:
    """A reader of numbers, for argparse.

    Args:
        rule: What the number must be, for the message.
        low: The least.
        high: What it must be below.
        parse: What makes a number of a text.
    """

    def read(text: str) -> float:
        try:
            value = parse(text)
        except ValueError:
            value = math.nan
        if not low <= value < high:
            raise argparse.ArgumentTypeError(f"{text!r} is not {rule}")
        return value

    return read


def told(read: Callable[[str], T]) -> Callable[[str], T]:
    """A reader whose own words argparse passes on, instead of "invalid value"."""

    def reading(text: str) -> T:
        try:
            return read(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error

    return reading


_LEAST: Final = 5e-324
seconds: Final = bounded("a number of seconds above 0", _LEAST)
positive: Final = bounded("a number above 0", _LEAST, 1e9)
share: Final = bounded("a share: write a number from 0 to below 1", 0.0, 1.0)
count: Final = bounded("a whole number, 1 or more", 1, parse=int)
