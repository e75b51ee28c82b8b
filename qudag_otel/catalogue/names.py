"""Names of metrics in Prometheus, by the strategy UnderscoreEscapingWithSuffixes.

Source: OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility", which refers to
the units of UCUM.
"""

from __future__ import annotations

import functools
import re
from typing import Final

# Runs of what a name cannot hold become one underscore; runs of underscores, too.
_NOT_IN_NAME: Final = re.compile(r"[^a-zA-Z0-9:]+")
_ANNOTATION: Final = re.compile(r"\{[^}]*\}")
_BYTES: Final = {
    prefix + "By": word + "bytes"
    for prefix, word in {
        "": "", "Ki": "kibi", "Mi": "mebi", "Gi": "gibi", "Ti": "tibi",
        "K": "kilo", "k": "kilo", "M": "mega", "G": "giga", "T": "tera",
    }.items()
}  # fmt: skip
_UNITS: Final = {
    "d": "days", "h": "hours", "min": "minutes", "s": "seconds", "ms": "milliseconds",
    "us": "microseconds", "ns": "nanoseconds",
    "m": "meters", "V": "volts", "A": "amperes", "J": "joules", "W": "watts", "g": "grams",
    "Cel": "celsius", "Hz": "hertz", "%": "percent", "1": "",
    **_BYTES,
}  # fmt: skip
_PER: Final = {
    "s": "second", "min": "minute", "m": "minute", "h": "hour", "d": "day", "w": "week",
    "mo": "month", "y": "year",
}  # fmt: skip


@functools.cache
def unit_name(unit: str, *, gauge: bool) -> str:
    """Translate a unit.

    Args:
        unit: The unit in UCUM.
        gauge: Whether a gauge has it: the unit 1 is "ratio" there, and nothing elsewhere.

    Returns:
        The word that ends the metric's name; empty for none.
    """
    if unit.strip() == "1" and gauge:
        return "ratio"
    bare = _ANNOTATION.sub("", unit).strip()
    if bare in _UNITS:
        return _UNITS[bare]
    top, slash, bottom = bare.partition("/")
    bottom = _word(_PER.get(bottom.strip(), bottom))
    top = _word(_UNITS.get(top.strip(), top))
    if slash and bottom:
        return f"{top}_per_{bottom}" if top else f"per_{bottom}"
    return top


def _word(text: str) -> str:
    return _NOT_IN_NAME.sub("_", text).strip("_")


@functools.cache
def family_name(name: str, unit: str, *, monotonic: bool) -> str:
    """Translate an instrument's name to that of a metric family, which lacks a counter's `_total`.

    Args:
        name: The instrument's name.
        unit: What `unit_name` made of its unit.
        monotonic: Whether it is a counter.
    """
    family = _NOT_IN_NAME.sub("_", name)
    if family[:1].isdigit():
        family = f"_{family}"
    if monotonic:
        family = family.removesuffix("_total")
    family = family or "_"
    if unit and not family.endswith(f"_{unit}") and family != unit:
        family = f"{family}_{unit}"
    return family
