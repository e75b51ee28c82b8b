"""PromQL as text: the only place that quotes, selects, takes rates and quantiles, spells durations.

Rules, dashboards and baselines add what each of them means: a level, Grafana's variables, a step.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_MILLISECONDS: Final = {
    "w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1000, "ms": 1,
}  # fmt: skip
_SPELLED: Final = ("d", "h", "m", "s", "ms")
_PART: Final = re.compile(r"(\d+)(ms|[wdhms])")
_DURATION: Final = re.compile(r"(?<![\w.:\"])(?:\d+(?:ms|[wdhms]))+(?![\w\"])")
_SPECIAL: Final = re.compile(r"[.\\+*?()|\[\]{}^$]")


def quoted(text: str) -> str:
    """A text as a string of PromQL, which escapes what JSON does."""
    return json.dumps(text, ensure_ascii=False)


def literal(text: str) -> str:
    """A regular expression for exactly this text, in RE2's syntax."""
    return _SPECIAL.sub(r"\\\g<0>", text)


def equal(label: str, value: str) -> str:
    """A matcher for one value of a label."""
    return f"{label}={quoted(value)}"


def among(label: str, values: Iterable[str]) -> str:
    """A matcher for some values of a label."""
    return f"{label}=~{quoted('|'.join(map(literal, values)))}"


def select(name: str, *matchers: str) -> str:
    """The series of a name, for example `x_bucket{le="0.5"}`."""
    return f"{name}{{{','.join(matchers)}}}" if matchers else name


def aggregate(how: str, labels: Iterable[str], expression: str) -> str:
    """An expression aggregated (`sum`, `max`, `avg`, ...) over all labels but those to keep."""
    return f"{how} by ({', '.join(labels)}) ({expression})"


def rate(selector: str, window: str) -> str:
    """The increase a second of counters over a range; resets do not show."""
    return f"rate({selector}[{window}])"


def quantile(share: float, labels: Iterable[str], buckets: str, window: str) -> str:
    """A quantile of a histogram, by labels; no sample while nothing is observed.

    `>= 0` drops the NaN of an idle histogram, which would otherwise poison every average of it.

    Args:
        share: Which quantile, 0 to 1.
        labels: The labels to keep.
        buckets: The selector of its buckets.
        window: Over which range.
    """
    return quantile_of(share, labels, rate(buckets, window))


def quantile_of(share: float, labels: Iterable[str], rates: str) -> str:
    """The same, of an expression that gives the buckets' rates."""
    return f"histogram_quantile({share:g}, {aggregate('sum', (*labels, 'le'), rates)}) >= 0"


def share(part: str, whole: str) -> str:
    """Part of whole as a ratio: 0 if the part has no series, nothing if the whole is 0."""
    return f"({part} or 0 * {whole}) / ({whole} > 0)"


def portion(part: str, rest: str) -> str:
    """The share of `part` in `part + rest`, of which either may have no series; see `share`."""
    return f"({part} or 0 * {rest}) / ({added(part, rest)} > 0)"


def added(first: str, second: str) -> str:
    """The sum of two expressions of which either may have no series."""
    return f"({first} or 0 * {second}) + ({second} or 0 * {first})"


def seconds(duration: str) -> float:
    """The length of a PromQL duration, for example 5400 for `1h30m`.

    Raises:
        ValueError: The text is none.
    """
    parts = _PART.findall(duration)
    if not parts or "".join(count + unit for count, unit in parts) != duration:
        raise ValueError(f"{duration!r} is no duration: write 90s, 5m, 1h30m or 2d")
    return sum(int(count) * _MILLISECONDS[unit] for count, unit in parts) / 1000


def duration(length: float) -> str:
    """A length in seconds as PromQL spells it, such as `23h30m`; at least a millisecond."""
    rest = max(round(length * 1000), 1)
    parts: list[str] = []
    for unit in _SPELLED:
        count, rest = divmod(rest, _MILLISECONDS[unit])
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
