"""The words in which the alerts' unit tests are written, and their form for `promtool test rules`.

Series are given as phases of minutes, with a sample every 15 seconds unless a scenario says
otherwise; expected labels and descriptions are spelled out, so that they do not follow the rules
they check.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import yaml

from qudag_otel import Objective
from qudag_otel.alerts import groups
from qudag_otel.alerts.annotations import DEFAULT_GRAFANA, DEFAULT_RUNBOOKS
from qudag_otel.catalogue import thresholds, uids

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qudag_otel.catalogue import Metric

HEADER: Final = "# Generated from tests/alerts/cases by `python -m tests.alerts`; do not edit.\n"
STEP_SECONDS: Final = 15
RESTART: Final = "restart"
"""A phase: the counter begins at 0 again."""

SCOPE: Final = {"deployment_environment_name": "prod", "cluster": "c1", "group": "g1"}
"""The fleet of every series and every alert that does not name one."""

Series = dict[str, str]
Phase = tuple[float | None, float]
_ALERTS: Final = {alert.name: alert for alert in thresholds.ALERTS}


@dataclass(frozen=True, kw_only=True)
class Fires:
    """One expected alert.

    Attributes:
        labels: its labels, without alertname, severity and concern.
        description: the annotation, word by word.
        severity: where it is not the scenario's.
    """

    labels: Mapping[str, str]
    description: str
    severity: str = ""


@dataclass(frozen=True, kw_only=True)
class Case:
    """One test: series, and what is expected when.

    Attributes:
        name: what it shows.
        series: values by selector, in promtool's notation.
        at: the alerts expected at a time, such as "16m45s"; none means silence.
        values: the value expected of an expression at a time, by labels; for recorded series.
        interval: seconds between samples, where they are not the scenario's.
    """

    name: str
    series: Series
    at: Mapping[str, tuple[Fires, ...]] = field(default_factory=dict)
    values: Mapping[tuple[str, str], Mapping[str, float]] = field(default_factory=dict)
    interval: int | None = None


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """All tests of one alert, or of some recorded series; a file of its own.

    Attributes:
        name: the alert's name, or that of a group of recorded series.
        rules: the rule files that are loaded.
        severity: expected label.
        concern: expected label.
        interval: seconds between samples and between evaluations.
    """

    name: str
    rules: tuple[str, ...]
    cases: tuple[Case, ...]
    severity: str = ""
    concern: str = ""
    interval: int = STEP_SECONDS


def silent(until: int, every: int = 1, start: int = 0) -> dict[str, tuple[Fires, ...]]:
    """No alert, looked at once in `every` minutes."""
    return {f"{minute}m": () for minute in range(start, until + 1, every)}


def counter(*phases: Phase | str, step: int = STEP_SECONDS) -> str:
    """A counter from 0: (increase a second, minutes); None for the increase means no sample."""
    # A series that begins later has no sample at first.
    parts, value = (["0"] if not phases or phases[0][0] is not None else []), 0.0
    for phase in phases:
        if isinstance(phase, str):
            value = 0.0
            parts.append("0")
            continue
        rate, minutes = phase
        count = round(minutes * 60 / step)
        if rate is None:
            parts.append(f"_x{count}")
            continue
        each = round(rate * step, 9)
        parts.append(f"{_number(value + each)}+{_number(each)}x{count - 1}")
        value += each * count
    return " ".join(parts)


def gauge(*phases: Phase, step: int = STEP_SECONDS) -> str:
    """A gauge: (value, minutes); None for the value means no sample."""
    parts = []
    for value, minutes in phases:
        count = round(minutes * 60 / step)
        parts.append(f"_x{count}" if value is None else f"{_number(value)}x{count - 1}")
    return " ".join(parts)


def dipping(usual: float, dip: float | str, minutes: float) -> str:
    """A gauge with one other sample in every four minutes."""
    return " ".join([f"{dip} {_number(usual)}x14"] * round(minutes / 4))


def elsewhere(series: Series) -> Series:
    """The same series in another fleet, whose nodes and swarms have the same names."""
    fleet = ",".join(f'{key}="other"' for key in SCOPE)
    return {each.replace("{", f"{{{fleet},", 1): values for each, values in series.items()}


def histogram(
    metric: Metric, labels: str, *phases: tuple[float, float, float], step: int = STEP_SECONDS
) -> Series:
    """A histogram's buckets: (observations a second, value of each, minutes)."""
    name = f"{metric.prometheus_name}_bucket"
    return {
        f'{name}{{{labels},le="{bound}"}}': counter(
            *((rate if value <= float(bound) else 0.0, minutes) for rate, value, minutes in phases),
            step=step,
        )
        for bound in (*(f"{each:g}" for each in metric.bounds), "+Inf")
    }


