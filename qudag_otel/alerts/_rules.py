"""Alerting rules from the catalogue's alerts: what every rule has is filled in here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qudag_otel._query.promql import number
from qudag_otel.alerts._model import AlertRule
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
) -> AlertRule:
    """The rule of an alert; see `AlertRule` for the arguments.

    Args:
        name: The alert's name in the catalogue.
        concern: What it is about.
        expression: PromQL.
        description: The sentence, with placeholders.
    """
    alert = ALERTS[name]
    return AlertRule(
        alert=alert,
        expression=expression,
        concern=concern,
        description=description,
        severity=alert.severity,
        duration=alert.duration,
    )


def crossed(name: str, expression: str) -> str:
    """An expression compared with an alert's threshold, in the alert's direction."""
    alert = ALERTS[name]
    return f"{expression} {alert.comparison.value} {number(alert.threshold)}"
