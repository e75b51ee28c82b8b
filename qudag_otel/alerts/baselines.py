"""What is normal, recorded: the same time yesterday and last week, median, deviation, bands.

Two bands, because each is fooled by what the other one sees. The adaptive band follows the hour
of the day: expected is what the same hour brought yesterday and last week. The robust band is the
last day's median and quartiles, which an incident of an hour cannot move.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Final

from qudag_otel._query.promql import duration
from qudag_otel.alerts import recording as r
from qudag_otel.alerts._model import Recorded
from qudag_otel.catalogue import thresholds as t

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOUR: Final = 3600.0
_DAY: Final = 24 * _HOUR
_WEEK: Final = 7 * _DAY

# Of a normal distribution: the distance between its quartiles, in standard deviations.
_QUARTILES_SIGMA: Final = 1.349


@dataclass(frozen=True, slots=True, kw_only=True)
class Tracked:
    """A recorded series and its baselines.

    Args:
        base: The series.
        average: Its average over the last hour.
        yesterday: Its average over the hour around this time yesterday.
        last_week: The same, a week ago.
        expected_low: The smaller of the two, or the one there is.
        expected_high: The larger of the two, or the one there is.
        average_yesterday: What `average` was a day ago.
        average_last_week: What `average` was a week ago.
        previous_low: The smaller of the two, or the one there is.
        previous_high: The larger of the two, or the one there is.
        noise: Its standard deviation within that hour yesterday.
        adaptive_lower: Lower end of what is usual at this time of the day.
        adaptive_upper: Upper end of it.
        median: Its median over the last day.
        deviation: Its deviation over the last day, from the quartiles.
        robust_lower: Lower end of what is usual at any time of the day.
        robust_upper: Upper end of it.
    """

    base: Recorded
    average: Recorded
    yesterday: Recorded
    last_week: Recorded
    expected_low: Recorded
    expected_high: Recorded
    average_yesterday: Recorded
    average_last_week: Recorded
    previous_low: Recorded
    previous_high: Recorded
    noise: Recorded
    adaptive_lower: Recorded
    adaptive_upper: Recorded
    median: Recorded
    deviation: Recorded
    robust_lower: Recorded
    robust_upper: Recorded

    def __iter__(self) -> Iterator[Recorded]:
        """The baselines, each after those that it reads."""
        return (getattr(self, each.name) for each in fields(self)[1:])


def track(base: Recorded) -> Tracked:
    """The baselines of a recorded series."""

    def recorded(operation: str, expression: str, description: str) -> Recorded:
        return Recorded(
            level=base.level,
            subject=base.subject,
            operation=operation,
            expression=expression,
            unit=base.unit,
            description=f"{description}: {base.description[0].lower()}{base.description[1:]}",
        )

    x = base.name
    average = recorded("avg1h", f"avg_over_time({x}[1h])", "Average over an hour")
    # Values of now are compared with the hour around this time, averages of an hour with the
    # same hour; otherwise every morning's rise would look half an hour late.
    yesterday = recorded(
        "yesterday", _hour(x, _DAY - _HOUR / 2), "Hour around this time yesterday, average"
    )
    last_week = recorded(
        "last_week", _hour(x, _WEEK - _HOUR / 2), "Hour around this time last week, average"
    )
    around = (yesterday.name, last_week.name)
    low = recorded(
        "expected_low",
        _either("<", *around),
        "Around this time, yesterday or last week, the smaller",
    )
    high = recorded(
        "expected_high",
        _either(">", *around),
        "Around this time, yesterday or last week, the larger",
    )
    average_yesterday = recorded(
        "avg1h_yesterday", _hour(x, _DAY), "Average over an hour, a day ago"
    )
    average_last_week = recorded(
        "avg1h_last_week", _hour(x, _WEEK), "Average over an hour, a week ago"
    )
    hours = (average_yesterday.name, average_last_week.name)
    noise = recorded(
        "noise",
        _hour(x, _DAY - _HOUR / 2, "stddev_over_time"),
        "Hour around this time yesterday, standard deviation",
    )
    median = recorded("median1d", f"quantile_over_time(0.5, {x}[1d])", "Median of a day")
    deviation = recorded(
        "deviation1d",
        f"(quantile_over_time(0.75, {x}[1d]) - quantile_over_time(0.25, {x}[1d]))"
        f" / {_QUARTILES_SIGMA:g}",
        "Robust deviation of a day",
    )
    # Quartiles of less than a day would be those of the night, or of the start.
    day_old = f"and last_over_time({x}[1h] offset 1d)"
    return Tracked(
        base=base,
        average=average,
        yesterday=yesterday,
        last_week=last_week,
        expected_low=low,
        expected_high=high,
        average_yesterday=average_yesterday,
        average_last_week=average_last_week,
        previous_low=recorded(
            "previous_low",
            _either("<", *hours),
            "Average over an hour, a day or a week ago, the smaller",
        ),
        previous_high=recorded(
            "previous_high",
            _either(">", *hours),
            "Average over an hour, a day or a week ago, the larger",
        ),
        noise=noise,
        adaptive_lower=recorded(
            "adaptive_lower",
            f"clamp_min({low.name} - ({_width(noise, t.ADAPTIVE_DEVIATIONS, low)}), 0)",
            "Adaptive band, lower end",
        ),
        adaptive_upper=recorded(
            "adaptive_upper",
            f"{high.name} + ({_width(noise, t.ADAPTIVE_DEVIATIONS, high)})",
            "Adaptive band, upper end",
        ),
        median=median,
        deviation=deviation,
        robust_lower=recorded(
            "robust_lower",
            f"clamp_min({median.name} - ({_width(deviation, t.ROBUST_DEVIATIONS, median)}), 0)"
            f" {day_old}",
            "Robust band, lower end",
        ),
        robust_upper=recorded(
            "robust_upper",
            f"{median.name} + ({_width(deviation, t.ROBUST_DEVIATIONS, median)}) {day_old}",
            "Robust band, upper end",
        ),
    )


def _hour(series: str, back: float, function: str = "avg_over_time") -> str:
    """An hour that ended some seconds ago, if the series was there before that hour, too.

    The first hour of a node is not what it usually does.
    """
    before = duration(back + _HOUR)
    return (
        f"{function}({series}[1h] offset {duration(back)})"
        f" and last_over_time({series}[1h] offset {before})"
    )


def _either(comparison: str, first: str, second: str) -> str:
    """The smaller or larger of two values, or the one there is."""
    return f"({first} {comparison} {second}) or {second} or {first}"


def _width(deviation: Recorded, factor: float, centre: Recorded) -> str:
    """Half a band's width: some deviations, but at least a share of the centre."""
    least = f"{t.BAND_FLOOR:g} * {centre.name}"
    return f"{factor:g} * {deviation.name} > {least} or {least}"


MESSAGES: Final = track(r.MESSAGES_RATE)
CHUNKING: Final = track(r.CHUNKING_P95)
TASKS: Final = track(r.TASK_P95)
CACHE_HITS: Final = track(r.CACHE_HIT_RATIO)

TRACKED: Final = (MESSAGES, CHUNKING, TASKS, CACHE_HITS)
"""The series that have baselines."""

BASELINE_RECORDED: Final = tuple(series for tracked in TRACKED for series in tracked)
"""Every recorded baseline."""