def joined(*series: Series) -> Series:
    """Several series as one mapping."""
    return {selector: values for each in series for selector, values in each.items()}


def rendered(scenario: Scenario) -> str:
    """A scenario as promtool reads it."""
    test = {
        "rule_files": [_path(name) for name in scenario.rules],
        "evaluation_interval": f"{scenario.interval}s",
        # Otherwise the order of groups is random, and with it when a recorded series is read.
        "group_eval_order": _groups(scenario.rules),
        # The last digits of a floating point number are no one's promise.
        "fuzzy_compare": True,
        "tests": [_test(scenario, case) for case in scenario.cases],
    }
    return HEADER + yaml.safe_dump(test, sort_keys=False, width=10_000)


def _path(name: str) -> str:
    """Where a rule file is, seen from the tests' folder."""
    return f"{name}.yaml" if "/" in name else f"../rules/{name}.yaml"


def _groups(rules: tuple[str, ...]) -> list[str]:
    # The names of the groups do not depend on which objectives there are.
    objective = {("any", "any"): Objective(success=0.5)}
    files = {file.name: file for file in groups.rule_files(registered=objective)}
    names = (name.removeprefix("example/") for name in rules)
    return [group.name for name in names for group in files[name].groups]


def _test(scenario: Scenario, case: Case) -> dict[str, Any]:
    test: dict[str, Any] = {
        "name": case.name,
        "interval": f"{case.interval or scenario.interval}s",
        "input_series": [
            {"series": scoped(selector), "values": values}
            for selector, values in case.series.items()
        ],
    }
    if case.at:
        test["alert_rule_test"] = [
            {
                "eval_time": time,
                "alertname": scenario.name,
                "exp_alerts": [_expected(scenario, fires) for fires in expected],
            }
            for time, expected in case.at.items()
        ]
    if case.values:
        test["promql_expr_test"] = [
            {
                "expr": expression,
                "eval_time": time,
                "exp_samples": [
                    {"labels": scoped(labels), "value": value} for labels, value in expected.items()
                ],
            }
            for (expression, time), expected in case.values.items()
        ]
    return test


def _expected(scenario: Scenario, fires: Fires) -> dict[str, Any]:
    alert = _ALERTS[scenario.name]
    own = {key: fires.labels[key] for key in ("node_id", "swarm_id") if key in fires.labels}
    fleet = {key: {**_fleet(fires), **fires.labels}.get(key, "") for key in SCOPE} if own else {}
    chosen = "".join(f"&var-{key}={value}" for key, value in {**fleet, **own}.items())
    whom = "".join(
        f" {option} '{own[key]}'"
        for key, option in (("node_id", "--node"), ("swarm_id", "--swarm"))
        if key in own
    )
    return {
        "exp_labels": {
            "concern": scenario.concern,
            "severity": fires.severity or scenario.severity,
            **_fleet(fires),
            **{key: value for key, value in fires.labels.items() if value},
        },
        "exp_annotations": {
            "dashboard_url": f"{DEFAULT_GRAFANA}{uids.location(alert).path}{chosen}",
            "description": fires.description,
            "explain": f"qudag-otel explain {scenario.name}{whom}",
            "runbook_url": f"{DEFAULT_RUNBOOKS}#{scenario.name.lower()}",
            "summary": alert.summary,
        },
    }


def _fleet(fires: Fires) -> dict[str, str]:
    """The fleet's labels; none where an alert is about nobody, or names another fleet."""
    return {} if not fires.labels or set(SCOPE) & set(fires.labels) else SCOPE


def scoped(selector: str) -> str:
    """A selector with the labels of the fleet, unless it names one."""
    name, brace, labels = selector.partition("{")
    if not brace or any(f"{key}=" in labels for key in SCOPE):
        return selector
    fleet = ",".join(f'{key}="{value}"' for key, value in SCOPE.items())
    return f"{name}{{{fleet},{labels}"


def _number(value: float) -> str:
    return f"{value:.12g}"


def selectors(series: Iterable[tuple[str, str]]) -> Series:
    """Pairs of selector and values as a mapping that refuses doubles."""
    found: Series = {}
    for selector, values in series:
        assert selector not in found, selector
        found[selector] = values
    return found
