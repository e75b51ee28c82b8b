"""What every dashboard has, and has only once."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final

import pytest
import yaml

from qudag_otel.alerts.groups import ALERT_RULES
from qudag_otel.catalogue import uids
from qudag_otel.catalogue.attributes import SCOPE
from tests.dashboards.files import DASHBOARDS, FOLDER, asked, panels
from tests.servers.build import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.dashboards.files import Json

FOLD: Final = 20
"""Grid lines that a common screen shows at once, below Grafana's own bars."""
BUILT_IN: Final = re.compile(r"__\w+")
VARIABLE: Final = re.compile(r"\$(?:\{(\w+)(?::\w+)?\}|([A-Za-z_]\w*))")
COMMON: Final = {"datasource", "node_id", "swarm_id", "interval", *SCOPE}
QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"|`[^`]*`')
RANGED: Final = re.compile(r"(\w+) ?\([^()\[\]]*\[([^\]]*)\]")
RANGES: Final = {
    "rate": "$__rate_interval",
    "last_over_time": "$__range",  # who was heard of at all in the time shown
}
"""The range that each function is given."""
LINK: Final = re.compile(r"^/d/([\w-]+)\?(.*)$")

BY_UID: Final = pytest.mark.parametrize(
    "dashboard", [pytest.param(one, id=uid) for uid, one in DASHBOARDS.items()]
)


def _strings(value: object) -> Iterator[str]:
    """Every string of a dashboard."""
    if isinstance(value, str):
        yield value
    for one in value.values() if isinstance(value, dict) else ():
        yield from _strings(one)
    for one in value if isinstance(value, list) else ():
        yield from _strings(one)


def _values(value: object, key: str) -> Iterator[object]:
    """What stands anywhere under this key."""
    for one in value.values() if isinstance(value, dict) else ():
        yield from _values(one, key)
    for one in value if isinstance(value, list) else ():
        yield from _values(one, key)
    if isinstance(value, dict) and key in value:
        yield value[key]


def _where(dashboard: Json, panel: Json) -> str:
    return f"{dashboard['uid']}-{panel['id']} {panel['title']}"


def test_uids_of_the_files_are_those_that_links_use() -> None:
    """Every dashboard has one file, named after its uid."""
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == sorted(uids.DASHBOARDS)
    assert sorted(DASHBOARDS) == sorted(uids.DASHBOARDS)
    titles = Counter(dashboard["title"] for dashboard in DASHBOARDS.values())
    assert max(titles.values()) == 1


@BY_UID
def test_panel_ids_are_unique_rows_included(dashboard: Json) -> None:
    """A link to a panel means one panel."""
    tops = dashboard["panels"]
    inner = [panel for top in tops if top["type"] == "row" for panel in top["panels"]]
    ids = Counter(panel["id"] for panel in [*tops, *inner])
    assert [one for one, times in ids.items() if times > 1] == []


def test_panels_that_alerts_link_to_exist() -> None:
    """Every place in uids.py is a panel."""
    there = {(dashboard["uid"], panel["id"]) for dashboard, panel in panels()}
    named = {value for value in vars(uids).values() if isinstance(value, uids.Location)}
    linked = {*named, *uids.PANELS.values(), *uids.ALERT_PANELS.values()}
    linked |= {uids.location(rule.alert) for rule in ALERT_RULES}
    assert {tuple(one) for one in linked} <= there


@BY_UID
def test_data_sources_are_provisioned_ones(dashboard: Json) -> None:
    """Each panel asks a variable, and each such variable begins as what is provisioned."""
    files = (REPOSITORY / "grafana" / "provisioning" / "datasources").glob("*.yaml")
    provisioned = {
        (source["uid"], source["type"])
        for path in files
        for source in yaml.safe_load(path.read_text())["datasources"]
    }
    first = {
        f"${{{variable['name']}}}": (variable["current"]["value"], variable["query"])
        for variable in dashboard["templating"]["list"]
        if variable["type"] == "datasource"
    }
    assert set(first.values()) <= provisioned
    references = [one for one in _values(dashboard, "datasource") if isinstance(one, dict)]
    assert references
    assert [one for one in references if first.get(one["uid"], ("", ""))[1] != one["type"]] == []
    plain = [one for one in _values(dashboard, "datasource") if not isinstance(one, dict)]
    assert plain == []


