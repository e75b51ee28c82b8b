"""`qudag-otel explain` against stores whose answers are known."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from qudag_otel._query.prometheus import Prometheus
from qudag_otel._query.stores import Jaeger, Logs, StoreError
from qudag_otel.alerts.runbooks import SECTIONS
from qudag_otel.cli import main
from qudag_otel.explain.report import Stores, explain
from qudag_otel.explain.show import as_json, text
from tests.explain.fakes import Fakes, stores

if TYPE_CHECKING:
    from collections.abc import Iterator

AT = 1_800_000_000.0
SINCE = AT - 300
POOL = {"alertname": "ConnectionPoolExhausted", "node_id": "n1", "pool_type": "peer"}
NOBODY = "http://127.0.0.1:9"


@pytest.fixture
def fakes() -> Iterator[Fakes]:
    """Stores that know of nothing."""
    with stores() as started:
        yield started


@pytest.fixture
def exhausted(fakes: Fakes) -> Fakes:
    """Node n1 has no idle connection, and sends nothing any more."""
    fakes.series = {
        "ALERTS_FOR_STATE{alertname": [({**POOL, "severity": "critical"}, SINCE)],
        "ALERTS{alertname": [({**POOL, "alertstate": "firing", "severity": "critical"}, 1.0)],
        "group by (job, instance) (last_over_time": [({"job": "a/shop", "instance": "i1"}, 1.0)],
        'direction="outbound"': [({}, 0.02)],
        "node_pool:qudag_pool_requests": [({}, 0.8)],
        'connections:sum{node_id="n1",pool_type="peer",state="idle"}': [({}, 0.0)],
    }
    fakes.before = {'connections:sum{node_id="n1",pool_type="peer",state="idle"}': [({}, 5.0)]}
    fakes.rules = {"ConnectionPoolExhausted": "what is evaluated > 0"}
    fakes.traces = [_trace("aa", 2.0), _trace("bb", 9.0), _trace("cc", 1.0, error="no connection")]
    fakes.lines = {'trace_id:in("cc"': [{"_time": "2027", "_msg": "gave up"}]}
    return fakes


def _trace(trace_id: str, seconds: float, error: str = "") -> dict[str, Any]:
    failed = [
        {"key": "error", "value": True},
        {"key": "otel.status_description", "value": error},
    ]
    parent = {"refType": "CHILD_OF", "spanID": "1"}
    spans = [
        ("1", "request", seconds, [], []),
        ("2", "acquire", seconds * 0.9, [parent], failed if error else []),
    ]
    return {
        "traceID": trace_id,
        "spans": [
            {
                "spanID": span_id,
                "operationName": name,
                "startTime": int(SINCE * 1e6) + int(span_id),
                "duration": int(took * 1e6),
                "references": references,
                "tags": tags,
            }
            for span_id, name, took, references, tags in spans
        ],
    }


def words(fakes: Fakes, *more: str) -> list[str]:
    """A command line that asks the fakes."""
    at = ["--at", f"{AT:.0f}"]
    urls = [f"--{name}={fakes.url}" for name in ("prometheus", "jaeger", "logs")]
    return ["explain", "ConnectionPoolExhausted", *at, *urls, *more]


def test_silent_alert_is_called_healthy(fakes: Fakes, capsys: pytest.CaptureFixture[str]) -> None:
    """With exit code 0, the value now, and no cause."""
    fakes.series = {"node_pool_state": [({}, 3.0)]}
    assert main(words(fakes, "--node", "n1")) == 0
    said = capsys.readouterr().out
    assert "Healthy at 2027-01-15 08:00:00" in said
    assert "now 3 connections" in said
    assert "fits" not in said
    assert not any("/api/traces" in path for path, _ in fakes.asked)


def test_silent_alert_that_fired_says_when(
    fakes: Fakes, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the words that explain that moment."""
    fakes.series = {'alertstate="firing"': [({}, 1.0)]}
    assert main(words(fakes)) == 0
    assert "--at 2027-01-15T08:00:00Z explains that" in capsys.readouterr().out


def test_firing_alert_is_explained(exhausted: Fakes, capsys: pytest.CaptureFixture[str]) -> None:
    """Since when, the value then and now, the cause that fits first, each with its query."""
    assert main(words(exhausted)) == 1
    said = capsys.readouterr().out
    assert "node_id n1, pool_type peer: firing, since 2027-01-15 07:55:00" in said
    assert (
        "now 0 connections, before 5 connections; the alert speaks if it is == 0 connections"
        in said
    )
    verdicts = re.findall(r"^  [+?-] (.*)$", said, re.MULTILINE)
    assert verdicts == [
        "fits: connections are not given back",
        "does not fit: a peer answers slowly, so connections stay out",
        "does not fit: the pool is too small for the load",
    ]
    assert "it is 2%" in said
    assert '(sum(rate(qudag_message_throughput_total{node_id="n1",direction="outbound"}' in said
    assert "1. Compare the wait time of the pool" in said


