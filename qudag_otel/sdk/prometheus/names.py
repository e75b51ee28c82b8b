"""Names and label values in Prometheus, by the strategy UnderscoreEscapingWithSuffixes.

Source: OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility", which refers to
the units of UCUM.
"""

from __future__ import annotations

import functools
import json
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from qudag_otel._series.values import text, utf8

if TYPE_CHECKING:
    from collections.abc import Mapping

# Runs of what a name cannot hold become one underscore; runs of underscores, too.
_NOT_IN_NAME: Final = re.compile(r"[^a-zA-Z0-9:]+")
_NOT_IN_LABEL: Final = re.compile(r"[^a-zA-Z0-9]+")
_OF_PROMETHEUS: Final = frozenset({"le", "quantile"})  # what tells the parts of one family apart
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})
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


@functools.cache
def label_name(key: str) -> str:
    """Translate an attribute's key."""
    label = _NOT_IN_LABEL.sub("_", key) or "_"
    if label in _OF_PROMETHEUS:
        return f"exported_{label}"  # as Prometheus itself does where two meanings meet
    return f"key_{label}" if label[:1].isdigit() else label


def label_value(value: object) -> str:
    """Translate an attribute's value; what is not a string becomes JSON."""
    return text(value if isinstance(value, str) else json.dumps(value, default=text))


def escaped(value: str) -> str:
    """Escape a label's value."""
    if "\\" in value or "\n" in value or '"' in value:
        return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return value


def escaped_help(description: str, *, quotes: bool) -> str:
    """Escape a description.

    Args:
        description: The description.
        quotes: Whether quotes are escaped, as in OpenMetrics.
    """
    found = utf8(description).replace("\\", r"\\").replace("\n", r"\n")
    return found.replace('"', r"\"") if quotes else found


def labels(attributes: Mapping[str, object], fixed: Mapping[str, str] = _NOTHING) -> str:
    """Render attributes as labels without braces.

    Keys that become the same label have their values joined by semicolons, in the keys' order. A
    label without a value is the same as none, and left out.

    Args:
        attributes: The attributes.
        fixed: Labels that stand behind them as they are; an attribute of the same name moves.
    """
    found: dict[str, str] = {}
    for key in sorted(attributes):
        label, value = label_name(key), label_value(attributes[key])
        if not value:
            continue
        if label in fixed:
            label = f"exported_{label}"
        found[label] = f"{found[label]};{value}" if label in found else value
    found |= {label: value for label, value in fixed.items() if value}
    return ",".join(f'{label}="{escaped(found[label])}"' for label in found)
