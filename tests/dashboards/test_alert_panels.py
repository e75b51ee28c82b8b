"""The panel that an alert's link opens draws what the alert compares, and with what."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from qudag_otel.alerts.drawn import drawn
from qudag_otel.alerts.groups import ALERT_RULES
from qudag_otel.catalogue import Comparison, uids
from qudag_otel.catalogue.attributes import SCOPE
from qudag_otel.dashboards._promql import narrowed
from tests.dashboards.files import panels

if TYPE_CHECKING:
    from qudag_otel.alerts._model import AlertRule
    from tests.dashboards.files import Json

PANELS: Final = {(board["uid"], panel["id"]): panel for board, panel in panels()}
CHOSEN: Final = re.compile(r'(?:\w+=~"\$\w+",?)+')
ELSEWHERE: Final = {"SwarmStalled", "TargetDown", "Watchdog"}
"""Compared over the time that a task may take, or in most scrapes, and drawn as it is."""
EVERY: Final = pytest.mark.parametrize(
    "rule", ALERT_RULES, ids=lambda rule: "-".join((rule.alert.name, *dict(rule.labels).values()))
)


def _panel(rule: AlertRule) -> Json:
    return PANELS[uids.location(rule.alert)]


def _drawn(rule: AlertRule) -> set[str]:
    """The panel's expressions, with nothing chosen."""
    found = (CHOSEN.sub("", target["expr"]) for target in _panel(rule)["targets"])
    return {expression.replace("{}", "") for expression in found}


@EVERY
def test_panel_draws_the_expression_of_the_rule(rule: AlertRule) -> None:
    """What stands left of the comparison, word by word; and right of it, if it is no number."""
    shown = drawn(rule)
    assert {shown.value, *shown.limits} <= _drawn(rule)
    if rule.alert.name not in ELSEWHERE:
        assert shown.value in rule.expression
    for limit in shown.limits:
        assert re.search(rf"{re.escape(shown.value)} [<>] {re.escape(limit)}", rule.expression)


@EVERY
def test_panel_shows_where_the_alert_begins(rule: AlertRule) -> None:
    """Its threshold is a step in the alert's colour, unless lines show it."""
    steps = _panel(rule)["fieldConfig"]["defaults"]["thresholds"]["steps"]
    first = next(each for each in ALERT_RULES if each.alert.name == rule.alert.name)
    if drawn(first).limits:
        assert [step["color"] for step in steps] == ["blue"]
        return
    alert = rule.alert
    assert {"critical": "red", "warning": "yellow", "info": "blue"}[alert.severity.value] in {
        step["color"] for step in steps
    }
    assert (alert.threshold or 0.001) in {step["value"] for step in steps}
    below = alert.comparison is Comparison.BELOW or alert.threshold == 0
    below &= alert.comparison is not Comparison.ABOVE
    assert (steps[0]["color"] == "transparent") is not below


def test_alerts_on_one_value_show_each_others_thresholds() -> None:
    """The warning and the critical value of CPU are two lines on both panels."""
    for rule in ALERT_RULES:
        if rule.alert.name in {"HighCPUUsage", "CriticalCPUUsage"}:
            steps = _panel(rule)["fieldConfig"]["defaults"]["thresholds"]["steps"]
            assert [step["value"] for step in steps] == [None, 80.0, 90.0]


def test_every_alert_has_a_number_of_its_own() -> None:
    """None is left out, none twice; and none that is gone keeps another from its number."""
    names = {rule.alert.name for rule in ALERT_RULES}
    assert set(uids.ALERT_NUMBERS) >= names
    assert len(set(uids.ALERT_NUMBERS)) == len(uids.ALERT_NUMBERS)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("node:qudag_messages:rate5m", 'node:qudag_messages:rate5m{node_id=~"$node_id"}'),
        ('qudag_errors_total{x="a"}', 'qudag_errors_total{node_id=~"$node_id",x="a"}'),
        (
            "sum by (node_id) (qudag_errors_total)",
            'sum by (node_id) (qudag_errors_total{node_id=~"$node_id"})',
        ),
        ("rate(up[5m])", "rate(up[5m])"),
        ("collectors:otelcol:absent", "collectors:otelcol:absent"),
    ],
)  # fmt: skip
def test_expression_is_narrowed_to_what_is_chosen(expression: str, expected: str) -> None:
    """Series of nodes and swarms get the matcher; labels, functions and others do not."""
    fleet = ",".join(f'{label}=~"${label}"' for label in SCOPE)
    assert narrowed(expression) == expected.replace("{node_id", f"{{{fleet},node_id")
