"""Every query of every panel against the real servers, filled by the demo."""

from __future__ import annotations

import json
import re
import time
import urllib.parse
import urllib.request
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from qudag_otel.catalogue import uids
from qudag_otel.dashboards._interpolate import Screen
from qudag_otel.dashboards._view import Source
from tests.dashboards.files import Asked, asked
from tests.demo.programs import running
from tests.servers.api import get_lines
from tests.servers.backends import VictoriaMetrics
from tests.servers.collectors import CONFIG, QUICK, Collector
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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
