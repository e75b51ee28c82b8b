"""The live view crosses the same thresholds as the rules: by the rules' own unit tests."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from qudag_otel._query.promql import seconds
from qudag_otel.catalogue.thresholds import CONTRACT_ALERTS
from qudag_otel.cli._history import History
from qudag_otel.cli._readings import READINGS, Crossings
from qudag_otel.cli._scrape import Snapshot
from tests.alerts.cases import SCENARIOS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from qudag_otel.cli._scrape import Labels
    from tests.alerts.scenario import Case, Scenario

THE_PAGERS_OWN = re.compile(
    r"floor's two sides"  # counts in five minutes: a view of seconds shows what it sees
    r"|around the threshold"  # who was told stays told for a while; a screen is looked at now
    r"|dips and gaps"  # of scrapes that fail; the view says itself that it read nothing
    r"|among others, an idle namesake in another fleet"  # a view has no fleets
)
"""What only the rules do, by the names of their cases."""

CASES = [
    (scenario, case)
    for scenario in SCENARIOS
    if scenario.name in READINGS
    for case in scenario.cases
    if case.at and not THE_PAGERS_OWN.search(case.name)
]
RANGE_SECONDS = 300.0
"""Of the rules' rates; the view of a terminal takes seconds."""

SLACK_SECONDS = 45.0
"""PromQL extrapolates to the ends of a range, the view takes what it read: a few samples apart."""


def expanded(values: str) -> Iterator[float | None]:
    """The samples of promtool's notation, None where there is none."""
    for word in values.split():
        start, sign, step, times = re.fullmatch(
            r"(_|stale|[-\d.e]+)(?:([+-])([\d.e-]+))?(?:x(\d+))?", word
        ).groups()  # type: ignore[union-attr]  # the notation is the rules' tests' own
        if start in {"_", "stale"}:
            yield from [None] * int(times or 1)
            continue
        each = float(f"{sign or '+'}{step or 0}")
        yield from (float(start) + each * n for n in range(int(times or 0) + 1))


def selected(selector: str) -> tuple[str, Labels]:
    """The name and the labels of a series."""
    (family,) = text_string_to_metric_families(f"{selector} 1\n")
    return family.samples[0].name, frozenset(family.samples[0].labels.items())


def fired(scenario: Scenario, case: Case) -> Mapping[float, set[frozenset[str]]]:
    """Who fires in the live view, by time: the values of the labels of each."""
    step = case.interval or scenario.interval
    series = {selected(key): list(expanded(values)) for key, values in case.series.items()}
    history, crossings = History(RANGE_SECONDS), Crossings()
    found: dict[float, set[frozenset[str]]] = {}
    for tick in range(max(map(len, series.values()))):
        samples: dict[str, dict[Labels, float]] = {}
        for (name, labels), values in series.items():
            value = values[tick] if tick < len(values) else None
            if value is not None:
                samples.setdefault(name, {})[labels] = value
        at = float(tick * step)
        problem = "" if samples else "nothing is served"
        history.add([Snapshot("here", at, samples, problem)])
        found[at] = {
            frozenset(one.subject)
            for one in crossings.update(history, at)
            if one.fires and one.alert.name == scenario.name
        }
    return found


@pytest.mark.parametrize(
    ("scenario", "case"), CASES, ids=[f"{scenario.name}: {case.name}" for scenario, case in CASES]
)
def test_live_view_fires_when_the_rule_fires(scenario: Scenario, case: Case) -> None:
    """For each series that the rule's tests have, at the times that they look."""
    found = fired(scenario, case)
    (alert,) = (one for one in CONTRACT_ALERTS if one.name == scenario.name)
    warm = RANGE_SECONDS + alert.duration
    for time, expected in case.at.items():
        if not expected and seconds(time) < warm:
            continue  # PromQL's rates begin too low, until their range is full; the view's do not
        wanted = {frozenset(one.labels.values()) for one in expected}
        near = [
            firing for at, firing in found.items() if math.fabs(at - seconds(time)) <= SLACK_SECONDS
        ]
        assert wanted in near or not near, (time, wanted, near)


def test_every_reading_has_a_unit_test_of_its_rule() -> None:
    """What the view shows as an alert is compared with the rule, without exception."""
    assert {scenario.name for scenario, _ in CASES} == set(READINGS)