def _links(dashboard: Json) -> list[str]:
    return [str(one) for one in _values(dashboard, "url")]


@BY_UID
def test_links_lead_to_dashboards_and_keep_what_was_chosen(dashboard: Json) -> None:
    """Time and variables stay the same on the way from one dashboard to the next."""
    for link in dashboard["links"]:
        assert link["keepTime"], link
        assert link["includeVars"], link
        assert link["type"] == "dashboards" or link["url"].removeprefix("/d/") in DASHBOARDS
    for link in dashboard["links"]:
        tagged = [one for one in DASHBOARDS.values() if set(link["tags"]) <= set(one["tags"])]
        assert len(tagged) == len(DASHBOARDS)
    top = {link.get("url") for link in dashboard["links"]}
    for url in set(_links(dashboard)) - top:
        found = LINK.match(url)
        assert found, url
        uid, kept = found.groups()
        assert uid in DASHBOARDS, url
        assert "${__url_time_range}" in kept, url
        assert "${__all_variables}" in kept, url


@BY_UID
def test_variables_are_defined_exactly_where_they_are_used(dashboard: Json) -> None:
    """No query names a variable that is not there, and none does nothing.

    The common ones are everywhere: a link can only keep what its dashboard has.
    """
    defined = [variable["name"] for variable in dashboard["templating"]["list"]]
    used = {
        braced or bare
        for text in _strings(dashboard)
        for braced, bare in VARIABLE.findall(text)
        if not BUILT_IN.fullmatch(braced or bare)
    }
    assert len(defined) == len(set(defined))
    assert set(defined) >= COMMON
    assert used | COMMON == set(defined)


@BY_UID
def test_dashboard_refreshes_every_five_seconds_up_to_now(dashboard: Json) -> None:
    """What is on the screen is now."""
    assert dashboard["refresh"] == "5s"
    assert dashboard["time"]["to"] == "now"


def test_rates_follow_the_screen_and_the_export_interval() -> None:
    """No range is a fixed one: it would be too short for some export interval, or too long."""
    for one in asked("prometheus"):
        if one.dashboard["uid"] == uids.ALERTS:  # what a rule looks at is what it says
            continue
        expression = QUOTED.sub("", one.target["expr"])
        ranges = RANGED.findall(expression)
        assert len(ranges) == expression.count("["), one.name
        assert [found for found in ranges if RANGES.get(found[0]) != found[1]] == [], one.name
        assert "offset" not in expression, one.name


def test_no_percentile_is_averaged_and_no_node_without_a_band_is_summed() -> None:
    """The average of two p95 is no p95; and sums are compared over the same nodes."""
    for one in asked("prometheus"):
        expression = one.target["expr"]
        assert not re.search(r"\b(?:avg|sum)\b[^(]*\([^()]*:p95", expression), one.name
        if one.panel["title"].startswith("Messages, and what is usual"):
            assert re.fullmatch(r"sum\(.* and on \(.*\) .*_lower\{.*\}\)", expression), one.name


def test_panels_say_what_they_show_and_what_to_do() -> None:
    """Title, unit, what "no data" means, and a description with more than the title in it."""
    for dashboard, panel in panels():
        defaults = panel["fieldConfig"]["defaults"]
        where = _where(dashboard, panel)
        assert panel["title"].strip(), where
        assert len(panel["description"].split()) >= 10, where
        assert panel["description"].endswith((".", "?")), where
        assert defaults["unit"], where
        assert len(defaults["noValue"].split()) >= 3, where
        assert defaults["noValue"].endswith((".", "?")), where


def test_units_are_grafanas() -> None:
    """No unit is one that Grafana would print as text after the number."""
    known = {"none", "short", "percent", "percentunit", "s", "bytes", "dtdurations"}
    rates = {"mps", "cps", "eps", "ops", "reqps", "binBps"}
    used = {str(unit) for dashboard in DASHBOARDS.values() for unit in _values(dashboard, "unit")}
    assert used <= known | rates


