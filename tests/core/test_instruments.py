"""Series and observers: labels and values are checked, identity follows, nothing raises."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest

from qudag_otel import identity
from qudag_otel.catalogue import metrics as m
from qudag_otel.instruments import observe, series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from qudag_otel.catalogue import Metric
    from qudag_otel.testing import Captured


@pytest.fixture(autouse=True)
def _own_identity() -> Iterator[None]:
    yield
    identity.reset()


class TestSeries:
    def test_counter_gauge_and_histogram_record_under_their_labels(
        self, telemetry: Captured
    ) -> None:
        """Each kind of instrument reports what it was given."""
        series(m.POOL_HITS, node_id="n", pool_type="peer").add(3)
        series(m.COMPRESSION_RATIO, node_id="n", compression_type="zstd").set(0.7)
        series(m.TASK_LATENCY, swarm_id="s", task_type="verify").record(45)
        assert telemetry.value("qudag_connection_pool_hits_total", pool_type="peer") == 3
        assert telemetry.value("qudag_compression_ratio", node_id="n") == 0.7
        assert telemetry.histogram("qudag_swarm_task_latency_seconds", swarm_id="s") == (1, 45)

    def test_zero_makes_a_counter_exist(self, telemetry: Captured) -> None:
        """A ratio of hits and misses is defined before the first miss."""
        series(m.POOL_MISSES, pool_type="peer").add(0)
        assert telemetry.value("qudag_connection_pool_misses_total") == 0

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, "3", None])
    def test_unusable_value_is_dropped_with_one_warning(
        self, telemetry: Captured, value: float
    ) -> None:
        """NaN, infinity, negative numbers and what is no number never reach a sum."""
        counter = series(m.POOL_HITS, pool_type="peer")
        counter.add(1)
        counter.add(value)
        counter.add(value)
        series(m.TASK_LATENCY, task_type="verify").record(value)
        assert telemetry.value("qudag_connection_pool_hits_total") == 1
        assert not telemetry.points("qudag_swarm_task_latency_seconds")
        assert len([log for log in telemetry.logs if "pool.hits" in str(log.body)]) == 1

    def test_value_that_is_not_allowed_becomes_other_with_one_warning(
        self, telemetry: Captured
    ) -> None:
        """A closed set of values stays closed."""
        for direction in ("inbound", "sideways", "upwards"):
            series(m.MESSAGE_THROUGHPUT, message_type="file", direction=direction).add()
        assert telemetry.value("qudag_message_throughput_total", direction="inbound") == 1
        assert telemetry.value("qudag_message_throughput_total", direction="other") == 2
        assert len(telemetry.logs) == 1

    def test_values_beyond_the_limit_become_other(self, telemetry: Captured) -> None:
        """An unbounded label, such as a peer's address, cannot grow memory without end."""
        limit = m.POOL_HITS.attributes[1].limit
        for number in range(limit + 25):
            series(m.POOL_HITS, pool_type=f"pool-{number}").add()
        points = telemetry.points("qudag_connection_pool_hits_total")
        assert len(points) == limit + 1
        assert telemetry.value("qudag_connection_pool_hits_total", pool_type="other") == 25
        telemetry.log("one more than")

    def test_label_that_is_no_text_is_reported_as_text(self, telemetry: Captured) -> None:
        """A number as label value is its text."""
        series(m.POOL_HITS, pool_type=4).add()
        series(m.POOL_HITS, pool_type=["a"]).add()
        assert telemetry.value("qudag_connection_pool_hits_total", pool_type="4") == 1
        assert telemetry.value("qudag_connection_pool_hits_total", pool_type="['a']") == 1

    def test_unknown_and_missing_labels_are_programming_errors(self) -> None:
        """The contract's labels are neither more nor fewer."""
        with pytest.raises(TypeError, match="has no label 'pool'"):
            series(m.POOL_HITS, pool="x")
        with pytest.raises(TypeError, match="needs the label 'pool_type'"):
            series(m.POOL_HITS)


