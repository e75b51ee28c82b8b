"""The list of alerts and recorded series, as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qudag_otel._query.units import duration, quantity
from qudag_otel.alerts import (
    activity,
    anomalies,
    baselines,
    pipeline,
    presence,
    recording,
    watched,
)
from qudag_otel.alerts._model import AlertRule
from qudag_otel.catalogue import Comparison, Severity
from qudag_otel.catalogue import thresholds as t

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qudag_otel.alerts._model import Recorded, RuleFile
    from qudag_otel.catalogue import Alert

_INTRODUCTION: Final = """\
<!-- Generated from qudag_otel/catalogue by `python -m qudag_otel.alerts`; do not edit. -->

# Alerts and recorded series

Every alert carries a severity, a concern (what it is about), a summary, a description with the
measured value, a link to its section in [runbooks.md](runbooks.md) and a link to the panel that
draws the value. A critical alert pages, a warning opens a ticket, an info alert is a note.
"""

_ORDER: Final = (Severity.CRITICAL, Severity.WARNING, Severity.INFO)
_WITHOUT_LIMIT: Final = frozenset(
    {
        "AlertsGoNowhere",
        "CollectorAbsent",
        "ComponentUnhealthy",
        "NodeAbsent",
        "NodeDown",
        "NodeMakesNoProgress",
        "NodeUnwatched",
        "NodeWithoutPeers",
        "ReloadFailed",
        "SwarmAbsent",
        "SwarmStalled",
        "TargetDown",
        "Watchdog",
    }
)
"""Alerts that compare nothing a person would call a value."""

_RECORDED: Final = (
    ("Nodes", recording.NODE_RECORDED),
    ("Swarms", recording.SWARM_RECORDED),
    ("Instrumented operations", recording.OPERATION_RECORDED),
    ("Distributions", recording.DISTRIBUTIONS_RECORDED),
    ("Presence", (*presence.PRESENCE_RECORDED, *presence.EXPECTED_RECORDED)),
    ("Watched nodes", watched.WATCHED_RECORDED),
    ("Activity", activity.ACTIVITY_RECORDED),
    ("Baselines", baselines.BASELINE_RECORDED),
    ("Collectors", pipeline.PIPELINE_RECORDED),
    ("Applications' own telemetry", pipeline.APPLICATION_LOST),
)


def markdown(files: Iterable[RuleFile]) -> str:
    """The list, sorted by severity, then in the catalogue's order.

    Args:
        files: The rules.
    """
    rules: dict[str, list[AlertRule]] = {}
    for file in files:
        for group in file.groups:
            for rule in group.rules:
                if isinstance(rule, AlertRule):
                    rules.setdefault(rule.alert.name, []).append(rule)
    parts = [_INTRODUCTION]
    for severity in _ORDER:
        parts.append(f"## {severity.value.capitalize()}\n")
        rows = [
            _alert_row(alert, rules[alert.name]) for alert in t.ALERTS if alert.severity is severity
        ]
        parts.append(_table(("alert", "fires when", "for", "concern"), rows))
    parts.append("# Recorded series\n")
    for title, recorded in _RECORDED:
        parts.append(f"## {title}\n")
        parts.append(_table(("series", "labels", "unit", "meaning"), _recorded_rows(recorded)))
    return "\n".join(parts)


def _alert_row(alert: Alert, rules: list[AlertRule]) -> tuple[str, ...]:
    link = f"[{alert.name}](runbooks.md#{alert.name.lower()})"
    limit = f" ({limit_of(alert)})" if limit_of(alert) else ""
    waits = dict.fromkeys(duration(rule.duration) if rule.duration else "at once" for rule in rules)
    return link, f"{alert.summary.rstrip('.')}{limit}", ", ".join(waits), rules[0].concern


def limit_of(alert: Alert) -> str:
    """What the value is compared with; of what is unusual, a share of the usual and a floor.

    Empty where nothing is compared that a person would call a value.
    """
    if alert.name in _WITHOUT_LIMIT:
        return ""
    limit = f"{alert.comparison.value} {quantity(alert.threshold, alert.unit)}"
    if alert.name not in anomalies.FLOORS:
        return limit
    floor = quantity(anomalies.FLOORS[alert.name], alert.unit)
    of = "where the usual" if alert.comparison is Comparison.BELOW else "and"
    least = quantity(alert.threshold, "1")
    return f"{alert.comparison.value} {least} of the usual at least, {of} > {floor}"


def _recorded_rows(recorded: Iterable[Recorded]) -> list[tuple[str, ...]]:
    """One row a name: several rules may share it."""
    rows = {
        each.name: (
            f"`{each.name}`",
            ", ".join((*each.level.subject, *(key for key, _ in each.labels))),
            f"`{each.unit}`",
            each.description,
        )
        for each in recorded
    }
    return list(rows.values())


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)
