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
        two_weeks: The same, two weeks ago.
        expected_low: The middle one of the three; the smaller of yesterday and last week, or the
            one there is, within the first two weeks.
        expected_high: The same with the larger.
        average_yesterday: What `average` was a day ago.
        average_last_week: What `average` was a week ago.
        average_two_weeks: What `average` was two weeks ago.
        previous_low: Of these three, as `expected_low`.
        previous_high: Of these three, as `expected_high`.
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
    two_weeks: Recorded
    expected_low: Recorded
    expected_high: Recorded
    average_yesterday: Recorded
    average_last_week: Recorded
    average_two_weeks: Recorded
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
    two_weeks = recorded(
        "two_weeks",
        _hour(x, 2 * _WEEK - _HOUR / 2),
        "Hour around this time two weeks ago, average",
    )
    around = (yesterday.name, last_week.name, two_weeks.name)
    low = recorded(
        "expected_low",
        _middle("<", *around),
        "Around this time, yesterday, last week and before, the middle or smaller",
    )
    high = recorded(
        "expected_high",
        _middle(">", *around),
        "Around this time, yesterday, last week and before, the middle or larger",
    )
    average_yesterday = recorded(
        "avg1h_yesterday", _hour(x, _DAY), "Average over an hour, a day ago"
    )
    average_last_week = recorded(
        "avg1h_last_week", _hour(x, _WEEK), "Average over an hour, a week ago"
    )
    average_two_weeks = recorded(
        "avg1h_two_weeks", _hour(x, 2 * _WEEK), "Average over an hour, two weeks ago"
    )
    hours = (average_yesterday.name, average_last_week.name, average_two_weeks.name)
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
        two_weeks=two_weeks,
        expected_low=low,
        expected_high=high,
        average_yesterday=average_yesterday,
        average_last_week=average_last_week,
        average_two_weeks=average_two_weeks,
        previous_low=recorded(
            "previous_low",
            _middle("<", *hours),
            "Average over an hour, a day and a week ago and before, the middle or smaller",
        ),
        previous_high=recorded(
            "previous_high",
            _middle(">", *hours),
            "Average over an hour, a day and a week ago and before, the middle or larger",
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

    The first hour of a node is not what it usually does. What runs for less than an hour each night
    was there the night before.
    """
    before, day_before = duration(back + _HOUR), duration(back + _DAY)
    return (
        f"{function}({series}[1h] offset {duration(back)})"
        f" and (last_over_time({series}[1h] offset {before})"
        f" or last_over_time({series}[1h] offset {day_before}))"
    )


def _either(comparison: str, first: str, second: str) -> str:
    """The smaller or larger of two values, or the one there is."""
    return f"({first} {comparison} {second}) or {second} or {first}"


def _middle(comparison: str, yesterday: str, last_week: str, two_weeks: str) -> str:
    """The middle one of three, so that one odd day is no measure: a Sunday, an outage, a holiday.

    Without the third, the smaller or larger of the others.
    """
    low, high = _either("<", yesterday, last_week), _either(">", yesterday, last_week)
    other = f"({high}) < {two_weeks} or {two_weeks}"
    return f"({low}) > {two_weeks} or {other} or {_either(comparison, yesterday, last_week)}"


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
