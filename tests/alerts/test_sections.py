"""The runbooks' data: every query is PromQL about series that there are, and names its subject."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
import yaml

from qudag_otel.alerts import groups, runbooks
from qudag_otel.alerts._model import Level, Recorded
from qudag_otel.alerts.sections.binding import bound
from tests.alerts.test_rules import promtool

if TYPE_CHECKING:
    from pathlib import Path

LABELS = {label: [f"a {label}"] for level in Level for label in level.labels}
CHECKS = {
    (name, cause.text, number): check
    for name, section in runbooks.SECTIONS.items()
    for cause in section.causes
    for number, check in enumerate(cause.checks)
}
QUERIES = [
    *(section.value for section in runbooks.SECTIONS.values()),
    *(runbooks.condition(check) for check in CHECKS.values()),
]


@pytest.mark.servers("prometheus")
@pytest.mark.parametrize("labels", [LABELS, {}], ids=["all labels", "no label"])
def test_every_query_is_promql(labels: dict[str, list[str]], tmp_path: Path) -> None:
    """With all that can be known of a subject filled in, and with nothing."""
    rules = [
        {"record": f"query:{number}:x", "expr": bound(query, labels, 1e9)}
        for number, query in enumerate(QUERIES)
    ]
    path = tmp_path / "queries.yaml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "queries", "rules": rules}]}))
    promtool("check", "rules", path)


def test_every_recorded_series_in_them_is_recorded() -> None:
    """A rule that is renamed takes its runbook along."""
    recorded = {
        rule.name
        for file in groups.rule_files()
        for group in file.groups
        for rule in group.rules
        if isinstance(rule, Recorded)
    }
    named = set(re.findall(r"\b[a-z_]+:\w+:\w+", " ".join(QUERIES)))
    objectives = {name for name in named if name.startswith("operation:qudag_objective")}
    assert named - objectives <= recorded


def test_every_alert_has_a_cause_that_a_query_can_tell() -> None:
    """Or says plainly that none can: those alerts stand here."""
    untold = {
        name
        for name, section in runbooks.SECTIONS.items()
        if not any(cause.checks for cause in section.causes)
    }
    assert untold == {"ComponentUnhealthy", "ReloadFailed"}


def test_no_cause_is_listed_twice() -> None:
    """Nor asked with the same queries as another of its alert: which is it?"""
    for name, section in runbooks.SECTIONS.items():
        texts = [cause.text for cause in section.causes]
        asked = [cause.checks for cause in section.causes if cause.checks]
        assert len(set(texts)) == len(texts), name
        assert len(set(asked)) == len(asked), name


@pytest.mark.parametrize(
    ("query", "labels", "filled"),
    [
        ("x{<node>}", {"node_id": ["n"]}, 'x{node_id="n"}'),
        ('x{<node>,a="b"}', {"node_id": ["n"]}, 'x{node_id="n",a="b"}'),
        ('x{<node>,a="b"} @ <before>', {}, 'x{a="b"} @ 7.000'),
        ("rate(x{<swarm>}[5m] @ <before>)", {"node_id": ["n"]}, "rate(x[5m] @ 7.000)"),
        ("x{<node>}", {"node_id": ["b.c", "a"]}, 'x{node_id=~"a|b\\\\.c"}'),
        ("x{<node>}", {"cluster": ["c"], "node_id": ['"']}, 'x{cluster="c",node_id="\\""}'),
        ("a < 3 and x > 4", {}, "a < 3 and x > 4"),
    ],
)
def test_placeholders_become_matchers(
    query: str, labels: dict[str, list[str]], filled: str
) -> None:
    """Of the labels that a level has and that are known; of several values, any."""
    assert bound(query, labels, 7) == filled
