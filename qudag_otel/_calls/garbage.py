"""Destructors that make calls, on a Python that collects garbage inside of `ContextVar.set`.

Up to 3.11 an allocation collects at once, also one that `ContextVar.set` or `reset` makes half-way.
A destructor run there may set a variable itself, as every tracer does. The context's mapping that
the interrupted function still reads is then freed under it, and a variable that it was deleting
keeps a pointer to a value that nobody owns. From 3.12 on collections wait for the next instruction.

So the mapping is held, which a copy of the context does, and what variables remember is made
invalid, which entering a context does. It costs the calls nothing, a collection a microsecond, and
protects other tracers as well.
"""

from __future__ import annotations

import gc
import sys
from contextvars import Context, copy_context
from typing import Any, Final

_MOST: Final = 16  # more than one `ContextVar.set` allocates


class Guard:
    """Keeps the context of a collection until the function that it interrupted has ended."""

    def __init__(self) -> None:
        self._kept: list[Context] = []
        self._where: tuple[int, int] | None = None

    def __call__(self, phase: str, _info: dict[str, int]) -> None:
        """Called by the collector, at the start and the end of each collection."""
        if phase == "stop":
            if self._kept:
                self._kept[-1].run(_nothing)
            return
        kept = copy_context()
        frame: Any = sys._getframe().f_back  # noqa: SLF001
        where = None if frame is None else (id(frame), frame.f_lasti)
        # The same function may be interrupted once more; elsewhere, what was before has ended.
        former = self._kept[-_MOST:] if where == self._where else []
        self._kept, self._where = [*former, kept], where


def _nothing() -> None:
    """Runs in a context."""


def watch() -> None:
    """Have the collector guard contexts from now on, where that is needed."""
    if sys.version_info < (3, 12):
        gc.callbacks.insert(0, Guard())