def test_traces_that_failed_come_first_with_links_and_lines(exhausted: Fakes) -> None:
    """Then the slowest; the lines are those of these traces."""
    report = explain("ConnectionPoolExhausted", _stores(exhausted), AT)
    assert [trace.trace_id for trace, _ in report.traces] == ["cc", "bb", "aa"]
    trace, link = report.traces[0]
    assert link == f"{exhausted.url}/trace/cc"
    assert trace.failure == "acquire: no connection"
    name, seconds = trace.longest
    assert (trace.operation, trace.spans, name) == ("request", 2, "acquire")
    assert [trace.seconds, seconds] == pytest.approx([1.0, 0.9])
    assert [line["_msg"] for line in report.lines] == ["gave up"]
    asked = [fields for path, fields in exhausted.asked if path == "/api/traces"]
    assert {fields["service"] for fields in asked} == {"shop"}
    assert json.loads(asked[0]["tags"]) == {"service.instance.id": "i1", "error": "true"}
    assert float(asked[0]["end"]) == AT * 1e6


def test_without_lines_of_the_traces_warnings_of_the_process_are_told(exhausted: Fakes) -> None:
    """Lines need not be written inside of a span."""
    exhausted.lines = {"severity_number:>=13": [{"_time": "2027", "_msg": "a warning"}]}
    report = explain("ConnectionPoolExhausted", _stores(exhausted), AT)
    assert report.lines_query == 'service.instance.id:in("i1") severity_number:>=13'
    assert [line["_msg"] for line in report.lines] == ["a warning"]


def test_json_holds_what_the_text_says(
    exhausted: Fakes, capsys: pytest.CaptureFixture[str]
) -> None:
    """One object, for programs."""
    assert main(words(exhausted, "--json")) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["healthy"] is False
    assert told["expressions"] == ["what is evaluated > 0"]
    (case,) = told["cases"]
    assert case["episode"]["state"] == "firing"
    assert case["episode"]["since"] == SINCE
    assert case["findings"][0]["verdict"] == "fits"
    assert case["findings"][0]["evidence"][0]["query"].endswith(" < 0.1")
    assert told["traces"][0]["link"].endswith("/trace/cc")


@pytest.mark.parametrize("store", ["jaeger", "logs"])
def test_store_that_is_away_costs_only_its_part(
    store: str, exhausted: Fakes, capsys: pytest.CaptureFixture[str]
) -> None:
    """One sentence says so; the causes are weighed all the same."""
    assert main(words(exhausted, f"--{store}={NOBODY}")) == 1
    said = capsys.readouterr().out
    part = {"jaeger": "traces", "logs": "lines"}[store]
    (sentence,) = re.findall(rf"^No {part}: .*$", said, re.MULTILINE)
    assert "cannot reach http://127.0.0.1:9" in sentence
    assert f"--{store} URL says where" in sentence
    assert "fits: connections are not given back" in said


def test_store_that_is_left_out_is_not_asked(exhausted: Fakes) -> None:
    """An empty URL is no question, and no complaint."""
    assert main(words(exhausted, "--jaeger=", "--logs=")) == 1
    assert {path for path, _ in exhausted.asked} == {"/api/v1/query_range", "/api/v1/rules"}


def test_nothing_can_be_told_without_prometheus(
    exhausted: Fakes, capsys: pytest.CaptureFixture[str]
) -> None:
    """It knows the subjects: exit code 2, with its own words on what is wrong."""
    assert main(words(exhausted, f"--prometheus={NOBODY}")) == 2
    ended = capsys.readouterr()
    assert "No metrics: cannot reach http://127.0.0.1:9" in ended.out
    assert "without Prometheus nothing can be told" in ended.err


