"""The rules, by promtool: they parse, every alert fires and stays silent as its cases say."""

from __future__ import annotations

import random
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
import yaml

from qudag_otel import Objective
from qudag_otel.alerts import groups, rendering, runbooks
from qudag_otel.alerts.objectives import ObjectiveError
from qudag_otel.catalogue.thresholds import CONTRACT_ALERTS
from tests.alerts import cases, mutation, unnoticed
from tests.dashboards.files import DASHBOARDS, panels
from tests.servers.build import REPOSITORY, binary

if TYPE_CHECKING:
    from pathlib import Path

    from tests.alerts.scenario import Scenario

RULES = REPOSITORY / "alerts" / "rules"
SAMPLE = 160
"""Mutants; each takes promtool a quarter of a second."""
ALERTS = {rule.alert.name: rule for rule in groups.ALERT_RULES}


def promtool(*arguments: str | Path) -> str:
    """Run it; what it writes, if it is content."""
    ended = subprocess.run(
        [binary("promtool"), *arguments], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.servers("prometheus")
def test_rule_files_are_accepted_bypromtool() -> None:
    """Every file parses, and no lint is left."""
    promtool("check", "rules", "--lint=all", "--lint-fatal", *sorted(RULES.glob("*.yaml")))


@pytest.fixture(scope="module")
def failing(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the scenarios that fail, of those that are asked for; in one go."""
    asked = [
        scenario
        for scenario in cases.SCENARIOS
        if any(f"[{scenario.name}]" in item.nodeid for item in request.session.items)
    ]
    return mutation.failing(asked, tmp_path_factory.mktemp("scenarios"))


def test_processes_share_the_scenarios_evenly() -> None:
    """None is left out, and the last one that a process gets is what they differ by at most."""
    files = mutation.load()
    parts = mutation.dealt(cases.SCENARIOS, files)
    names = sorted(scenario.name for part in parts for scenario in part)
    assert names == sorted(scenario.name for scenario in cases.SCENARIOS)
    costs = [sum(mutation.weight(scenario, files) for scenario in part) for part in parts]
    assert max(costs) < 1.2 * min(costs)


@pytest.mark.timeout(600)
@pytest.mark.servers("prometheus")
@pytest.mark.parametrize("scenario", cases.SCENARIOS, ids=lambda scenario: scenario.name)
def test_alert_fires_and_stays_silent_as_its_cases_say(
    scenario: Scenario, failing: set[str]
) -> None:
    """After its duration on its fault, with labels and texts; never on what is normal."""
    if scenario.name in failing:
        promtool("test", "rules", _file(scenario.name))  # says what differs
    assert scenario.name not in failing


@pytest.mark.servers("prometheus")
def test_committed_test_finds_the_rules_beside_it() -> None:
    """`promtool test rules alerts/tests/NAME.yaml` works for whoever changes a rule."""
    promtool("test", "rules", _file("TelemetryCostsMuch"))


def _file(name: str) -> Path:
    return REPOSITORY / cases.FOLDER / f"{name}.yaml"


def test_every_alert_has_cases_that_fire_and_cases_that_are_silent() -> None:
    """No alert is left out, and none is only ever seen firing."""
    scenarios = {scenario.name: scenario for scenario in cases.SCENARIOS}
    assert set(ALERTS) <= set(scenarios)
    for name in ALERTS:
        expected = [fired for case in scenarios[name].cases for fired in case.at.values()]
        assert any(expected), name
        assert name == "Watchdog" or not all(expected), name


@pytest.mark.timeout(300)
@pytest.mark.servers("prometheus")
def test_small_changes_of_rules_are_noticed(tmp_path: Path) -> None:
    """A changed comparison, number, label, matcher, duration or severity makes a case fail.

    A sample, the same each time; `make mutants-alerts` tries all.
    """
    files = mutation.load()
    candidates = list(mutation.mutants(files))
    assert len({mutant.name for mutant in candidates}) == len(candidates)
    sample = random.Random(14).sample(candidates, SAMPLE)
    left = mutation.survivors(sample, files, tmp_path)
    assert unnoticed.unexplained(left) == set()


def test_every_change_that_no_case_notices_has_a_reason() -> None:
    """None is listed twice, or without a sentence about why it changes nothing."""
    lines = [line for line in unnoticed.LIST.read_text().splitlines() if line and line[:2] != "# "]
    reasons = unnoticed.reasons()
    assert len(reasons) == len(lines)
    assert all(reason.endswith(".") for reason in reasons.values())


class TestContract:
    def test_the_seventeen_alerts_are_all_there(self) -> None:
        """Names, severities and durations are the contract's."""
        assert len(CONTRACT_ALERTS) == 17
        for alert in CONTRACT_ALERTS:
            rule = ALERTS[alert.name]
            assert (rule.alert, rule.severity, rule.duration) == (
                alert, alert.severity, alert.duration,
            )  # fmt: skip

    def test_every_alert_has_one_runbook_section_that_its_annotation_names(self) -> None:
        """The link of an alert at night leads to a section about it."""
        assert set(runbooks.SECTIONS) == set(ALERTS)
        text = (REPOSITORY / "docs" / "runbooks.md").read_text()
        anchors = {heading.lower() for heading in re.findall(r"^## (\w+)$", text, re.MULTILINE)}
        for path in RULES.glob("*.yaml"):
            for group in yaml.safe_load(path.read_text())["groups"]:
                for rule in group["rules"]:
                    if "alert" in rule:
                        link = rule["annotations"]["runbook_url"]
                        assert link.rpartition("#")[2] in anchors

    def test_every_alert_links_a_panel_that_is_there(self) -> None:
        """With the variables that the dashboard has, so that it shows the node that is meant."""
        links = re.findall(
            r"dashboard_url: \S+/d/([\w-]+)\?viewPanel=(\d+)(.*)$",
            "".join(path.read_text() for path in sorted(RULES.glob("*.yaml"))),
            re.MULTILINE,
        )
        assert len(links) >= len(ALERTS)
        shown = {(dashboard["uid"], panel["id"]) for dashboard, panel in panels()}
        for uid, panel, rest in links:
            assert (uid, int(panel)) in shown
            variables = {each["name"] for each in DASHBOARDS[uid]["templating"]["list"]}
            assert set(re.findall(r"var-(\w+)=", rest)) <= variables, (uid, rest)

    def test_thresholds_stand_in_the_expressions(self) -> None:
        """What the catalogue promises is what the rule compares with."""
        for alert in CONTRACT_ALERTS:
            assert (
                f"{alert.comparison.value} {alert.threshold:.12g}" in ALERTS[alert.name].expression
            )


OBJECTIVE = """\
from qudag_otel import Objective, instrumented

@instrumented(name="pay", component="shop",
              objective=Objective(success=0.999, latency=0.5, target=0.95))
def pay(): ...
"""


def _export(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "qudag_otel", "alerts", "export", *options],
        cwd=folder, capture_output=True, text=True, check=False,
    )  # fmt: skip


class TestExport:
    def test_prometheus_rule_holds_the_same_groups(self) -> None:
        """The Kubernetes resource is the same rules."""
        files = groups.rule_files(registered={("pay", "shop"): Objective(success=0.99)})
        plain = [
            group
            for text in rendering.rules_yaml(files).values()
            for group in yaml.safe_load(text)["groups"]
        ]
        style = rendering.Style(namespace="watch", release="kube-prometheus-stack")
        (text,) = rendering.prometheus_rule_yaml(files, style).values()
        resource = yaml.safe_load(text)
        assert (resource["apiVersion"], resource["kind"]) == (
            "monitoring.coreos.com/v1", "PrometheusRule",
        )  # fmt: skip
        metadata = resource["metadata"]
        assert metadata["namespace"] == "watch"
        assert metadata["labels"]["release"] == "kube-prometheus-stack"
        # The offset of the stack's own Prometheus is none of the cluster's.
        assert resource["spec"]["groups"] == [{**group, "query_offset": "1m"} for group in plain]

    def test_lists_of_an_operator_become_series(self) -> None:
        """Nodes that must be there, those that need not come back, and numbers of Collectors."""
        fleet = "deployment_environment_name, cluster, group"
        given = groups.listed(
            nodes=[{"node_id": "n1"}, {"node_id": "n2", "cluster": "eu"}],
            retired=[{"node_id": "n3"}, {"swarm_id": "s1"}],
            collectors={"gateway": 2},
        )
        assert [(each.name, each.expression, dict(each.labels)) for each in given] == [
            (
                "node:qudag_node:missing",
                'absent(node:qudag_node:present{node_id="n1"})',
                {},
            ),
            (
                "node:qudag_node:missing",
                'absent(node:qudag_node:present{node_id="n2",cluster="eu"})',
                {},
            ),
            (
                "node:qudag_node:retired",
                (
                    f"group by ({fleet}, node_id)"
                    f' (last_over_time(node:qudag_node:expected{{node_id="n3"}}[3d]))'
                ),
                {},
            ),
            (
                "node:qudag_watched_node:retired",
                (
                    f"group by ({fleet}, node_id)"
                    f' (last_over_time(node:qudag_watched_node:expected{{node_id="n3"}}[3d]))'
                ),
                {},
            ),
            (
                "swarm:qudag_swarm:retired",
                (
                    f"group by ({fleet}, swarm_id)"
                    f' (last_over_time(swarm:qudag_swarm:expected{{swarm_id="s1"}}[3d]))'
                ),
                {},
            ),
            ("collectors:otelcol:listed", "vector(2)", {"job": "gateway"}),
        ]

    def test_latency_that_no_bucket_measures_is_refused(self) -> None:
        """An objective between two bounds would be counted wrongly."""
        with pytest.raises(ObjectiveError, match=r"0\.3"):
            groups.rule_files(registered={("pay", "shop"): Objective(latency=0.3)})

    @pytest.mark.parametrize(
        ("code", "more", "answer"),
        [
            (None, (), "cannot import my_shop: ModuleNotFoundError"),
            ("1 / 0", (), "cannot import my_shop: ZeroDivisionError"),
            ("x = 1", (), "my_shop: no objective there"),
            (OBJECTIVE.replace("0.5", "0.3"), (), "0.3"),
            (OBJECTIVE, ("--dir", "my_shop.py"), "cannot write to my_shop.py"),
        ],
    )
    def test_what_cannot_be_exported_is_answered(
        self, code: str | None, more: tuple[str, ...], answer: str, tmp_path: Path
    ) -> None:
        """A sentence and exit code 2, never a traceback."""
        if code is not None:
            (tmp_path / "my_shop.py").write_text(code)
        ended = _export(tmp_path, "--dir", "out", "--module", "my_shop", *more)
        assert ended.returncode == 2
        assert ended.stderr.startswith("qudag-otel alerts: ")
        assert answer in ended.stderr
        assert "Traceback" not in ended.stderr

    @pytest.mark.servers("prometheus")
    def test_users_objectives_become_rules_that_promtool_accepts(self, tmp_path: Path) -> None:
        """`qudag-otel alerts export --module` finds them by importing."""
        (tmp_path / "my_shop.py").write_text(OBJECTIVE)
        ended = _export(tmp_path, "--dir", "out", "--module", "my_shop", "--node", "n1")
        assert ended.returncode == 0, ended.stderr
        paths = [tmp_path / line for line in ended.stdout.splitlines()]
        assert "pay" in (tmp_path / "out" / "objectives.yaml").read_text()
        assert "n1" in (tmp_path / "out" / "recording.yaml").read_text()
        promtool("check", "rules", *paths)
