"""Values as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_BLOCKS: Final = "▁▂▃▄▅▆▇█"
_SECONDS: Final = ((1e-3, 1e6, "µs"), (1.0, 1e3, "ms"), (float("inf"), 1.0, "s"))
_BYTES: Final = ((1 << 10, 1, "B"), (1 << 20, 1 << 10, "KiB"), (1 << 30, 1 << 20, "MiB"))
_MOST_SHARE: Final = 1.0


def seconds(value: float) -> str:
    """A duration in seconds, in the unit that fits it."""
    for limit, factor, unit in _SECONDS:
        if value < limit:
            return f"{value * factor:.3g} {unit}"
    return f"{value} s"


def size(value: float) -> str:
    """A number of bytes, in the unit that fits it."""
    for limit, factor, unit in _BYTES:
        if value < limit:
            return f"{value / factor:.3g} {unit}"
    return f"{value / (1 << 30):.3g} GiB"


def percent(share: float) -> str:
    """A share of 0 to 1."""
    return f"{100 * share:.1f}%" if share < _MOST_SHARE else "100%"


def number(value: float) -> str:
    """A count or a rate."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"  # noqa: PLR2004  # three digits are enough


def quantity(value: float, unit: str) -> str:
    """A value in a UCUM unit of the catalogue."""
    if unit == "s":
        return seconds(value)
    if unit == "By":
        return size(value)
    if unit == "1":
        return percent(value)
    if unit == "%":
        return f"{value:.1f}%"
    return f"{number(value)}{'/s' if unit.endswith('/s') else ''}"


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
