"""Backends that are away and a Collector that is restarted meanwhile lose nothing."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from opentelemetry.trace import format_trace_id

from tests.pipeline.application import Application
from tests.servers.collectors import Pipeline
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.servers

SERVICE = "steady"
LINES = f'{{service.name="{SERVICE}"}}'
SAMPLES = f'tests_steps_total{{service_name="{SERVICE}"}}[10m]'
AT_RISK_SECONDS = 5.0
"""What docs/operating.md says of VictoriaLogs, which has no write-ahead log."""


class Steady:
    """An application that counts, traces and logs one step at a time, and knows what it did."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._counter = app.meter.create_counter("tests.steps")
        self.traces: list[str] = []
        self.lines: set[str] = set()
        self.sent: set[float] = set()

    def step(self) -> None:
        """One more of each signal, without sending it."""
        number = len(self.lines) + 1
        attributes = {"sampling.force": True}
        with self._app.tracer.start_as_current_span("step", attributes=attributes) as span:
            self._counter.add(1)
            self._app.log(f"step {number}")
        self.traces.append(format_trace_id(span.get_span_context().trace_id))
        self.lines.add(f"step {number}")

    def steps(self, count: int) -> None:
        """Some steps, each sent on its own."""
        for _ in range(count):
            self.step()
            self._app.flush()
            self.sent.add(len(self.lines))


def _lost(pipeline: Pipeline, steady: Steady) -> list[str]:
    """What of the application's work did not arrive, or arrived twice."""
    lines = pipeline.logs.messages(LINES)
    traces = [trace["traceID"] for trace in pipeline.jaeger.traces(SERVICE)]
    # Every sample that was sent, not just the last one: the outage leaves no gap.
    [steps] = pipeline.prometheus.samples(SAMPLES)
    return [
        *(f"line {one}" for one in steady.lines.symmetric_difference(lines)),
        *(["a line twice"] if len(lines) > len(set(lines)) else []),
        *(f"trace {one}" for one in set(steady.traces).symmetric_difference(traces)),
        *(f"count {one}" for one in steady.sent.difference(steps)),
    ]


@pytest.mark.timeout(180)
def test_outage_of_all_backends_with_restarts_of_the_collector_loses_nothing(
    tmp_path: Path,
) -> None:
    """Every span, line and sample of before, during and after arrives, and no line twice."""
    with Pipeline(tmp_path) as pipeline, Application(pipeline.otlp_http, SERVICE) as app:
        steady = Steady(app)
        steady.steps(3)
        eventually(lambda: _assert_nothing_lost(pipeline, steady))
        for server in (pipeline.prometheus, pipeline.jaeger, pipeline.logs):
            server.stop()
        steady.steps(3)
        pipeline.collector.stop()
        steady.step()  # waits in the application
        pipeline.collector.start()
        steady.steps(3)
        eventually(lambda: _assert_all_queued(pipeline, steady))
        pipeline.collector.kill()  # what is in its queues survives even that
        pipeline.collector.start()
        for server in (pipeline.prometheus, pipeline.jaeger, pipeline.logs):
            server.start()
        steady.steps(3)
        eventually(lambda: _assert_nothing_lost(pipeline, steady), timeout=90)


def test_backend_that_is_killed_keeps_what_it_acknowledged_before_the_last_seconds(
    tmp_path: Path,
) -> None:
    """After SIGKILL of all backends, what had arrived is there again: the oldest and the newest."""
    with Pipeline(tmp_path) as pipeline, Application(pipeline.otlp_http, SERVICE) as app:
        steady = Steady(app)
        steady.steps(3)
        eventually(lambda: _assert_nothing_lost(pipeline, steady))
        time.sleep(AT_RISK_SECONDS)
        backends = (pipeline.prometheus, pipeline.jaeger, pipeline.logs)
        for server in backends:
            server.kill()
        for server in backends:
            server.start()
        steady.steps(1)
        eventually(lambda: _assert_nothing_lost(pipeline, steady), timeout=90)


def test_gateway_that_is_killed_loses_no_metric_and_no_line_that_it_accepted(
    tmp_path: Path,
) -> None:
    """SIGKILL right after the answer, several times: metrics and logs were on disk by then."""
    with Pipeline(tmp_path, on_demand=True) as pipeline:
        pipeline.logs, pipeline.prometheus  # noqa: B018  # started by being asked for
        with Application(pipeline.otlp_http, SERVICE) as app:
            steady = Steady(app)
            for _ in range(4):
                steady.steps(1)
                pipeline.collector.kill()
                pipeline.collector.start()
            eventually(lambda: _assert_no_line_lost(pipeline, steady))
            eventually(lambda: _assert_no_sample_lost(pipeline, steady))


def _assert_no_line_lost(pipeline: Pipeline, steady: Steady) -> None:
    # A line may come twice: it was handed on, but not yet struck off the queue.
    assert set(pipeline.logs.messages(LINES)) == steady.lines


def _assert_no_sample_lost(pipeline: Pipeline, steady: Steady) -> None:
    [steps] = pipeline.prometheus.samples(SAMPLES)
    assert steady.sent <= set(steps)


def _assert_nothing_lost(pipeline: Pipeline, steady: Steady) -> None:
    assert _lost(pipeline, steady) == []


def _assert_all_queued(pipeline: Pipeline, steady: Steady) -> None:
    """The decision on the newest traces is over, and their spans wait on disk."""
    [queue] = pipeline.collector.storage.glob("*_traces")
    content = queue.read_bytes()
    newest = [bytes.fromhex(trace) for trace in steady.traces[-4:]]
    assert all(trace in content for trace in newest)
