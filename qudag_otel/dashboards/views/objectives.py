"""Objectives of instrumented operations: error budgets, and how fast they burn."""

from __future__ import annotations

from typing import Final

from qudag_otel._query.promql import duration
from qudag_otel.alerts.objectives import ALLOWED, WINDOWS, bad_count, bad_ratio
from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue import thresholds as t
from qudag_otel.dashboards import _thresholds as thresholds
from qudag_otel.dashboards._promql import chosen
from qudag_otel.dashboards._view import GREEN, RED, Column, Kind, Query, Shape, Step, View

_NONE: Final = (
    "No objective is recorded. Give operations one with @instrumented(objective=...) and export "
    "the alerts' rules for their module."
)
_NAMED: Final = "{{component}} {{operation}}, {{sli}}"
_CHOSEN: Final = f"{{{chosen(a.COMPONENT)},{chosen(a.OPERATION)}}}"
_LONGEST: Final = duration(max(window.long for window in t.BURN_WINDOWS))
_ALARMING: Final = duration(min(window.long for window in t.BURN_WINDOWS))
_PROMISE: Final = (
    Column(a.COMPONENT.key, "Component"),
    Column(a.OPERATION.key, "Operation"),
    Column("sli", "Promise"),
)
_LETTERS: Final = "ABCDEFGHIJ"


def _burn(window: str, where: str = _CHOSEN) -> str:
    """How many times faster than allowed calls go wrong."""
    return f"{bad_ratio(window)}{where} / {ALLOWED}{where}"


def budget(*where: str) -> View:
    """What is left of error budgets."""
    return View(
        title=f"Error budget left, of {_LONGEST}",
        description=(
            f"What is left of the bad calls that each objective allows, over the last {_LONGEST}. "
            "Below zero the promise is broken: stop risky changes until it recovers."
        ),
        queries=(
            Query(
                expression=f"1 - {_burn(_LONGEST, '{' + ','.join(where) + '}')}",
                legend=_NAMED,
                instant=True,
            ),
        ),
        empty=_NONE,
        unit="percentunit",
        kind=Kind.BARS,
        maximum=1.0,
        steps=(Step(None, RED), Step(thresholds.JUST_ABOVE_ZERO, GREEN)),
    )


BUDGET: Final = budget(chosen(a.COMPONENT), chosen(a.OPERATION))
BURN: Final = View(
    title=f"Burn rate, over {_ALARMING}",
    description=(
        "How many times faster than allowed the error budget is spent. 1 spends it exactly by "
        "its end; the coloured areas are the rates from which alerts fire. Look at the "
        "operation's errors and durations."
    ),
    queries=(Query(expression=_burn(_ALARMING), legend=_NAMED),),
    empty=_NONE,
    unit="none",
    steps=thresholds.burn(),
)
WINDOWED: Final = View(
    title="Burn rate by window",
    description=(
        "The burn rate over every window. High over short ones only: it just started. High over "
        "long ones only: it is over, but the budget is spent."
    ),
    queries=tuple(
        Query(expression=_burn(window), shape=Shape.TABLE, instant=True) for window in WINDOWS
    ),
    empty=_NONE,
    unit="none",
    kind=Kind.TABLE,
    columns=(
        *_PROMISE,
        *(
            Column(f"Value #{letter}", window, unit="none", steps=thresholds.burn(healthy=GREEN))
            for letter, window in zip(_LETTERS, WINDOWS, strict=False)
        ),
    ),
)
ALLOWANCE: Final = View(
    title="What is promised",
    description=(
        "The share of calls that each objective allows to go wrong, and how many did over the "
        f"last {_LONGEST}. `success` counts errors, `latency` calls that took too long."
    ),
    queries=(
        Query(expression=f"{ALLOWED}{_CHOSEN}", shape=Shape.TABLE, instant=True),
        Query(expression=f"{bad_count(_LONGEST)}{_CHOSEN}", shape=Shape.TABLE, instant=True),
    ),
    empty=_NONE,
    unit="none",
    kind=Kind.TABLE,
    columns=(
        *_PROMISE,
        Column("Value #A", "Allowed", unit="percentunit"),
        Column("Value #B", "Bad calls", unit="short"),
    ),
)
BAD: Final = View(
    title="Share of bad calls",
    description=(
        f"The share of calls that missed their objective, over {WINDOWS[0]}, beside what is "
        "allowed: the moment at which it started shows here best."
    ),
    queries=(Query(expression=f"{bad_ratio(WINDOWS[0])}{_CHOSEN}", legend=_NAMED),),
    empty=_NONE,
    unit="percentunit",
)
