"""Keys of a terminal, while a view is shown."""

from __future__ import annotations

import os
import select
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_NAMES: Final = {
    "\x1b[A": "up",
    "\x1b[B": "down",
    "\x1bOA": "up",
    "\x1bOB": "down",
    "\x1b[5~": "page up",
    "\x1b[6~": "page down",
    "\x1b": "escape",
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\b": "backspace",
}
_LONGEST: Final = 4


class Keys:
    """What is pressed.

    Args:
        source: The terminal's file descriptor; None if there is no terminal to read.
    """

    def __init__(self, source: int | None) -> None:
        self._source = source

    def until(self, deadline: float) -> Iterator[str]:
        """The keys that are pressed until a point on the monotonic clock."""
        while (left := deadline - time.monotonic()) > 0:
            if self._source is None:
                time.sleep(left)
                return
            ready, _, _ = select.select([self._source], [], [], left)
            if not ready:
                return
            pressed = os.read(self._source, 64)
            if not pressed:
                self._source = None  # the terminal is gone
            yield from _named(pressed.decode(errors="ignore"))


def _named(text: str) -> Iterator[str]:
    while text:
        for length in range(_LONGEST, 0, -1):
            if text[:length] in _NAMES or length == 1:
                yield _NAMES.get(text[:length], text[:length])
                text = text[length:]
                break


@contextmanager
def keys() -> Generator[Keys]:
    """Read keys one by one, unseen, until the block ends; Ctrl-C stays what it is."""
    if not sys.stdin or not sys.stdin.isatty():
        yield Keys(None)
        return
    import termios
    import tty

    source = sys.stdin.fileno()
    before = termios.tcgetattr(source)
    tty.setcbreak(source)
    try:
        yield Keys(source)
    finally:
        termios.tcsetattr(source, termios.TCSADRAIN, before)
