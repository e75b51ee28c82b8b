"""Several gateways: by load_balancing and by Kafka, whole traces, and one of them killed."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
import yaml
from opentelemetry.trace import Status, StatusCode, format_trace_id

from tests.pipeline.application import Application
from tests.servers.collectors import CONFIG, QUICK, Collector
from tests.servers.kafka import Kafka
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.servers.collectors import Pipeline

pytestmark = pytest.mark.servers("collector-scale", "kafka")

SCALE = "otelcol-scale"
TRACES = 60
ERROR = Status(StatusCode.ERROR)


class Tiers:
    """Two gateways in front of the pipeline's backends, and what an agent is told of them."""

    def __init__(
        self, pipeline: Pipeline, folder: Path, *, kafka: str = "", program: str = "otelcol"
    ) -> None:
        names = ["common", "gateway", *(["gateway-kafka"] if kafka else [])]
        self.folder = folder
        self.kafka = {"OTELCOL_KAFKA": kafka} if kafka else {}
        self.gateways = {
            name: Collector(
                folder / name,
                program=program,
                configs=[CONFIG / f"{one}.yaml" for one in names],
                environment={
                    **QUICK,
                    **self.kafka,
                    "OTELCOL_SAMPLING_PERCENTAGE": "0",
                    "OTELCOL_INSTANCE": f"{folder.name}-{name}",
                    "OTELCOL_TRACES_ENDPOINT": pipeline.jaeger.otlp_http,
                    "OTELCOL_METRICS_ENDPOINT": f"{pipeline.prometheus.url}/api/v1/otlp",
                    "OTELCOL_LOGS_ENDPOINT": pipeline.logs.otlp_http,
                },
            )
            for name in ("a", "b")
        }

    def agent(self, overlay: str, environment: Mapping[str, str]) -> Collector:
        """An agent with one more file; DNS lists no test's gateways, so they are named."""
        listed = [one.otlp_grpc.removeprefix("http://") for one in self.gateways.values()]
        named = self.folder / "named.yaml"
        resolver = {"resolver": {"dns": None, "static": {"hostnames": listed}}}
        named.write_text(yaml.safe_dump({"exporters": {"load_balancing/traces": resolver}}))
        names = [CONFIG / f"{one}.yaml" for one in ("common", "agent", overlay)]
        return Collector(
            self.folder / "agent",
            program=SCALE,
            configs=[*names, *([named] if overlay == "agent-balanced" else [])],
            environment={**QUICK, **self.kafka, **environment},
        )


@pytest.fixture
def tiers(pipeline: Pipeline, tmp_path: Path) -> Iterator[Tiers]:
    """Two gateways that run."""
    tiers = Tiers(pipeline, tmp_path / "tiers")
    with ExitStack() as stack:
        for gateway in tiers.gateways.values():
            stack.enter_context(gateway)
        yield tiers


class Two:
    """Two services on either side of a call; the fault is always on the far one."""

    def __init__(self, endpoint: str, name: str) -> None:
        self.near = Application(endpoint, f"{name}-near")
        self.far = Application(endpoint, f"{name}-far")
        self.calls = self.near.meter.create_counter("tests.calls")
        self.failed: list[str] = []

    def fail(self, count: int) -> None:
        """Some traces with an error in their second span, sent by two processes' exporters."""
        for _ in range(count):
            with self.near.tracer.start_as_current_span("ask") as asked:
                self.calls.add(1)
                with self.far.tracer.start_as_current_span("answer") as answered:
                    answered.set_status(ERROR)
            self.failed.append(format_trace_id(asked.get_span_context().trace_id))

    def flush(self) -> None:
        """Send both sides."""
        self.near.flush()
        self.far.flush()

    def close(self) -> None:
        """Shut both down."""
        self.near.__exit__()
        self.far.__exit__()


def _whole(pipeline: Pipeline, two: Two) -> set[str]:
    """The traces of which the trace store has both spans."""
    return {
        trace["traceID"]
        for trace in pipeline.jaeger.traces(two.near.service)
        if {span["operationName"] for span in trace["spans"]} == {"ask", "answer"}
    }


