"""`qudag-otel dashboards export --format perses`: the same boards, panels, queries and choices."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import pytest

from qudag_otel.catalogue import uids
from qudag_otel.cli._histograms import HISTOGRAMS
from qudag_otel.dashboards import _build, _perses
from qudag_otel.dashboards._build import panels_of
from qudag_otel.dashboards.boards import BOARDS
from tests.dashboards.files import DASHBOARDS
from tests.demo.programs import run

if TYPE_CHECKING:
    from pathlib import Path

    from tests.dashboards.files import Json

PERSES: Final[dict[str, Json]] = {
    name.removesuffix(".json"): json.loads(text) for name, text in _perses.rendered(BOARDS).items()
}
BY_UID: Final = pytest.mark.parametrize("uid", uids.DASHBOARDS)
KINDS: Final = {
    "timeseries": "TimeSeriesChart",
    "heatmap": "TimeSeriesChart",
    "stat": "StatChart",
    "bargauge": "BarChart",
    "state-timeline": "StatusHistoryChart",
    "table": "Table",
    "nodeGraph": "Table",
    "logs": "Markdown",
}
"""What draws each of Grafana's types of panels, where Prometheus is asked."""


def _pairs(grafana: Json, perses: Json) -> list[tuple[Json, Json]]:
    """The panels of a dashboard, each with Perses' of the same id."""
    there = {f"panel-{one['id']}": one for one in panels_of(grafana)}
    assert sorted(there) == sorted(perses["spec"]["panels"])
    return [(there[key], one["spec"]) for key, one in perses["spec"]["panels"].items()]


def _asked(panel: Json) -> list[str]:
    return [query["spec"]["plugin"]["spec"]["query"] for query in panel["queries"]]


def test_every_dashboard_is_one_of_perses() -> None:
    """The same names, titles and times; all in one project."""
    assert set(PERSES) == set(DASHBOARDS)
    for uid, perses in PERSES.items():
        spec, grafana = perses["spec"], DASHBOARDS[uid]
        assert perses["kind"] == "Dashboard"
        assert perses["metadata"] == {"name": uid, "project": "qudag"}
        assert spec["display"]["name"] == grafana["title"]
        assert f"now-{spec['duration']}" == grafana["time"]["from"]
        assert spec["refreshInterval"] == grafana["refresh"]


@BY_UID
def test_every_panel_asks_prometheus_the_same(uid: str) -> None:
    """Titles, kinds and queries are equal, but for what a heatmap asks for its exemplars alone."""
    for grafana, perses in _pairs(DASHBOARDS[uid], PERSES[uid]):
        assert perses["display"]["name"] == grafana["title"]
        for text in (grafana["description"], grafana["fieldConfig"]["defaults"]["noValue"]):
            assert text in perses["display"]["description"]
        asked = [
            target["expr"]
            for target in grafana["targets"]
            if target["datasource"]["type"] == "prometheus"
            and not (target["format"] == "heatmap" and target.get("instant"))
        ]
        assert _asked(perses) == asked, grafana["title"]
        kind = KINDS[grafana["type"]] if asked else "Markdown"
        assert perses["plugin"]["kind"] == kind, grafana["title"]


@BY_UID
def test_every_variable_but_the_data_sources_is_there(uid: str) -> None:
    """In the same order, with the same values to choose from, and the same chosen at first."""
    grafana = [one for one in DASHBOARDS[uid]["templating"]["list"] if one["type"] != "datasource"]
    perses = PERSES[uid]["spec"]["variables"]
    assert [one["spec"]["name"] for one in perses] == [one["name"] for one in grafana]
    for theirs, ours in zip(grafana, (one["spec"] for one in perses), strict=True):
        assert ours["display"]["name"] == theirs["label"]
        plugin = ours.get("plugin", {"kind": "", "spec": {}})
        if plugin["kind"] == "StaticListVariable":
            assert ",".join(plugin["spec"]["values"]) == theirs["query"]
            assert ours["defaultValue"] == theirs["current"]["value"]
        elif plugin["kind"] == "PrometheusLabelValuesVariable":
            [series], label = plugin["spec"]["matchers"], plugin["spec"]["labelName"]
            assert f"label_values({series}, {label})" == theirs["query"]["query"]
            assert ours["allowMultiple"] == ours["allowAllValue"] == theirs.get("multi", False)
            assert ours.get("customAllValue") == theirs.get("allValue")
        else:
            assert ours["value"] == (theirs.get("allValue") or theirs["query"])


@BY_UID
def test_panels_stand_where_grafana_has_them(uid: str) -> None:
    """The same rows, folded or not, and in them the same places from the row's top on."""
    found = [
        (item["content"]["$ref"].rpartition("-")[2], item["x"], item["width"], item["height"])
        for grid in PERSES[uid]["spec"]["layouts"]
        for item in grid["spec"]["items"]
    ]
    places = [(str(one["id"]), one["gridPos"]) for one in panels_of(DASHBOARDS[uid])]
    assert found == [(key, at["x"], at["w"], at["h"]) for key, at in places]
    rows = [
        (display["title"], not display["collapse"]["open"])
        for grid in PERSES[uid]["spec"]["layouts"]
        if (display := grid["spec"].get("display"))
    ]
    tops = [top for top in DASHBOARDS[uid]["panels"] if top["type"] == "row"]
    assert rows == [(top["title"], top["collapsed"]) for top in tops]


