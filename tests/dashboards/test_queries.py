"""Every query of every panel against the real servers, filled by the demo; each in a browser."""

from __future__ import annotations

import json
import re
import time
import urllib.parse
import urllib.request
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from qudag_otel.catalogue import Panel, uids
from qudag_otel.dashboards._build import panels_of
from qudag_otel.dashboards._interpolate import Screen
from qudag_otel.dashboards._view import Source
from qudag_otel.dashboards.boards import BOARDS
from tests.dashboards.browser import Window, chromium
from tests.dashboards.files import DASHBOARDS, LABEL, Asked, asked
from tests.demo.programs import running
from tests.servers.api import get_lines
from tests.servers.backends import VictoriaMetrics
from tests.servers.collectors import CONFIG, QUICK, Collector
from tests.servers.page import Page
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.dashboards.browser import Seen
    from tests.dashboards.files import Json
    from tests.servers.collectors import Pipeline

pytestmark = [pytest.mark.servers, pytest.mark.timeout(400)]

SECONDS = 300.0
SERVICE = "dashboards"
ENVIRONMENT = "staging"
FLOORED = (
    "node:qudag_chunking_seconds:p95_5m",
    "node:qudag_cache_hit:ratio_rate5m",
    "swarm_task:qudag_task_seconds:p95_5m",
    "node_operation_le:qudag_operation_seconds_bucket:rate5m",
)
"""What is recorded once there was enough of it."""


