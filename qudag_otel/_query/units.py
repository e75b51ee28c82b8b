"""Values as people read them: the only place that scales units and writes numbers for the eye."""

from __future__ import annotations

import math
from typing import Final

_SCALES: Final = {
    "s": ((1.0, "s"), (1e-3, "ms"), (1e-6, "µs"), (1e-9, "ns")),
    "By": ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"), (1.0, "B")),
}
_SPELLED: Final = (("day", 86_400), ("hour", 3600), ("minute", 60))
_WHOLE: Final = 1000
"""From here on three digits are fewer than the number has: it is written whole."""


def quantity(value: float, unit: str = "") -> str:
    """A value in a UCUM unit: durations and bytes scaled, shares as percentages.

    Args:
        value: The value.
        unit: `s`, `By`, `1` for a share, `%`, `{message}/s` and the like; empty for none.
    """
    if unit == "1":
        return f"{number(100 * value)}%"
    if unit in _SCALES:
        # What has no size is written in the unit itself, what is tiny in the smallest.
        size = abs(value) if value and math.isfinite(value) else 1.0
        scales = _SCALES[unit]
        factor, name = next((one for one in scales if size >= one[0]), scales[-1])
        return f"{number(value / factor)} {name}"
    return number(value) + word(unit, one=value == 1)


def number(value: float) -> str:
    """A number without a unit: three significant digits, whole from 1,000 on."""
    return f"{value:,.0f}" if _WHOLE <= abs(value) < math.inf else f"{value:.3g}"


def word(unit: str, *, one: bool = False) -> str:
    """A unit as it is written behind a number: `{message}/s` is " messages/s".

    Args:
        unit: A UCUM unit.
        one: Whether there is one of it.
    """
    noun, slash, per = unit.partition("/")
    if noun.startswith("{"):
        noun = noun.strip("{}") if one else _plural(noun.strip("{}"))
    return ("" if noun in {"", "%"} else " ") + noun + slash + per


def duration(seconds: float) -> str:
    """A length of time in words, for example "5 minutes"."""
    for name, size in _SPELLED:
        if seconds >= size and seconds % size == 0:
            count = int(seconds // size)
            return f"{count} {name}{'s' if count > 1 else ''}"
    return f"{seconds:g} seconds"


def _plural(noun: str) -> str:
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
