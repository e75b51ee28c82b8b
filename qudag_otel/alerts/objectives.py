"""Recorded series and rules of service-level objectives: how fast an error budget burns.

The alerts are the same for all objectives; an objective adds recorded series, which say what it
allows and how much of that is used.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from qudag_otel._query.promql import aggregate, among, duration, equal, number, share
from qudag_otel.alerts._model import AlertRule, Level, Recorded
from qudag_otel.alerts._rules import rule
from qudag_otel.alerts.promql import series
from qudag_otel.catalogue import Severity
from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue import thresholds as t

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qudag_otel.catalogue.thresholds import BurnWindow
    from qudag_otel.objectives import Objective

ALLOWED: Final = "operation:qudag_objective_allowed:ratio"
"""The share of bad calls that an objective allows, by operation, component and sli."""

_BAD: Final = "qudag_objective_bad"
_LONG: Final = tuple(duration(window.long) for window in t.BURN_WINDOWS)
WINDOWS: Final = tuple(
    duration(length)
    for length in sorted({each for window in t.BURN_WINDOWS for each in window[1:3]})
)
"""The ranges over which the share of bad calls is recorded, ascending."""

_NAMES: Final = {
    Severity.CRITICAL: "ObjectiveBurnsFast",
    Severity.WARNING: "ObjectiveBurnsSlowly",
}


class ObjectiveError(ValueError):
    """An objective cannot be measured; the message says what would be."""


def bad_ratio(window: str) -> str:
    """The name of the recorded share of bad calls over a range."""
    return f"operation:{_BAD}:ratio_rate{window}"


def bad_count(window: str) -> str:
    """The name of the recorded number of bad calls over a range."""
    return f"operation:{_BAD}:increase{window}"


def recorded(objectives: Mapping[tuple[str, str], Objective]) -> tuple[Recorded, ...]:
    """The series of some objectives.

    Args:
        objectives: Objectives by operation and component.

    Raises:
        ObjectiveError: A latency is no bound of the histogram, so calls within it are not counted.
    """
    return tuple(
        series
        for (operation, component), objective in sorted(objectives.items())
        for series in _recorded(operation, component, objective)
    )


def _recorded(operation: str, component: str, objective: Objective) -> list[Recorded]:
    of = (equal(a.OPERATION.key, operation), equal(a.COMPONENT.key, component))
    every = _Calls("_count", of)
    found: list[Recorded] = []
    if objective.success is not None:
        failed = _Calls("_count", (*of, equal(a.OUTCOME.key, "error")))
        found += _sli(
            operation,
            component,
            "success",
            f"{every.there()} + {number(1 - objective.success)}",
            # An operation that never failed has no series of errors.
            lambda window: share(failed.over(window), every.over(window)),
            lambda window: failed.over(window, "increase"),
        )
    if objective.latency is not None:
        inside = _Calls("_bucket", (*of, _within(operation, objective.latency)))
        found += _sli(
            operation,
            component,
            "latency",
            f"{every.there()} + {number(1 - objective.target)}",
            lambda window: f"1 - {inside.over(window)} / ({every.over(window)} > 0)",
            lambda window: f"{every.over(window, 'increase')} - {inside.over(window, 'increase')}",
        )
    return found


class _Calls(NamedTuple):
    """Calls of an operation, counted by a series of the histogram."""

    suffix: str
    matchers: tuple[str, ...]

    def over(self, window: str, function: str = "rate") -> str:
        """Their sum in each fleet: the rule itself says which operation it is about."""
        calls = series(m.OPERATION_DURATION, self.suffix, *self.matchers)
        return aggregate("sum", a.SCOPE, f"{function}({calls}[{window}])")

    def there(self) -> str:
        """The fleets that had such calls lately, as zeros."""
        calls = series(m.OPERATION_DURATION, self.suffix, *self.matchers)
        return f"0 * {aggregate('group', a.SCOPE, f'last_over_time({calls}[1h])')}"


def _sli(
    operation: str,
    component: str,
    sli: str,
    allowed: str,
    share_of: Callable[[str], str],
    count_of: Callable[[str], str],
) -> list[Recorded]:
    """What is allowed, the share of bad calls over each range, and their number."""

    def series_of(subject: str, function: str, expression: str, unit: str, words: str) -> Recorded:
        return Recorded(
            level=Level.OPERATION,
            subject=subject,
            operation=function,
            expression=expression,
            unit=unit,
            description=words,
            labels=(("component", component), ("operation", operation), ("sli", sli)),
        )

    words = "Share of bad calls that an objective allows."
    return [
        series_of("qudag_objective_allowed", "ratio", allowed, "1", words),
        *(
            series_of(
                _BAD,
                f"ratio_rate{window}",
                share_of(window),
                "1",
                f"Share of an operation's calls that missed its objective, over {window}.",
            )
            for window in WINDOWS
        ),
        *(
            series_of(
                _BAD,
                f"increase{window}",
                count_of(window),
                "{call}",
                f"Calls of an operation that missed its objective, over {window}.",
            )
            for window in _LONG
        ),
    ]


def _within(operation: str, latency: float) -> str:
    """The matcher of the bucket that ends at a latency, however the bound is spelled.

    Prometheus writes 1 as "1.0" when it scrapes, and as "1" when it takes OTLP.
    """
    bounds = m.OPERATION_DURATION.bounds
    if latency not in bounds:
        choice = ", ".join(f"{bound:g}" for bound in bounds)
        raise ObjectiveError(
            f"the objective of {operation!r} has latency={latency:g}, which is no bucket bound of"
            f" {m.OPERATION_DURATION.prometheus_name}; choose one of {choice}"
        )
    spellings = sorted({f"{latency:g}", f"{latency!r}", f"{latency:f}".rstrip("0").rstrip(".")})
    return among("le", spellings)


def _burn_rule(window: BurnWindow) -> AlertRule:
    """The rule of one pair of ranges; the short one ends the alert soon after the fault."""
    long, short = duration(window.long), duration(window.short)
    limit = f"{number(window.factor)} * {ALLOWED}"
    return replace(
        rule(
            _NAMES[window.severity],
            "objective",
            f"{bad_ratio(long)} > {limit} and {bad_ratio(short)} > {limit}"
            f" and {bad_count(long)} >= {number(t.BURN_LEAST_BAD)}",
            "<value> of the calls of <operation> (<component>) missed its <sli> objective within"
            f" the last {long}, more than {number(window.factor)} times what the objective allows.",
        ),
        severity=window.severity,
        duration=window.duration,
        labels=(("window", long),),
    )


OBJECTIVE_RULES: Final = tuple(_burn_rule(window) for window in t.BURN_WINDOWS)
"""The rules of all objectives, fastest burn first."""