@pytest.fixture(scope="module")
def agent(pipeline: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    """An agent, which measures its host."""
    names = ("common", "agent")
    with Collector(
        tmp_path_factory.mktemp("agent"),
        configs=[CONFIG / f"{name}.yaml" for name in names],
        environment={
            **QUICK,
            "OTELCOL_GATEWAY_ENDPOINT": pipeline.otlp_http,
            "OTELCOL_HOST_INTERVAL": "5s",
        },
    ) as running_agent:
        yield running_agent


@pytest.fixture(scope="module")
def filled(pipeline: Pipeline, agent: Collector) -> Iterator[Pipeline]:
    """The servers, with a demo that works and fails beside them."""
    assert agent.pid
    variables = {
        "OTEL_SERVICE_NAME": SERVICE,
        "OTEL_RESOURCE_ATTRIBUTES": f"deployment.environment.name={ENVIRONMENT}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": pipeline.otlp_http,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "OTEL_METRICS_EXPORTER": "otlp,prometheus",
        "OTEL_TRACES_EXPORTER": "otlp",
        "OTEL_LOGS_EXPORTER": "otlp",
        "OTEL_BSP_SCHEDULE_DELAY": "500",
    }
    assert pipeline.jaeger.url  # started now: what the gateway sends is on a panel, too
    assert pipeline.logs.url
    faults = ("--fault", "error-burst=0.05", "--fault", "cold-cache=2")
    with running("demo", "--headless", "--nodes", "2", "--rate", "30", *faults, **variables):

        def arrived() -> None:
            assert pipeline.prometheus.query("sum(node:qudag_messages:rate5m) > 0")
            assert pipeline.prometheus.query("sum(rate(qudag_errors_total[1m])) > 0")
            for recorded in FLOORED:
                assert pipeline.prometheus.query(recorded), recorded
            for sent in ("spans", "log_records"):
                assert pipeline.prometheus.query(f"otelcol_exporter_sent_{sent}_total > 0")

        eventually(arrived, timeout=120)
        time.sleep(20)  # long enough for two points of a rate over the export interval
        yield pipeline


def _screen(one: Asked) -> Screen:
    chosen = {"log_service": [SERVICE], "service": [SERVICE]}
    known = {variable["name"] for variable in one.dashboard["templating"]["list"]}
    return Screen(
        one.dashboard,
        seconds=SECONDS,
        chosen={name: value for name, value in chosen.items() if name in known},
        scrape_seconds=5.0,
    )


def _ask(url: str, **parameters: object) -> Any:
    with urllib.request.urlopen(
        f"{url}?{urllib.parse.urlencode(parameters)}", timeout=30
    ) as answer:
        return json.load(answer)


def _is_answered(one: Asked, url: str) -> bool:
    """Whether a store accepts a query; and whether it has data is the answer."""
    now = time.time()
    data = _ask(
        f"{url}/api/v1/query_range",
        query=_screen(one).query(one.target), start=now - SECONDS, end=now, step=5,
    )  # fmt: skip
    assert data["status"] == "success", data
    # Nothing of nothing is no number: Prometheus says so, VictoriaMetrics says nothing.
    return any(value != "NaN" for line in data["data"]["result"] for _, value in line["values"])


# What a run of a minute does not have: a day or a week of history, objectives that somebody
# declared, telemetry that was lost, a node that ended or fell silent; and a heatmap's second query
# is for its exemplars alone. The alerts' unit tests fill
# these. Nor is a real node watched here: tests/node has those.
ABSENT = re.compile(
    r":(adaptive|robust|previous)_|:yesterday|:last_week|:median1d|:expected_|qudag_objective_"
    r"|_send_failed_|_enqueue_failed_|last_over_time\(node:qudag_node:present"
    r"|qudag_node_|_bucket\{.*\} < 0$|component=\"node\"|qudag_process_ended|error_type!=\"\""
)


def test_every_prometheus_query_returns_data(filled: Pipeline) -> None:
    """No query is malformed, and every panel about the present shows it."""
    queries = asked("prometheus")
    empty = [one for one in queries if not _is_answered(one, filled.prometheus.url)]
    unexplained = [
        (one.name, one.panel["title"], one.target["expr"])
        for one in empty
        if not ABSENT.search(one.target["expr"]) and one.dashboard["uid"] != uids.ALERTS
    ]
    assert unexplained == []
    # What alerts compare is mostly a fault that is not there.
    seen = [one for one in queries if one.dashboard["uid"] != uids.ALERTS]
    assert len([one for one in empty if one in seen]) < len(seen) / 3


def test_every_prometheus_query_is_answered_by_victoriametrics(
    filled: Pipeline, tmp_path: Path
) -> None:
    """With the same samples it has data wherever Prometheus has."""
    answered = [one for one in asked("prometheus") if _is_answered(one, filled.prometheus.url)]
    with VictoriaMetrics(tmp_path) as store:
        store.copy(filled.prometheus, "15m")  # Prometheus looks back beyond the screen
        unanswered = [
            (one.name, one.panel["title"], one.target["expr"])
            for one in answered
            if not _is_answered(one, store.url)
        ]
    assert unanswered == []


LOGS_API = {"instant": "query", "stats": "stats_query", "statsRange": "stats_query_range"}


@pytest.mark.parametrize(
    "chosen",
    [
        {},
        {"node_id": ["node-1", "node-2"], "search": ["a"]},
        {"deployment_environment_name": [ENVIRONMENT]},
    ],
)
def test_every_log_query_returns_lines_or_counts(
    filled: Pipeline, chosen: dict[str, list[str]]
) -> None:
    """The demo's records are found by the dashboards' selectors, before and after one chooses."""

    def answered(one: Asked) -> None:
        screen = _screen(one)
        screen = replace(screen, chosen={**screen.chosen, **chosen})
        url = f"{filled.logs.url}/select/logsql/{LOGS_API[one.target['queryType']]}"
        found = get_lines(url, query=screen.query(one.target), start=f"{SECONDS}s", step="5s")
        assert found
        assert "data" not in found[0] or found[0]["data"]["result"]

    for one in asked(Source.VICTORIALOGS.plugin):
        eventually(lambda one=one: answered(one))  # type: ignore[misc]


def test_log_queries_leave_other_environments_out(filled: Pipeline) -> None:
    """What is chosen at the top of the dashboard holds for lines of log, too."""
    for one in asked(Source.VICTORIALOGS.plugin):
        screen = _screen(one)
        other = {**screen.chosen, "deployment_environment_name": ["prod"]}
        url = f"{filled.logs.url}/select/logsql/{LOGS_API[one.target['queryType']]}"
        query = replace(screen, chosen=other).query(one.target)
        found = get_lines(url, query=query, start=f"{SECONDS}s", step="5s")
        assert not any(each.get("data", {"result": each})["result"] for each in found)


def test_every_jaeger_search_returns_traces(filled: Pipeline) -> None:
    """Searches find the demo's traces; the one for slow traces is right to find none."""
    for one in asked("jaeger"):
        screen = _screen(one)
        search: dict[str, Any] = {"service": screen.fill(one.target["service"]), "limit": 20}
        if "tags" in one.target:
            name, _, value = one.target["tags"].partition("=")
            search["tags"] = json.dumps({name: value})
        if "minDuration" in one.target:
            search["minDuration"] = screen.fill(one.target["minDuration"])

        def found(search: dict[str, Any] = search) -> None:
            data = _ask(f"{filled.jaeger.url}/api/traces", **search)
            assert data["data"] or "minDuration" in search

        eventually(found)


IN_BROWSER = pytest.mark.servers("page", "chromium")
LOOKED_BACK = 120.0
CHOSEN = {"interval": ["15s"], "service": [SERVICE]}


@pytest.fixture(scope="module")
def window(filled: Pipeline, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Window]:
    """The page, at first on the dashboard of the logs, which asks nothing; all rows are open."""
    boards = [
        replace(board, sections=tuple(replace(one, folded=False) for one in board.sections))
        for board in BOARDS
    ]
    folder = tmp_path_factory.mktemp("page")
    chosen = urllib.parse.urlencode({f"var-{name}": value for name, [value] in CHOSEN.items()})
    with (
        Page(folder, prometheus=filled.prometheus.url, boards=boards) as page,
        chromium() as browser,
    ):
        url = f"{page.url}/d/{uids.LOGS}?start={LOOKED_BACK:.0f}s&refresh=0s&{chosen}"
        yield Window(browser.new_page(), url)


def _asks(uid: str, **chosen: list[str]) -> dict[int, list[tuple[str, str]]]:
    """What each panel of a dashboard asks Prometheus for, and how it names what it is told."""
    known = {variable["name"] for variable in DASHBOARDS[uid]["templating"]["list"]}
    own = {name: value for name, value in {**CHOSEN, **chosen}.items() if name in known}
    screen = Screen(DASHBOARDS[uid], seconds=LOOKED_BACK, chosen=own)
    found: dict[int, list[tuple[str, str]]] = {}
    for one in asked("prometheus"):
        heat = one.target["format"] == "heatmap"
        # The second query of a heatmap is for Grafana's exemplars alone.
        if one.dashboard["uid"] == uid and not (heat and one.target.get("instant")):
            legend = "up to {{le}}" if heat else one.target["legendFormat"]
            query = screen.query(one.target)
            found.setdefault(one.panel["id"], []).append((_in_minutes(query), legend))
    return found


def _in_minutes(query: str) -> str:
    """With whole minutes written as Perses does."""
    return re.sub(
        r"\[(\d+)s\]",
        lambda found: found[0] if int(found[1]) % 60 else f"[{int(found[1]) // 60}m]",
        query,
    )


def _named(legend: str, labels: dict[str, str]) -> str:
    """The name of a series."""
    return LABEL.sub(lambda found: labels.get(found[1], ""), legend).strip()


def _assert_shown(panel: Json, seen: Seen, told: list[tuple[str, dict[str, str]]]) -> None:
    """A panel shows nothing but what it was told, and all of it where that is not much.

    Args:
        panel: Grafana's.
        seen: What the browser shows of it.
        told: The labels of each series, with how it is named.
    """
    assert (seen.title, seen.alert) == (panel["title"], "")
    drawn = panel["type"] in {"timeseries", "heatmap"}
    rows = set(seen.cells[1::4] if drawn else seen.cells)
    shown = {" ".join(text.split()) for text in (*rows, *seen.lines, *seen.canvas)}
    if panel["type"] in {"table", "nodeGraph"}:
        names = {value for _, labels in told for value in labels.values()}
    else:
        names = {_named(legend, labels) for legend, labels in told}
        assert rows <= {*names, ""}
    if names:
        assert names <= shown if drawn and len(names) <= 2 else names & shown, (names, seen)
    else:
        assert not rows


@IN_BROWSER
@pytest.mark.parametrize("uid", uids.DASHBOARDS)
def test_every_panel_is_drawn_in_a_browser_with_what_prometheus_has(
    uid: str, window: Window
) -> None:
    """It asks what Grafana asks, shows the series that it is told, and nothing goes wrong."""
    panels = panels_of(DASHBOARDS[uid])
    window.show(DASHBOARDS[uid]["title"])
    window.panels(len(panels))
    answers, asks = window.answers(), _asks(uid)
    assert set(answers) == {query for some in asks.values() for query, _ in some}

    def shown() -> None:
        for panel, seen in zip(panels, window.panels(len(panels)), strict=True):
            told = [
                (legend, labels)
                for query, legend in asks.get(panel["id"], ())
                for labels in answers[query]
            ]
            _assert_shown(panel, seen, told)

    eventually(shown, timeout=20)
    assert window.complaints == []


@IN_BROWSER
def test_a_choice_in_a_browser_holds_there_and_behind_a_link(window: Window) -> None:
    """One node is chosen on the overview; the details of its messages are of that node alone."""
    window.show(DASHBOARDS[uids.POOL_CACHE]["title"])
    window.show(DASHBOARDS[uids.PERFORMANCE]["title"])
    window.choose("Node", "node-1")

    def chosen() -> None:
        panels = panels_of(DASHBOARDS[uids.PERFORMANCE])
        seen = {one.title: one for one in window.panels(len(panels))}
        assert seen[Panel.MESSAGE_THROUGHPUT.value].cells[1::4] == ["node-1"]

    eventually(chosen)
    window.follow(Panel.MESSAGE_THROUGHPUT.value, "Details")
    assert uids.MESSAGES in window.page.url
    window.panels(len(panels_of(DASHBOARDS[uids.MESSAGES])))
    assert {query for query in window.answers() if "node-1" not in query} == set()
    assert window.complaints == []


@IN_BROWSER
def test_address_that_alerts_name_shows_their_panel_alone(window: Window) -> None:
    """The page stands where Grafana would, and knows its addresses."""
    page = window.page
    page.goto(urllib.parse.urljoin(page.url, uids.COMPRESSION.path))
    alone = page.get_by_test_id("panel").locator("visible=true")
    alone.get_by_role("heading", name="Compression").wait_for()
    assert alone.count() == 1
    assert window.complaints == []
