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

from qudag_otel.dashboards._interpolate import Screen
from qudag_otel.dashboards._view import Source
from tests.dashboards.files import Asked, asked
from tests.demo.programs import running
from tests.servers.api import get_lines
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.collectors import Pipeline

pytestmark = [pytest.mark.servers, pytest.mark.timeout(400)]

SECONDS = 300.0
SERVICE = "dashboards"


@pytest.fixture(scope="module")
def filled(pipeline: Pipeline) -> Iterator[Pipeline]:
    """The servers, with a demo that works and fails beside them."""
    variables = {
        "OTEL_SERVICE_NAME": SERVICE,
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


def _is_answered(one: Asked, pipeline: Pipeline) -> bool:
    """Whether Prometheus accepts a query; and whether it has data is the answer."""
    now = time.time()
    data = _ask(
        f"{pipeline.prometheus.url}/api/v1/query_range",
        query=_screen(one).query(one.target), start=now - SECONDS, end=now, step=5,
    )  # fmt: skip
    assert data["status"] == "success", data
    return bool(data["data"]["result"])


# What a run of a minute does not have: a day or a week of history, objectives that somebody
# declared, telemetry that was lost, a node that ended or fell silent. The alerts' unit tests fill
# these. Nor is a real node watched here: tests/node has those.
ABSENT = re.compile(
    r":(adaptive|robust)_|:yesterday|:last_week|:median1d|:expected_|qudag_objective_"
    r"|_send_failed_|_enqueue_failed_|last_over_time\(qudag_message_throughput"
    r"|qudag_node_|component=\"node\"|qudag_process_ended|error_type!=\"\""
)


def test_every_prometheus_query_returns_data(filled: Pipeline) -> None:
    """No query is malformed, and every panel about the present shows it."""
    queries = asked("prometheus")
    empty = [one for one in queries if not _is_answered(one, filled)]
    unexplained = [
        (one.name, one.panel["title"], one.target["expr"])
        for one in empty
        if not ABSENT.search(one.target["expr"])
    ]
    assert unexplained == []
    assert len(empty) < len(queries) / 3


LOGS_API = {"instant": "query", "stats": "stats_query", "statsRange": "stats_query_range"}


@pytest.mark.parametrize("chosen", [{}, {"node_id": ["node-1", "node-2"], "search": ["a"]}])
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