def _counted(pipeline: Pipeline, promql: str) -> float:
    [sample] = pipeline.prometheus.query(promql)
    return sample.value


def _spans(pipeline: Pipeline, two: Two) -> list[float]:
    """How many spans each gateway counted; each writes series of its own."""
    services = f"{two.near.service}|{two.far.service}"
    counted = pipeline.prometheus.query(
        "sum by (collector_instance_id) "
        f'(traces_span_metrics_calls_total{{service_name=~"{services}"}})'
    )
    return [one.value for one in counted]


def _all_arrived(pipeline: Pipeline, two: Two) -> None:
    """Whole traces, each gateway with a part of them, and every span counted once."""
    assert _whole(pipeline, two) == set(two.failed)
    spans = _spans(pipeline, two)
    assert len(spans) == 2
    assert sum(spans) == 2 * len(two.failed)
    calls = f'sum(tests_calls_total{{service_name="{two.near.service}"}})'
    assert _counted(pipeline, calls) == len(two.failed)


def test_both_spans_of_a_trace_come_to_the_same_one_of_two_gateways(
    pipeline: Pipeline, tiers: Tiers
) -> None:
    """Only the far span failed, so a gateway that saw the near one alone would have dropped it."""
    there = {"OTELCOL_GATEWAY_ENDPOINT": tiers.gateways["a"].otlp_http}
    with tiers.agent("agent-balanced", there) as agent:
        two = Two(agent.otlp_http, "balanced")
        two.fail(TRACES)
        two.flush()
        eventually(lambda: _all_arrived(pipeline, two))
        two.close()


def test_killed_gateway_loses_the_traces_that_waited_in_it_and_nothing_else(
    pipeline: Pipeline, tiers: Tiers
) -> None:
    """What was decided is stored, what comes while it is away waits; metrics are exact."""
    killed = tiers.gateways["b"]
    with tiers.agent("agent-balanced", {"OTELCOL_GATEWAY_ENDPOINT": killed.otlp_http}) as agent:
        two = Two(agent.otlp_http, "killed")
        two.fail(TRACES)
        two.flush()
        eventually(lambda: _is(_whole(pipeline, two), set(two.failed)))
        decided = set(two.failed)
        two.fail(TRACES)  # in the memory of either gateway, undecided
        two.flush()
        killed.kill()
        at_risk = set(two.failed) - decided
        two.fail(TRACES)  # half of these are for a gateway that is away
        two.flush()
        after = set(two.failed) - decided - at_risk
        time.sleep(1)
        killed.start()

        def arrived() -> None:
            whole = _whole(pipeline, two)
            assert decided | after <= whole
            # By trace id about half were the other gateway's, which lost none of them.
            assert len(at_risk & whole) > TRACES / 5
            calls = f'sum(tests_calls_total{{service_name="{two.near.service}"}})'
            assert _counted(pipeline, calls) == len(two.failed)

        eventually(arrived)
        two.close()


def _is(found: object, wanted: object) -> None:
    assert found == wanted


def test_kafka_between_the_tiers_hands_on_every_signal(pipeline: Pipeline, tmp_path: Path) -> None:
    """Whole traces again; lines and metrics arrive once, also those sent while no gateway ran."""
    with Kafka(tmp_path / "kafka") as broker, ExitStack() as stack:
        tiers = Tiers(pipeline, tmp_path / "kafkas", kafka=broker.address, program=SCALE)
        agent = stack.enter_context(tiers.agent("agent-kafka", {}))
        two = Two(agent.otlp_http, "queued")
        two.fail(TRACES)
        two.near.log("held by the broker")
        two.flush()
        for gateway in tiers.gateways.values():
            stack.enter_context(gateway)

        def shared() -> None:
            # The broker gives the second gateway its partitions when the first one asks again.
            two.fail(3)
            two.flush()
            assert len(_spans(pipeline, two)) == 2

        eventually(shared, interval=0.5)
        eventually(lambda: _all_arrived(pipeline, two))
        line = f'{{service.name="{two.near.service}"}}'
        eventually(lambda: _is(pipeline.logs.messages(line), ["held by the broker"]))
        two.close()
