"""What the demo reports is what its nodes counted themselves, metric by metric, label by label."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from qudag_otel.catalogue import Instrument, Metric
from qudag_otel.catalogue import metrics as m
from qudag_otel.cli._scrape import Snapshot, scrape
from tests.demo.programs import eventually, running

# Read at another moment, or by another clock, than the nodes' own.
MEASURED = {m.AGENT_UTILIZATION, m.CPU_USAGE, m.SYSTEM_MEMORY}
# Installed memory stays as it is; a pool or a queue may look the same at two moments.
CONSTANT = {("memory_type", "total")}


class Recorded:
    """One run of the demo: scrapes while it was under load, and the summary at its end."""

    def __init__(self, scrapes: list[Snapshot], summary: dict[str, Any], code: int) -> None:
        self.scrapes = scrapes
        self.summary = summary
        self.code = code

    def reported(self, name: str, labels: dict[str, str]) -> list[float]:
        """The values of the series with exactly these labels and the scope's."""
        return [
            sample["value"]
            for sample in self.summary["reported"].get(name, [])
            if {k: v for k, v in sample["labels"].items() if k != "le"} == labels
        ]


def _record(*words: str) -> Recorded:
    """Run the demo until caches are full and errors have happened, then end it."""
    options = ("--rate", "80", "--fault", "error-burst=0.1", *words)
    with running("demo", "--headless", *options) as demo:
        urls = demo.metrics_urls()
        scrapes: list[Snapshot] = []

        def seen(metric: Metric) -> float:
            return sum(
                value
                for snapshot in scrapes
                for value in snapshot.samples.get(metric.prometheus_name, {}).values()
            )

        def busy() -> bool:
            scrapes.extend(scrape(url) for url in urls)
            return all(map(seen, (m.CACHE_EVICTIONS, m.ERRORS, m.QUEUE_DEPTH)))

        eventually(busy, "caches evict, errors happen, and tasks wait")
        summary = demo.end(signal.SIGTERM)
        return Recorded(scrapes, summary, demo.process.returncode)


@pytest.fixture(scope="module", params=[(), ("--processes", "--nodes", "2")], ids=["one", "many"])
def recorded(request: pytest.FixtureRequest) -> Recorded:
    """A run in one process, and one in several."""
    return _record(*request.param)


@pytest.mark.parametrize("metric", m.CONTRACT, ids=lambda metric: metric.prometheus_name)
def test_metric_of_a_run_equals_the_nodes_own_count(metric: Metric, recorded: Recorded) -> None:
    """Every series says what the nodes counted, and there is no series that they did not count."""
    counted = recorded.summary["counted"][metric.prometheus_name]
    assert counted
    for sample in counted:
        labels = sample["labels"]
        assert set(labels) == set(metric.attribute_keys)
        if metric.instrument is Instrument.HISTOGRAM:
            assert recorded.reported(f"{metric.prometheus_name}_count", labels) == [sample["count"]]
            (total,) = recorded.reported(f"{metric.prometheus_name}_sum", labels)
            # The wrapper's clock runs a little longer than the one inside.
            assert sample["sum"] * 0.9 <= total <= sample["sum"] * 1.5 + 0.1
        else:
            (value,) = recorded.reported(metric.prometheus_name, labels)
            assert value == (pytest.approx(sample["value"]) if metric not in MEASURED else value)
    if metric.instrument is Instrument.COUNTER:
        reported = recorded.summary["reported"][metric.prometheus_name]
        assert sum(sample["value"] for sample in reported) == sum(s["value"] for s in counted)


@pytest.mark.parametrize("metric", m.CONTRACT, ids=lambda metric: metric.prometheus_name)
def test_metric_of_a_run_changes(metric: Metric, recorded: Recorded) -> None:
    """No metric of the contract stays at one value while the network is under load."""
    name = metric.prometheus_name
    if metric.instrument is Instrument.HISTOGRAM:
        name += "_sum"
    values = {
        value
        for snapshot in recorded.scrapes
        for labels, value in snapshot.samples.get(name, {}).items()
        if not CONSTANT & labels
    }
    values |= {
        sample["value"]
        for sample in recorded.summary["reported"].get(name, [])
        if not CONSTANT & set(sample["labels"].items())
    }
    # A machine with other work beside may be busy with all it has, from the first to the last look.
    assert len(values) > 1 or (metric is m.CPU_USAGE and values == {100.0})


def test_measured_gauges_of_a_run_are_near_the_nodes_own_measurement(recorded: Recorded) -> None:
    """Memory, CPU and utilization are read at another moment, and say about the same."""
    for metric, tolerance in (
        (m.SYSTEM_MEMORY, 2**30),
        (m.CPU_USAGE, 100),
        (m.AGENT_UTILIZATION, 1),
    ):
        for sample in recorded.summary["counted"][metric.prometheus_name]:
            (value,) = recorded.reported(metric.prometheus_name, sample["labels"])
            assert value == pytest.approx(sample["value"], abs=tolerance)
            assert value >= 0


def test_run_ended_by_a_signal_is_complete(recorded: Recorded) -> None:
    """SIGTERM ends the run in good order: everything under way was done, and the code is 0."""
    summary = recorded.summary
    assert recorded.code == 0
    assert summary["drained"]
    assert summary["files"]["delivered"] > 0
    assert summary["files"]["failed"] > 0
    assert summary["messages_per_second"] > 0
    assert next(iter(summary["failures"])).startswith("PeerRefusedError")
    created, completed = (
        sum(sample["value"] for sample in summary["counted"][metric.prometheus_name])
        for metric in (m.TASKS_CREATED, m.TASKS_COMPLETED)
    )
    assert created == completed > 0