@pytest.mark.parametrize("option", ["prometheus", "jaeger", "logs"])
def test_words_that_are_no_url_are_refused(
    option: str, fakes: Fakes, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before anybody is asked."""
    assert main(words(fakes, f"--{option}=somewhere")) == 2
    assert f"--{option} 'somewhere' is no URL" in capsys.readouterr().err


def test_server_that_is_no_store_is_named() -> None:
    """A port of somebody else does not look like an empty store."""
    with stores() as fakes:
        fakes.lines = {"x": [{"a": "b"}]}
        fakes.traces = [{"traceID": "without spans"}]
        with pytest.raises(StoreError, match="not as Jaeger does"):
            Jaeger(fakes.url).traces("shop", 0, 1, tags={}, limit=1)
    with pytest.raises(StoreError, match="cannot reach"):
        Logs(NOBODY).lines("x", 0, 1, limit=1)


@pytest.mark.parametrize("name", SECTIONS)
def test_every_alert_can_be_explained(name: str, fakes: Fakes) -> None:
    """Whatever its subject is; every query is complete, and every cause is weighed."""
    labels = {"alertname": name, "node_id": "n1", "swarm_id": "s1", "job": "j", "instance": "i"}
    fakes.otherwise = [({**labels, "alertstate": "firing"}, 1.5)]
    report = explain(name, _stores(fakes), AT, {"node_id": "n1"})
    assert report.missing == []
    (case,) = report.cases
    assert {one.cause for one in case.findings} == {one.text for one in SECTIONS[name].causes}
    assert all(e.holds is not None for one in case.findings for e in one.evidence)
    assert not any(re.search(r"<[a-z_]+>|\{,|,\}|\{\}", query) for query in fakes.queries)
    assert text(report)
    assert json.loads(as_json(report))["alert"] == name


def test_names_and_histograms_are_those_of_the_rules(
    exhausted: Fakes, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every query is asked, and shown, as it is spelled there."""
    asked = words(exhausted, "--histograms", "native", "--prefix", "acme", "--json")
    assert main([*asked[:1], "ObjectiveBurnsFast", *asked[2:]]) == 1
    assert main(asked) == 1
    assert not any(
        "qudag_operation" in re.sub(r":qudag\w+:", "", each) for each in exhausted.queries
    )
    assert any("acme_operation_active" in query for query in exhausted.queries)
    capsys.readouterr()
    exhausted.otherwise = [({"alertname": "HighChunkingLatency", "alertstate": "firing"}, 1.5)]
    exhausted.series.clear()
    assert main([*asked[:1], "HighChunkingLatency", *asked[2:]]) == 1
    said = capsys.readouterr().out
    assert "histogram_count(rate(qudag_chunking_duration_seconds[5m] @ " in said
    assert "_count[" not in said


def test_what_others_wrote_does_not_steer_the_terminal(exhausted: Fakes) -> None:
    """Neither lines nor names from the stores write more than their line."""
    exhausted.lines = {"": [{"_time": "2027", "_msg": "red \x1b[31m\nnext\rx"}]}
    report = explain("ConnectionPoolExhausted", _stores(exhausted), AT)
    assert "red \ufffd[31m\ufffdnext\ufffdx" in text(report)
    assert "\x1b" not in text(report)


def test_only_the_longest_in_trouble_are_looked_into(exhausted: Fakes) -> None:
    """Of a whole fleet three, the firing ones first; how many more there are is said."""
    fleet = [({**POOL, "node_id": f"n{number}"}, SINCE - number) for number in range(9)]
    exhausted.series["ALERTS_FOR_STATE{alertname"] = fleet
    exhausted.series["ALERTS{alertname"] = [
        ({**labels, "alertstate": "pending" if labels["node_id"] == "n8" else "firing"}, 1.0)
        for labels, _ in fleet
    ]
    report = explain("ConnectionPoolExhausted", _stores(exhausted), AT)
    assert [case.episode.labels["node_id"] for case in report.cases] == ["n7", "n6", "n5"]
    assert "6 more: choose one by --node" in text(report)


def test_what_else_was_different_is_told(exhausted: Fakes) -> None:
    """Other alerts by their beginning, new processes, errors and calls against before."""
    exhausted.series |= {
        "concern=~": [({"alertname": "CollectorAbsent", "job": "gw"}, SINCE - 60)],
        "@ 1799999340.000": [({"job": "a/shop", "instance": "i2"}, 1.0)],
        "error_type) (rate(": [({"component": "pool", "error_type": "Exhausted"}, 2.0)],
        "qudag_operation_calls": [({"operation": "send", "component": "node"}, 4.0)],
    }
    exhausted.series["ALERTS"] = [
        ({"alertname": "CollectorAbsent", "job": "gw", "alertstate": "firing"}, 1)
    ]
    exhausted.before |= {"qudag_operation_calls": [({"operation": "send", "component": "node"}, 8)]}
    report = explain("ConnectionPoolExhausted", _stores(exhausted), AT)
    told = {change.kind: change for change in reversed(report.changes)}
    assert told["alert"].words == "CollectorAbsent is firing (gw)"
    assert told["alert"].at == SINCE - 60
    assert told["rollout"].words == "process came: a/shop i2"
    assert told["errors"].words == "Exhausted in pool: 2 errors/s, before 0 errors/s"
    assert told["operations"].words == (
        "send (node): 4 calls/s, before 8 calls/s, yesterday 8 calls/s"
    )


def _stores(fakes: Fakes) -> Stores:
    return Stores(prometheus=Prometheus(fakes.url), jaeger=Jaeger(fakes.url), logs=Logs(fakes.url))
