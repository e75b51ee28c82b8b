"""Whom an alert is about, and since when: from what Prometheus keeps of its alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qudag_otel._query.prometheus import PrometheusError
from qudag_otel._query.promql import equal, select
from qudag_otel.alerts.groups import ALERT_RULES
from qudag_otel.explain._model import Episode, State

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qudag_otel.alerts._model import AlertRule
    from qudag_otel.explain._asked import Asked

_BEFORE_SECONDS: Final = 360.0
"""A rate of five minutes that was read so long ago holds nothing of what began."""
_DAY_SECONDS: Final = 86_400.0
_STEP_SECONDS: Final = 60.0
_OWN: Final = frozenset({"__name__", "alertname", "alertstate", "severity", "concern"})


def episodes(asked: Asked, alert: str, filters: Mapping[str, str]) -> list[Episode]:
    """The subjects of an alert, the longest in trouble first; none if it has no reason to speak.

    Args:
        asked: Whom to ask.
        alert: Its name.
        filters: Labels that the subjects must have.

    Raises:
        PrometheusError: No answer.
    """
    own = _OWN | {key for rule in _rules(alert) for key, _ in rule.labels}
    matchers = (equal("alertname", alert), *_matchers(filters))
    states = asked.instant(select("ALERTS", *matchers))
    begun = asked.instant(select("ALERTS_FOR_STATE", *matchers))
    found: dict[frozenset[tuple[str, str]], Episode] = {}
    for labels, since in begun:
        subject = {key: value for key, value in labels.items() if key not in own}
        of_subject = [
            State(each["alertstate"]) for each, _ in states if subject.items() <= each.items()
        ]
        if not of_subject:
            continue
        state = State.FIRING if State.FIRING in of_subject else State.PENDING
        key = frozenset(subject.items())
        former = found.get(key)
        if former is None or former.since is None or since < former.since:
            found[key] = _episode(asked, subject, state, since)
    return sorted(found.values(), key=lambda one: (one.state is not State.FIRING, one.since or 0.0))


def silent(asked: Asked, filters: Mapping[str, str]) -> Episode:
    """What stands for a subject of which the alert says nothing."""
    return Episode(
        labels=filters,
        state=State.SILENT,
        since=None,
        before=asked.at - asked.seconds(_BEFORE_SECONDS),
    )


def last_fired(asked: Asked, alert: str, filters: Mapping[str, str]) -> float | None:
    """When an alert fired last within a day, in seconds since 1970.

    Raises:
        PrometheusError: No answer.
    """
    matchers = (equal("alertname", alert), equal("alertstate", "firing"), *_matchers(filters))
    start = asked.at - asked.seconds(_DAY_SECONDS)
    step = max(asked.seconds(_STEP_SECONDS), 1.0)
    series = asked.prometheus.range(select("ALERTS", *matchers), start, asked.at, step)
    return max((each.points[-1][0] for each in series if each.points), default=None)


def expressions(asked: Asked, alert: str) -> Sequence[str]:
    """What Prometheus evaluates for an alert; if it does not tell, what it would by our files."""
    try:
        told = asked.prometheus.alert_expressions(alert)
    except PrometheusError:
        told = []  # Thanos' queriers and others answer queries alone
    return told or [asked.spelled(rule.expression) for rule in _rules(alert)]


def _rules(alert: str) -> list[AlertRule]:
    return [rule for rule in ALERT_RULES if rule.alert.name == alert]


def _matchers(filters: Mapping[str, str]) -> list[str]:
    return [equal(label, value) for label, value in filters.items()]


def _episode(asked: Asked, labels: Mapping[str, str], state: State, since: float) -> Episode:
    return Episode(
        labels=labels,
        state=state,
        since=since,
        before=since - asked.seconds(_BEFORE_SECONDS),
    )
