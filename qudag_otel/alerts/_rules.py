"""Alerting rules from the catalogue's alerts: what every rule has is filled in here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qudag_otel._query.promql import number
from qudag_otel.alerts._model import AlertRule
from qudag_otel.alerts.promql import mostly
from qudag_otel.catalogue import Comparison
from qudag_otel.catalogue import thresholds as t

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qudag_otel.catalogue import Alert

ALERTS: Final[Mapping[str, Alert]] = {alert.name: alert for alert in t.ALERTS}


def rule(
    name: str,
    concern: str,
    expression: str,
    description: str,
    *,
    keep_firing: float = 0.0,
    drawn: str = "",
) -> AlertRule:
    """The rule of an alert; see `AlertRule` for the arguments.

    Args:
        name: The alert's name in the catalogue.
        concern: What it is about.
        expression: PromQL.
        description: The sentence, with placeholders.
        keep_firing: Seconds for which it goes on after the condition ended.
        drawn: What a panel draws; by default what the expression compares first.
    """
    alert = ALERTS[name]
    return AlertRule(
        alert=alert,
        expression=expression,
        concern=concern,
        description=description,
        severity=alert.severity,
        duration=alert.duration,
        keep_firing=keep_firing,
        drawn=drawn,
    )


def settled(name: str, series: str, *, most: float | None = None) -> str:
    """A recorded series compared with an alert's threshold: now, or most of the last minutes.

    One dip or one missing sample would begin the alert's duration anew.
    """
    share = 0.4 if ALERTS[name].comparison is Comparison.ABOVE else 0.6
    return mostly(crossed(name, "{}"), series, most or share)


def crossed(name: str, expression: str) -> str:
    """An expression compared with an alert's threshold, in the alert's direction."""
    alert = ALERTS[name]
    return f"{expression} {alert.comparison.value} {number(alert.threshold)}"
