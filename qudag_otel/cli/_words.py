"""Values as rows of blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_BLOCKS: Final = "▁▂▃▄▅▆▇█"


def sparkline(values: Iterable[float], *, top: float | None = None) -> str:
    """Values as a row of blocks, the largest, or `top`, being the highest."""
    known = list(values)
    highest = max(known, default=0.0) if top is None else top
    if highest <= 0:
        return _BLOCKS[0] * len(known)
    last = len(_BLOCKS) - 1
    return "".join(_BLOCKS[round(last * min(1.0, max(0.0, v / highest)))] for v in known)


def bar(share: float, width: int) -> str:
    """A share of 0 to 1 as a bar."""
    filled = round(width * min(1.0, max(0.0, share)))
    return "█" * filled + "░" * (width - filled)