def test_thresholds_rise_from_the_lowest_value() -> None:
    """Grafana takes the last step that is reached: they have to be in order, one without value."""
    for dashboard, panel in panels():
        for steps in _values(panel, "steps"):
            if not isinstance(steps, list):  # a heatmap's number of colours
                continue
            first, *values = [step["value"] for step in steps]
            assert first is None, _where(dashboard, panel)
            assert values == sorted(set(values)), _where(dashboard, panel)


def test_headline_panels_have_thresholds_with_a_bad_side() -> None:
    """Each area of the overview shows where bad begins."""
    overview = {panel["id"]: panel for panel in DASHBOARDS[uids.OVERVIEW]["panels"]}
    for place in uids.PANELS.values():
        steps = overview[place.panel_id]["fieldConfig"]["defaults"]["thresholds"]["steps"]
        colors = {step["color"] for step in steps}
        assert "transparent" in colors
        assert colors & {"yellow", "red"}


def test_colors_are_few() -> None:
    """Green healthy, yellow warning, red critical, blue information: no other means anything."""
    meanings = {"green", "yellow", "red", "blue", "text", "transparent", "super-light-yellow"}
    for dashboard in DASHBOARDS.values():
        for key in ("color", "fixedColor", "iconColor"):
            used = {one for one in _values(dashboard, key) if isinstance(one, str)}
            assert used <= meanings


def test_legends_show_last_and_max() -> None:
    """Each line's latest and highest value can be read without a mouse."""
    for dashboard, panel in panels():
        if panel["type"] == "timeseries":
            legend = panel["options"]["legend"]
            assert legend["displayMode"] == "table", _where(dashboard, panel)
            assert legend["calcs"] == ["lastNotNull", "max"], _where(dashboard, panel)
            assert panel["fieldConfig"]["defaults"]["custom"]["axisPlacement"] == "left"


def test_heatmaps_show_exemplars() -> None:
    """A dot on a heatmap opens the trace behind it: every histogram's query asks for exemplars."""
    maps = [one for one in asked("prometheus") if one.panel["type"] == "heatmap"]
    assert maps
    assert all(one.target["exemplar"] and one.target["format"] == "heatmap" for one in maps)


def test_overview_shows_at_most_twelve_panels_before_its_rows() -> None:
    """One screen: state first, then the eight areas; everything else is folded away."""
    tops = DASHBOARDS[uids.OVERVIEW]["panels"]
    shown = [panel for panel in tops if panel["type"] != "row"]
    rows = [panel for panel in tops if panel["type"] == "row"]
    assert len(shown) <= 12
    assert {place.panel_id for place in uids.PANELS.values()} <= {one["id"] for one in shown}
    assert [row["title"] for row in rows] == [panel.value for panel in uids.PANELS]
    assert all(row["collapsed"] and row["panels"] for row in rows)
    first = min(shown, key=lambda one: (one["gridPos"]["y"], one["gridPos"]["x"]))
    assert first["title"] == "Alerts firing"


@BY_UID
def test_few_panels_are_seen_before_scrolling(dashboard: Json) -> None:
    """No screen is a wall of panels."""
    seen = [
        panel
        for panel in dashboard["panels"]
        if panel["type"] != "row" and panel["gridPos"]["y"] < FOLD
    ]
    assert len(seen) <= 12


@BY_UID
def test_panels_do_not_overlap_and_stay_on_the_grid(dashboard: Json) -> None:
    """Grafana would move panels that overlap, and the arrangement would be its own."""
    for group in (
        dashboard["panels"],
        *(top["panels"] for top in dashboard["panels"] if top["type"] == "row"),
    ):
        cells = Counter(
            (x, y)
            for panel in group
            for place in [panel["gridPos"]]
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        )
        assert [cell for cell, times in cells.items() if times > 1] == []
        assert all(x < 24 for x, _ in cells)
