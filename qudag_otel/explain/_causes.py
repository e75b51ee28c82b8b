"""The value of an alert then and now, and its section's causes, weighed by their queries."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Final

from qudag_otel.alerts.runbooks import SECTIONS, condition, words
from qudag_otel.alerts.sections.binding import bound
from qudag_otel.explain._model import Evidence, Finding, Reading, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from qudag_otel.alerts.sections._model import Cause, Check
    from qudag_otel.catalogue import Alert
    from qudag_otel.explain._asked import Asked

_COMPARED: Final[dict[str, Callable[[float, float], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
}
_LARGEST: Final = frozenset({">", ">="})
_ORDER: Final = tuple(Verdict)


def reading(
    asked: Asked, alert: Alert, known: Mapping[str, Collection[str]], before: float
) -> Reading:
    """The value that the alert compares, before it began and now; of several the worst now.

    Raises:
        PrometheusError: No answer.
    """
    query = bound(SECTIONS[alert.name].value, known, before)
    worst = max if alert.comparison.value in _LARGEST else min

    def value(at: float) -> float | None:
        return worst((value for _, value in asked.instant(query, at)), default=None)

    return Reading(
        query=asked.spelled(query), unit=alert.unit, before=value(before), now=value(asked.at)
    )


def findings(
    asked: Asked, alert: str, known: Mapping[str, Collection[str]], before: float
) -> tuple[Finding, ...]:
    """The causes of an alert, those that fit first, else in the order of its section.

    Raises:
        PrometheusError: No answer.
    """
    answers: dict[Check, Evidence] = {}

    def evidence(check: Check) -> Evidence:
        if check not in answers:
            answers[check] = _evidence(asked, check, known, before)
        return answers[check]

    def finding(cause: Cause) -> Finding:
        found = tuple(map(evidence, cause.checks))
        return Finding(cause=cause.text, verdict=_verdict(found), evidence=found)

    weighed = map(finding, SECTIONS[alert].causes)
    return tuple(sorted(weighed, key=lambda one: _ORDER.index(one.verdict)))


def _evidence(
    asked: Asked, check: Check, known: Mapping[str, Collection[str]], before: float
) -> Evidence:
    query = bound(check.query, known, before)
    values = [value for _, value in asked.instant(query)]
    # One candidate is enough, so the one that comes closest speaks for all.
    value = (max if check.comparison in _LARGEST else min)(values, default=None)
    return Evidence(
        words=words(check),
        query=asked.spelled(condition(check, query)),
        value=value,
        unit=check.unit,
        holds=None if value is None else _COMPARED[check.comparison](value, check.limit),
    )


def _verdict(found: tuple[Evidence, ...]) -> Verdict:
    said = [one.holds for one in found]
    if False in said:
        return Verdict.DOES_NOT_FIT
    if not said or None in said:
        return Verdict.UNKNOWN
    return Verdict.FITS