@BY_UID
def test_links_lead_to_dashboards(uid: str) -> None:
    """Each panel's details are where Grafana's are."""
    for grafana, perses in _pairs(DASHBOARDS[uid], PERSES[uid]):
        there = re.findall(r"/d/([\w-]+)", json.dumps(grafana["fieldConfig"]["defaults"]))
        there += re.findall(r"/d/([\w-]+)", json.dumps(grafana.get("links", [])))
        links = [link["url"] for link in perses.get("links", ())]
        assert links == [f"/projects/qudag/dashboards/{one}" for one in there]
        assert set(there) <= set(PERSES)


def test_what_is_asked_of_others_is_told_with_what_is_chosen() -> None:
    """Logs and traces have a panel that says what to ask, with the variables to be filled in."""
    texts = {
        panel["spec"]["display"]["name"]: panel["spec"]["plugin"]["spec"]["text"]
        for perses in PERSES.values()
        for panel in perses["spec"]["panels"].values()
        if panel["spec"]["plugin"]["kind"] == "Markdown"
    }
    assert '{service.name=~"$log_service"}' in texts["All lines"]
    assert 'qudag.node.id:~"$node_id"' in texts["All lines"]
    assert "VictoriaLogs" in texts["All lines"]
    assert "service: $service\nmin duration: $slow" in texts["Slow traces"]
    assert not any("in($" in text for text in texts.values())


def test_a_threshold_is_drawn_in_the_colour_of_its_bad_side() -> None:
    """What must stay high has its line in red, too, and not in the colour above it."""
    for uid, perses in PERSES.items():
        for grafana, panel in _pairs(DASHBOARDS[uid], perses):
            if panel["plugin"]["kind"] != "TimeSeriesChart" or grafana["type"] == "heatmap":
                continue
            steps = panel["plugin"]["spec"]["thresholds"]["steps"]
            theirs = grafana["fieldConfig"]["defaults"]["thresholds"]["steps"][1:]
            assert [step["value"] for step in steps] == [step["value"] for step in theirs]
            assert all(step["color"] not in {"#9e9e9e", "#388e3c"} for step in steps)


def test_stats_whose_series_differ_in_what_is_bad_are_grey() -> None:
    """Perses has one colour for all series of a stat, green if none is said: a lie for some."""
    for uid, perses in PERSES.items():
        for grafana, panel in _pairs(DASHBOARDS[uid], perses):
            if grafana["type"] == "stat":
                thresholds = panel["plugin"]["spec"]["thresholds"]
                grey = thresholds == {"defaultColor": "#757575", "steps": []}
                assert grey == bool(grafana["fieldConfig"]["overrides"])


@BY_UID
def test_native_histograms_are_asked_as_by_grafana(uid: str) -> None:
    """`--histograms native` turns the same expressions."""
    [board] = [one for one in BOARDS if one.uid == uid]
    turn = HISTOGRAMS["native"]
    [grafana] = map(json.loads, _build.rendered([board], turn).values())
    [perses] = map(json.loads, _perses.rendered([board], turn).values())
    for theirs, ours in _pairs(grafana, perses):
        every: list[Any] = [target.get("expr") for target in theirs["targets"]]
        assert set(_asked(ours)) <= set(every)


def test_command_writes_the_files_of_perses(tmp_path: Path) -> None:
    """Into a folder, with names as the prefix says."""
    ended = run("dashboards", "export", "--format", "perses", "--dir", str(tmp_path))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert {path.stem: json.loads(path.read_text()) for path in tmp_path.iterdir()} == PERSES


def test_command_refuses_to_send_them_to_grafana() -> None:
    """Grafana takes no dashboard of Perses."""
    ended = run("dashboards", "export", "--format", "perses", "--url", "http://127.0.0.1:9")
    assert ended.returncode == 2
    assert ended.stderr == (
        "qudag-otel dashboards: --url is Grafana's: write --format perses with --dir\n"
    )


def test_graph_is_a_table_of_what_it_names() -> None:
    """Rates have their unit; the labels that an edge is made from are not said again."""
    [panel] = [
        panel["spec"]["plugin"]["spec"]
        for perses in PERSES.values()
        for panel in perses["spec"]["panels"].values()
        if panel["spec"]["display"]["name"] == "Who calls whom"
    ]
    hidden = [one["name"] for one in panel["columnSettings"] if one.get("hide")]
    units = [one["format"]["unit"] for one in panel["columnSettings"] if "format" in one]
    assert hidden == ["timestamp", "client", "server"]
    assert units == ["requests/sec", "requests/sec"]