class TestIdentity:
    def test_series_follows_an_identity_that_is_set_later(self, telemetry: Captured) -> None:
        """A module may bind its series before the program configures telemetry."""
        bound = series(m.POOL_HITS, pool_type="peer")
        bound.add()
        identity.set_identity(node_id="later", swarm_id="hive")
        bound.add()
        series(m.TASKS_CREATED, task_type="t", priority="low").add()
        assert telemetry.value("qudag_connection_pool_hits_total", node_id="later") == 1
        assert telemetry.value("qudag_swarm_tasks_created_total", swarm_id="hive") == 1

    @pytest.mark.parametrize(
        ("variable", "expected"),
        [
            ("qudag.node.id=n%201,qudag.swarm.id=s", ("n 1", "s")),
            ("other=1,qudag.node.id = spaced ", ("spaced", "default")),
            ("garbage,,=,qudag.node.id", (None, "default")),
            ("", (None, "default")),
        ],
    )
    def test_identity_is_read_from_the_resource_attributes(
        self, monkeypatch: pytest.MonkeyPatch, variable: str, expected: tuple[str | None, str]
    ) -> None:
        """Without configuration the environment tells; malformed parts are passed over."""
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", variable)
        identity.reset()
        assert (identity.node_id(), identity.swarm_id()) == (
            expected[0] or os.uname().nodename,
            expected[1],
        )


class TestObserve:
    def test_observers_of_one_metric_are_read_at_collection(self, telemetry: Captured) -> None:
        """Several owners report into one metric; one that stopped is not asked again."""
        held = {"a": 5.0, "b": 7.0}

        def of(name: str) -> Iterator[tuple[Mapping[str, str], float]]:
            yield {"cache_type": name}, held[name]

        stops = [observe(m.CACHE_MEMORY, lambda name=name: of(name)) for name in held]  # type: ignore[misc]
        assert telemetry.value("qudag_cache_memory_bytes", cache_type="a") == 5
        held["b"] = 9
        stops[0]()
        assert telemetry.value("qudag_cache_memory_bytes", cache_type="b") == 9
        stops[1]()

    def test_failing_observer_leaves_the_others(self, telemetry: Captured) -> None:
        """One that raises is logged once and skipped."""

        def broken() -> Iterator[tuple[Mapping[str, str], float]]:
            raise RuntimeError("no")

        stops = [
            observe(m.CACHE_MEMORY, broken),
            observe(m.CACHE_MEMORY, lambda: [({"cache_type": "good"}, 1.0)]),
            observe(m.CACHE_MEMORY, lambda: [({"wrong": "label"}, 1.0)]),
        ]
        assert telemetry.value("qudag_cache_memory_bytes", cache_type="good") == 1
        assert telemetry.value("qudag_cache_memory_bytes", cache_type="good") == 1
        for stop in stops:
            stop()
        assert len([log for log in telemetry.logs if "observer" in str(log.body)]) == 2


def test_import_loads_no_sdk() -> None:
    """`import qudag_otel` and decorating load the API alone."""
    program = (
        "import sys, qudag_otel\n"
        "@qudag_otel.instrumented\n"
        "def f(): pass\n"
        "f()\n"
        "print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_observing_during_a_collection_does_not_deadlock(telemetry: Captured) -> None:
    """A part that is made while somebody collects waits for the collection, not it for the part."""
    started: list[threading.Thread] = []

    def first() -> list[tuple[dict[str, str], float]]:
        if not started:
            later = observing(m.QUEUE_DEPTH, {"queue_type": "tasks", "priority": "high"})
            started.append(threading.Thread(target=later, daemon=True))
            started[0].start()
            started[0].join(0.2)  # by then it waits for this collection
        return [({"cache_type": "a"}, 1.0)]

    def observing(metric: Metric, labels: dict[str, str]) -> Callable[[], None]:
        return lambda: stops.append(observe(metric, lambda: [(labels, 2.0)]))

    stops: list[Callable[[], None]] = []
    stops.append(observe(m.CACHE_MEMORY, first))
    observing(m.AGENT_UTILIZATION, {"agent_id": "a", "agent_type": "t"})()
    read: list[float] = []
    collecting = threading.Thread(
        target=lambda: read.append(telemetry.value("qudag_cache_memory_bytes")), daemon=True
    )
    collecting.start()
    collecting.join(20)
    assert read == [1.0]
    started[0].join(20)
    deadline = time.monotonic() + 20
    while not telemetry.points("qudag_swarm_queue_depth") and time.monotonic() < deadline:
        pass  # made by a thread that waited for the collection's end
    assert telemetry.value("qudag_swarm_queue_depth") == 2.0
    for stop in stops:
        stop()
