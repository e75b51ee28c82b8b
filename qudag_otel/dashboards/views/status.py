"""Is it healthy, and if not, where: the state of all alerts, and of the nodes themselves."""

from __future__ import annotations

from typing import Final

from qudag_otel.catalogue import Panel, Severity, uids
from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue.thresholds import ALERTS, OBJECTIVE_ALERTS, PIPELINE_ALERTS
from qudag_otel.dashboards import _external as x
from qudag_otel.dashboards._view import (
    BLUE,
    GREEN,
    RED,
    YELLOW,
    Kind,
    Label,
    Query,
    Step,
    View,
)
from qudag_otel.dashboards.views.telemetry import REPORTING, SEEN

_WATCHDOG: Final = "Watchdog"
_CHOSEN: Final = ",".join(
    f'{label}=~"${label}|"' for label in (*a.SCOPE, a.NODE_ID.key, a.SWARM_ID.key)
)
"""Alerts of the chosen nodes and swarms, and those that are about neither."""
_WEIGHT: Final = {Severity.CRITICAL: 3, Severity.WARNING: 2, Severity.INFO: 1}
_COLOR: Final = {Severity.CRITICAL: RED, Severity.WARNING: YELLOW, Severity.INFO: BLUE}
_EVALUATED: Final = f'max({x.ALERTS}{{alertname="{_WATCHDOG}",alertstate="firing"}})'
"""The alert that always fires: without it, an empty list of alerts would mean nothing."""
_BLIND: Final = (
    "The rules are not evaluated (not even the alert that always fires is there), so the absence "
    "of alerts means nothing. Are alerts/rules loaded in this Prometheus?"
)


def _firing(*matchers: str) -> str:
    words = ['alertstate="firing"', f'alertname!="{_WATCHDOG}"', *matchers, _CHOSEN]
    return f"{x.ALERTS}{{{','.join(words)}}}"


def _severity(severity: Severity) -> str:
    return f'severity="{severity.value}"'


def _worst(*matchers: str) -> str:
    """The weight of the worst alert that fires; 0 if none does but the rules are evaluated."""
    weighted = [
        f"{weight} * {_firing(_severity(severity), *matchers)}"
        for severity, weight in _WEIGHT.items()
    ]
    return f"max({' or '.join(weighted)}) or 0 * {_EVALUATED}"


_AREAS: Final = {
    **{panel.value: [alert.name for alert in ALERTS if alert.panel is panel] for panel in Panel},
    "Telemetry": [alert.name for alert in PIPELINE_ALERTS if alert.name != _WATCHDOG],
    "Objectives": [alert.name for alert in OBJECTIVE_ALERTS],
}
_STATES: Final = (
    Label(0, "Healthy", GREEN),
    *(
        Label(weight, severity.value.title(), _COLOR[severity])
        for severity, weight in sorted(_WEIGHT.items(), key=lambda pair: pair[1])
    ),
)

FIRING: Final = View(
    title="Alerts firing",
    description=(
        "How many alerts fire, by severity. Green is healthy. Otherwise read the two panels to "
        "the right: the area, and the alert; each alert's annotation links its runbook."
    ),
    queries=tuple(
        Query(
            expression=f"count({_firing(_severity(severity))}) or 0 * {_EVALUATED}",
            legend=severity.value.title(),
            instant=True,
        )
        for severity in Severity
    ),
    empty=_BLIND,
    unit="none",
    kind=Kind.STAT,
    steps=(Step(None, GREEN),),
    series_steps=tuple(
        (f"^{severity.value.title()}$", (Step(None, GREEN), Step(1.0, _COLOR[severity])))
        for severity in Severity
    ),
    decimals=0,
)
NODES: Final = View(
    title="Nodes",
    description=(
        "How many of the selected nodes report now, and how many reported in the time shown but "
        "no longer do. A silent node is down, cut off, or its telemetry is: Telemetry Health "
        "tells which."
    ),
    queries=(
        Query(expression=f"count({REPORTING})", legend="Reporting", instant=True),
        Query(
            expression=(f"count({SEEN} unless {REPORTING}) or 0 * count({SEEN})"),
            legend="Silent",
            instant=True,
        ),
    ),
    empty="No node reported anything in the time shown.",
    unit="none",
    kind=Kind.STAT,
    steps=(Step(None, BLUE),),
    series_steps=(("^Silent$", (Step(None, GREEN), Step(1.0, RED))),),
    details=uids.TELEMETRY,
    decimals=0,
)
ALERT_STATES: Final = View(
    title="Alerts over time",
    description=(
        "Every alert that was pending or firing in the time shown, in the colour of its severity. "
        "What started first is often the cause of the rest."
    ),
    queries=(
        Query(
            expression=(
                f"max by ({', '.join(('alertname', *a.SCOPE, a.NODE_ID.key, a.SWARM_ID.key))}) ("
                + " or ".join(
                    f"{weight + 1} * {_firing(_severity(severity))}"
                    for severity, weight in _WEIGHT.items()
                )
                + f' or {x.ALERTS}{{alertstate="pending",{_CHOSEN}}})'
            ),
            legend="{{alertname}} {{node_id}}{{swarm_id}}",
        ),
    ),
    empty="No alert was pending or firing in the time shown.",
    unit="none",
    kind=Kind.STATES,
    minimum=None,
    labels=(
        Label(1, "Pending", "super-light-yellow"),
        *(
            Label(weight + 1, f"Firing, {severity.value}", _COLOR[severity])
            for severity, weight in sorted(_WEIGHT.items(), key=lambda pair: pair[1])
        ),
    ),
)
AREAS: Final = View(
    title="Where it is unhealthy",
    description=(
        "The worst alert that fires in each area, over time. Go to the area's panel below, then "
        "to its details. A gap is a time in which the rules were not evaluated."
    ),
    queries=tuple(
        Query(expression=_worst(f'alertname=~"{"|".join(names)}"'), legend=area)
        for area, names in _AREAS.items()
    ),
    empty=_BLIND,
    unit="none",
    kind=Kind.STATES,
    minimum=None,
    labels=_STATES,
)
ANNOTATION: Final = _firing()
"""What marks the times of alerts on every other panel."""
