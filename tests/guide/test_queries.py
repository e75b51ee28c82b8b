"""Every query of the guide, executed against data whose truth is known."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import pytest

from tests.guide.conftest import metric_of
from tests.servers.build import REPOSITORY
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from tests.guide.conftest import Past
    from tests.servers.backends import VictoriaLogs

GUIDE: Final = (REPOSITORY / "docs" / "guide.md").read_text()
BLOCKS: Final = re.findall(
    r"^```(promql|logsql) ?(\S*)\n(.*?)^```$", GUIDE, re.DOTALL | re.MULTILINE
)
QUERIES: Final[dict[str, dict[str, str]]] = {
    language: {name: text for kind, name, text in BLOCKS if kind == language}
    for language in ("promql", "logsql")
}

Answer = dict[tuple[str, ...], float]
"""The values of an answer's labels, sorted by label name, to its value."""

TRUTH: Final[dict[str, Answer]] = {
    "task-latency-p95": {("swarm-1", "verify"): 52.5},
    "tasks-over-30-seconds": {("swarm-1",): 0.1},
    "task-backlog-growth": {("swarm-1",): 2},
    "queue-drain-seconds": {("swarm-1",): 12},
    "agent-utilization": {("swarm-1",): 0.75},
    "slowest-operations": {("store.put",): 0.025 + 0.95 * 0.025},
    "cache-hit-rate": {("node-1",): 0.75, ("node-2",): 0},
    "cache-evictions-by-reason": {
        ("validation", "node-1", "capacity"): 6,
        ("validation", "node-1", "expired"): 1,
    },
    "cache-misses-by-validation": {
        ("node-1", "hash"): 2,
        ("node-1", "signature"): 3,
        ("node-2", "hash"): 4,
    },
    "pool-hit-rate": {("node-1", "peer"): 0.9, ("node-2", "peer"): 0},
    "pool-in-use": {("node-1", "peer"): 0.8},
    "pool-wait-p95": {("node-1", "peer"): 1.75},
    "operations-in-flight": {("node-1", "store.put"): 3},
    "memory-pressure": {("node-1",): 0.5, ("node-2",): 0.25},
    "memory-in-four-hours": {("node-1",): (8e9 + 4 * 3600 * 1e5) / 16e9, ("node-2",): 0.25},
    "cache-share-of-memory": {("node-1",): 0.25},
    "throughput": {
        ("inbound", "node-1"): 60,
        ("outbound", "node-1"): 40,
        ("outbound", "node-2"): 10,
    },
    "throughput-against-yesterday": {("node-1",): 0.8, ("node-2",): 1, ("node-3",): 2407.5 / 3600},
    "errors-by-component": {
        ("network", "OSError", "node-1"): 0.2,
        ("network", "TimeoutError", "node-1"): 0.3,
    },
    "errors-per-100-messages": {("node-1",): 0.5},
    "busiest-core": {("node-1",): 99},
    "seconds-since-last-sample": {("node-1",): 0, ("node-2",): 0, ("node-3",): 1200},
    "silent-nodes": {("node-3",): 1},
    "targets-down": {("up", "b", "qudag"): 0},
    "task-success-rate": {("swarm-1", "verify"): 0.9, ("swarm-2", "index"): 0},
    "compression-efficiency": {("zstd", "node-1"): 0.7},
    "pool-misses-per-100-requests": {("node-1",): 10, ("node-2",): 100},
    "chunks-per-message": {("node-1",): 2.5},
    "chunking-median-by-size": {("large",): 0.1},
    "operation-error-rate": {("store.put",): 0.05},
    "unhealthy-components": {("qudag_component_up", "cache", "node-1"): 0},
    "alert-minutes-of-a-day": {("HighCPUUsage", "warning"): 30},
    "messages-counted-as-other": {("node-2",): 10},
    "throughput-range-of-a-day": {("node-1",): 25, ("node-2",): 0, ("node-3",): 0},
}

LINES: Final = {
    "errors-of-a-node": {"no connection to peer-7", "no connection to peer-8"},
    "anomalies": {"performance anomaly: verify"},
    "lines-of-a-trace": {"task taken"},
}


def ask(past: Past, promql: str) -> Answer:
    return {
        tuple(value for _, value in sorted(labels.items())): value
        for labels, value in past.server.query(promql, past.now)
    }


def test_guide_every_block_has_a_name_and_a_truth() -> None:
    """A query cannot be added to the guide without saying what it must answer."""
    assert all(name for _, name, _ in BLOCKS)
    assert len(BLOCKS) == sum(map(len, QUERIES.values()))
    assert GUIDE.count("```promql") + GUIDE.count("```logsql") == len(BLOCKS)
    assert set(QUERIES["promql"]) == {*TRUTH, "series-by-metric"}
    assert set(QUERIES["logsql"]) == {*LINES, "errors-by-component"}


@pytest.mark.servers("prometheus")
@pytest.mark.parametrize("name", TRUTH)
def test_promql_answer_is_the_truth(past: Past, name: str) -> None:
    """The query answers what the data hold, for every series and no other."""
    answer = ask(past, QUERIES["promql"][name])
    assert answer == pytest.approx(TRUTH[name], rel=0.001, abs=1e-6)


@pytest.mark.servers("prometheus")
def test_promql_series_by_metric_counts_the_largest(past: Past) -> None:
    """The five metrics with the most series are named with their number."""
    answer = ask(past, QUERIES["promql"]["series-by-metric"])
    assert len(answer) == 5
    assert {name: past.series[name] for (name,) in answer} == {
        name: count for (name,), count in answer.items()
    }
    smallest = min(answer.values())
    rest = [count for name, count in past.series.items() if (name,) not in answer]
    assert max(rest) <= smallest


def test_promql_names_and_labels_are_the_catalogues() -> None:
    """No query names a metric that does not exist, or groups by a label that it does not have."""
    for name, text in QUERIES["promql"].items():
        series = set(re.findall(r"\bqudag_\w+", text)) - {"qudag_"}
        found = {one: metric_of(one) for one in series}
        assert None not in found.values(), name
        known = {key for metric in found.values() if metric for key in metric.attribute_keys}
        for group in re.findall(r"\b(?:by|on) \(([^)]*)\)", text):
            used = {label.strip() for label in group.split(",")}
            assert used <= known | {"le", "__name__", "alertname", "severity"}, name


@pytest.mark.servers("victorialogs")
@pytest.mark.parametrize("name", LINES)
def test_logsql_lines_are_the_truth(lines: VictoriaLogs, name: str) -> None:
    """The query finds the lines that were logged, and no other."""

    def found() -> None:
        assert set(lines.messages(QUERIES["logsql"][name])) == LINES[name]

    eventually(found)


@pytest.mark.servers("victorialogs")
def test_logsql_errors_by_component_counts_lines(lines: VictoriaLogs) -> None:
    """Two error lines of the pool, one of the cache."""

    def found() -> None:
        rows = lines.query(QUERIES["logsql"]["errors-by-component"])
        assert {row["qudag.component"]: row["lines"] for row in rows} == {"pool": "2", "cache": "1"}

    eventually(found)


def test_guide_links_point_to_documents_of_this_folder() -> None:
    """The guide links only documents that stand beside it."""
    linked = set(re.findall(r"\]\(([\w.]+\.md)(?:#[\w-]+)?\)", GUIDE))
    documents = {path.name for path in (REPOSITORY / "docs").glob("*.md")}
    assert {"metrics.md", "alerts.md", "runbooks.md", "operating.md", "configuration.md"} <= linked
    assert linked <= documents
