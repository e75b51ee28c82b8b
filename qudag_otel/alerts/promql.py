"""The few PromQL shapes that the rules are made of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from qudag_otel.alerts._model import Level
    from qudag_otel.catalogue import Metric

WINDOW: Final = "5m"
"""The range of a rate: five exports at OpenTelemetry's default interval of 60 s."""

_MILLISECONDS: Final = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1}
_DURATION: Final = re.compile(r"(?<![\w.:\"])(?:\d+[dhms])+(?![\w\"])")


def series(metric: Metric, suffix: str = "", *matchers: str) -> str:
    """A selector of a metric's series, for example `x_bucket{le="0.5"}`."""
    chosen = f"{{{','.join(matchers)}}}" if matchers else ""
    return f"{metric.prometheus_name}{suffix}{chosen}"


def total(level: Level, expression: str) -> str:
    """The sum of an expression at a level."""
    return f"sum by ({', '.join(level.labels)}) ({expression})"


def average(level: Level, expression: str) -> str:
    """The average of an expression at a level."""
    return f"avg by ({', '.join(level.labels)}) ({expression})"


def rate(level: Level, metric: Metric, *matchers: str, suffix: str = "") -> str:
    """The per-second increase of a counter, at a level; resets of the counter do not show."""
    return total(level, f"rate({series(metric, suffix, *matchers)}[{WINDOW}])")


def quantile(level: Level, metric: Metric, share: float, window: str = WINDOW) -> str:
    """A quantile of a histogram, at a level; no sample while nothing is observed.

    `>= 0` drops the NaN of an idle histogram, which would otherwise poison every average of it.
    """
    buckets = f"rate({series(metric, '_bucket')}[{window}])"
    labels = ", ".join((*level.labels, "le"))
    return f"histogram_quantile({share:g}, sum by ({labels}) ({buckets})) >= 0"


def share(part: str, whole: str) -> str:
    """Part of whole as a ratio: 0 if the part has no series, nothing if the whole is 0."""
    return f"({part} or 0 * {whole}) / ({whole} > 0)"


def added(first: str, second: str) -> str:
    """The sum of two expressions of which either may have no series."""
    return f"({first} or 0 * {second}) + ({second} or 0 * {first})"


def seconds(duration: str) -> float:
    """The length of a PromQL duration, for example 5400 for `1h30m`."""
    found = re.findall(r"(\d+)([dhms])", duration)
    return sum(int(count) * _MILLISECONDS[unit] for count, unit in found) / 1000


def duration(length: float) -> str:
    """A length in seconds as PromQL spells it, such as `23h30m`; at least a millisecond."""
    rest = max(round(length * 1000), 1)
    parts: list[str] = []
    for unit, size in _MILLISECONDS.items():
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def scaled(expression: str, scale: float) -> str:
    """Divide every duration in an expression, so that a test need not wait for days."""
    if scale == 1:
        return expression
    return _DURATION.sub(lambda found: duration(seconds(found[0]) / scale), expression)


def number(value: float) -> str:
    """A number as PromQL spells it."""
    return f"{value:.15g}"
