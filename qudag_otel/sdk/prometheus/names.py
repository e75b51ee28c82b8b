"""Labels in Prometheus, by the strategy UnderscoreEscapingWithSuffixes.

Source: OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility".
"""

from __future__ import annotations

import functools
import json
import re
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from qudag_otel._redact import attribute
from qudag_otel._series.values import text, utf8
from qudag_otel.catalogue.names import family_name, unit_name

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "escaped",
    "escaped_help",
    "family_name",
    "label_name",
    "label_value",
    "labels",
    "unit_name",
]

# Runs of what a label cannot hold become one underscore; runs of underscores, too.
_NOT_IN_LABEL: Final = re.compile(r"[^a-zA-Z0-9]+")
_OF_PROMETHEUS: Final = frozenset({"le", "quantile"})  # what tells the parts of one family apart
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@functools.cache
def label_name(key: str) -> str:
    """Translate an attribute's key."""
    label = _NOT_IN_LABEL.sub("_", key) or "_"
    if label in _OF_PROMETHEUS:
        return f"exported_{label}"  # as Prometheus itself does where two meanings meet
    return f"key_{label}" if label[:1].isdigit() else label


def label_value(key: str, value: object) -> str:
    """Translate an attribute's value, masked; what is not a string becomes JSON."""
    masked = attribute(key, value)
    return text(masked if isinstance(masked, str) else json.dumps(masked, default=text))


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
        label, value = label_name(key), label_value(key, attributes[key])
        if not value:
            continue
        if label in fixed:
            label = f"exported_{label}"
        found[label] = f"{found[label]};{value}" if label in found else value
    found |= {label: value for label, value in fixed.items() if value}
    return ",".join(f'{label}="{escaped(found[label])}"' for label in found)
