"""What telemetry costs is measured by telemetry: threads by their clocks, calls by timing a few."""

from __future__ import annotations

import itertools
import logging
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.instrumentation.qudag.messages import MonitoredMessageFlow
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from qudag_otel import instrumented, propagation
from qudag_otel._calls import timed as timing
from qudag_otel._calls.timed import CARRIED, Priced, Timed
from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue import metrics as m
from qudag_otel.instruments import series
from qudag_otel.sdk import configure, reset
from qudag_otel.sdk.fast.price import Sampled, Share
from tests.sdk.test_births import SILENT
from tests.sdk.test_otlp import environment

if TYPE_CHECKING:
    from tests.sdk.receiver import Receiver


def values(reader: InMemoryMetricReader, name: str) -> dict[str, float]:
    """A metric's values by what costs."""
    data = reader.get_metrics_data()
    assert data is not None
    return {
        str((point.attributes or {}).get(a.COST.key, "")): point.value  # type: ignore[union-attr]  # numbers
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == name
        for point in metric.data.data_points
    }


def test_price_of_calls_threads_and_lines_is_counted(receiver: Receiver) -> None:
    """Each part grows with what was done, and threads stay below what the process took."""
    reader = InMemoryMetricReader()
    began = time.process_time()
    telemetry = configure(environ=environment(receiver, "http/protobuf"), metric_readers=[reader])

    @instrumented
    def called() -> None:
        pass

    @instrumented(spans=False)
    def timed() -> None:
        pass

    assert all(value == 0 for value in values(reader, m.TELEMETRY_CPU.name).values())
    for _ in range(5_000):
        called()
        timed()
    for _ in range(20):
        logging.getLogger("app").warning("said")
    assert telemetry.force_flush()
    spent = values(reader, m.TELEMETRY_CPU.name)
    assert set(spent) == {"calls", "threads", "logs"}
    assert spent["calls"] > 1e-3
    assert spent["threads"] > 1e-3
    assert spent["logs"] > 1e-5
    assert spent["threads"] < time.process_time() - began  # by clocks; the others are estimates
    (share,) = values(reader, m.TELEMETRY_SHARE.name).values()
    assert 0 < share <= 1


def test_price_of_one_is_the_median_of_those_timed() -> None:
    """A sample that was interrupted does not count for more than one."""
    pauses = iter([0.002] * 2 + [0.05] + [0.002] * 2)
    sampled = Sampled(lambda: time.sleep(next(pauses)), lambda: None)
    assert sampled.seconds() == 0
    for _ in range(5):
        sampled.sample()
    assert 0.001 < sampled.seconds() < 0.02


def test_spent_is_at_the_price_of_its_time_and_never_falls() -> None:
    """A price that falls takes nothing back, and what came before the first price waits for it."""
    count, price = [0.0], [0.0]
    spent = Priced(lambda: count[0], lambda: price[0])
    count[0] = 100
    assert spent.seconds == 0
    price[0] = 0.01
    assert spent.seconds == pytest.approx(1)
    price[0], count[0] = 0.001, 200
    assert spent.seconds == pytest.approx(1.1)


def test_spent_is_told_while_somebody_else_counts() -> None:
    """A child that was forked then has the lock held for ever: what is known is the answer."""
    count = [0.0]
    spent = Priced(lambda: count[0], lambda: 0.01)
    count[0] = 100
    assert spent.seconds == pytest.approx(1)
    count[0] = 200
    with spent._lock:
        assert spent.seconds == pytest.approx(1)
    assert spent.seconds == pytest.approx(2)


def test_first_times_are_all_timed_and_then_few(monkeypatch: pytest.MonkeyPatch) -> None:
    """The very first is the slowest of all: its price must not stand for the others."""
    clock = itertools.count(1)
    took = iter([1000, *[1] * 100])
    timed = Timed()
    monkeypatch.setattr(timing, "_clock", lambda: next(clock))
    for _ in range(20):
        number, began = timed.begin()
        if began:
            clock = itertools.count(began + next(took))
        timed.end(number, began)
    assert timed.seconds == pytest.approx(17e-9)


def test_price_counts_wrappers_values_and_carried_contexts(receiver: Receiver) -> None:
    """A watched message costs more than a call; values and contexts cost without any call."""
    telemetry = configure(environ=environment(receiver, "http/protobuf"), metrics_exporter="none")
    engine: Any = telemetry._engine

    class Flow:
        def send(self, _message: bytes, _kind: str) -> None:
            pass

        handle = send

    flow = MonitoredMessageFlow(Flow())
    for _ in range(400):  # wherever the site's count stands, one of these is looked at
        flow.send(b"", "block")
    assert telemetry.force_flush()
    assert engine.finished[True] == 600
    calls = engine.cost_of_calls()
    assert calls > 0
    before, errors = CARRIED.seconds, series(m.ERRORS, component="a", error_type="ValueError")
    for _ in range(600):
        errors.add()
        propagation.outgoing()
    assert telemetry.force_flush()
    assert engine.cost_of_calls() > calls
    assert CARRIED.seconds > before


def test_carried_contexts_cost_the_set_up_under_which_they_were_carried() -> None:
    """No call and no value is needed for it, and the next set-up begins at nothing."""
    for _ in range(2):
        reader = InMemoryMetricReader()
        telemetry = configure(environ=SILENT, metric_readers=[reader])
        assert values(reader, m.TELEMETRY_CPU.name)["calls"] == 0
        for _ in range(100):
            propagation.outgoing()
        assert values(reader, m.TELEMETRY_CPU.name)["calls"] > 0
        telemetry.shutdown()
        reset()


def test_share_is_of_the_latest_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was long ago does not count."""
    now, process, part = [0.0], [0.0], [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "process_time", lambda: process[0])
    share = Share(lambda: part[0])
    assert share() == 0
    now[0], process[0], part[0] = 50.0, 10.0, 1.0
    assert share() == 0.1
    for second in range(60, 240, 10):
        now[0], process[0] = float(second), process[0] + 10
        latest = share()
    assert latest == 0


def test_price_probe_leaves_no_operation_behind(receiver: Receiver) -> None:
    """The calls that are timed are nobody's: neither span nor series tells of them."""
    reader = InMemoryMetricReader()
    telemetry = configure(environ=environment(receiver, "http/protobuf"), metric_readers=[reader])

    @instrumented(name="called")
    def called() -> None:
        pass

    for _ in range(100):
        called()
    assert telemetry.force_flush()
    assert set(receiver.span_names()) == {"called"}
    assert len(receiver.spans()) == 100
