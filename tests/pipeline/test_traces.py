"""Traces: whole across processes, counted before sampling, sampled as stated."""

from __future__ import annotations

import random
import time
import urllib.request
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import propagate
from opentelemetry.trace import SpanKind, Status, StatusCode, format_trace_id

from tests.pipeline.application import Application
from tests.pipeline.processes import otlp_environment, running
from tests.servers.api import get
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

    from tests.servers.collectors import Pipeline

pytestmark = pytest.mark.servers

SECOND = 1_000_000_000
SLOW_SECONDS = 2.5  # the tests' collectors keep traces of 2 s and more
REQUESTS = 12


def _parents(trace: dict[str, Any]) -> dict[tuple[str, str], tuple[str, str] | None]:
    """(service, span name) of every span, and of its parent."""
    names = {
        span["spanID"]: (
            trace["processes"][span["processID"]]["serviceName"],
            span["operationName"],
        )
        for span in trace["spans"]
    }
    parents = {
        span["spanID"]: next((names.get(one["spanID"]) for one in span["references"]), None)
        for span in trace["spans"]
    }
    return {names[span]: parent for span, parent in parents.items()}


def test_request_through_three_processes_is_one_trace(pipeline: Pipeline) -> None:
    """Spans of three processes share a trace, each below the one that asked; counts agree."""
    last = otlp_environment(pipeline.otlp_http, "hop-store")
    middle = otlp_environment(pipeline.otlp_http, "hop-gate")
    with (
        running("worker", last) as store,
        running("worker", middle, store.said["url"]) as gate,
        Application(pipeline.otlp_http, "hop-user") as user,
    ):
        for number in range(REQUESTS):
            with user.tracer.start_as_current_span(
                "GET", kind=SpanKind.CLIENT, attributes={"sampling.force": number == 0}
            ) as span:
                headers: dict[str, str] = {}
                propagate.inject(headers)
                request = urllib.request.Request(gate.said["url"], headers=headers)
                urllib.request.urlopen(request, timeout=30).close()
            if number == 0:
                forced = format_trace_id(span.get_span_context().trace_id)
        assert int(gate.finish()) == int(store.finish()) == REQUESTS

    def whole() -> dict[tuple[str, str], tuple[str, str] | None]:
        parents = _parents(pipeline.jaeger.trace(forced))
        assert len(parents) == 4
        return parents

    assert eventually(whole) == {
        ("hop-user", "GET"): None,
        ("hop-gate", "GET /work"): ("hop-user", "GET"),
        ("hop-gate", "GET"): ("hop-gate", "GET /work"),
        ("hop-store", "GET /work"): ("hop-gate", "GET"),
    }

    def counted() -> None:
        spans = pipeline.prometheus.query(
            "sum by (service_name, span_kind)"
            ' (traces_span_metrics_calls_total{service_name=~"hop-.*"})'
        )
        assert {
            (one.labels["service_name"], one.labels["span_kind"]): one.value for one in spans
        } == {
            ("hop-user", "SPAN_KIND_CLIENT"): REQUESTS,
            ("hop-gate", "SPAN_KIND_SERVER"): REQUESTS,
            ("hop-gate", "SPAN_KIND_CLIENT"): REQUESTS,
            ("hop-store", "SPAN_KIND_SERVER"): REQUESTS,
        }
        edges = pipeline.prometheus.query('traces_service_graph_request_total{client=~"hop-.*"}')
        assert {(one.labels["client"], one.labels["server"]): one.value for one in edges} == {
            ("hop-user", "hop-gate"): REQUESTS,
            ("hop-gate", "hop-store"): REQUESTS,
        }

    eventually(counted)


def _send(
    app: Application,
    kind: str,
    *,
    seconds: float = 0.01,
    error: bool = False,
    **attributes: AttributeValue,
) -> str:
    """One trace of two spans that end now; its id."""
    end = time.time_ns()
    start = end - int(seconds * SECOND)
    root = app.tracer.start_span(
        kind,
        start_time=start,
        attributes={key.replace("_", "."): v for key, v in attributes.items()},
    )
    context = propagate.extract({"traceparent": _traceparent(root)})
    child = app.tracer.start_span(f"{kind} step", context=context, start_time=start)
    if error:
        child.set_status(Status(StatusCode.ERROR))
    child.end(end)
    root.end(end)
    return format_trace_id(root.get_span_context().trace_id)


def _traceparent(span: Any) -> str:
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-01"


def test_tail_sampling_of_many_traces_keeps_what_it_states(pipeline: Pipeline) -> None:
    """Every error, slow and forced trace, no health check, about 10% of the rest; counted all."""
    random.seed(20)  # the SDK draws trace ids here, and the share depends on the ids alone
    sent: dict[str, set[str]] = {}
    with Application(pipeline.otlp_http, "sampled") as app:
        sent["plain"] = {_send(app, "plain") for _ in range(800)}
        sent["error"] = {_send(app, "error", error=True) for _ in range(40)}
        sent["slow"] = {_send(app, "slow", seconds=SLOW_SECONDS) for _ in range(40)}
        sent["forced"] = {_send(app, "forced", sampling_force=True) for _ in range(20)}
        sent["health"] = {
            _send(app, "health", http_route="/healthz", error=True) for _ in range(20)
        }
        app.flush()

    def kept() -> dict[str, set[str]]:
        found: dict[str, set[str]] = {kind: set() for kind in sent}
        for trace in pipeline.jaeger.traces("sampled", limit=1500):
            root = next(span for span in trace["spans"] if not span["references"])
            assert len(trace["spans"]) == 2
            found[root["operationName"]].add(trace["traceID"])
        assert all(found[kind] for kind in ("error", "slow", "forced", "plain"))
        return found

    def settled() -> dict[str, set[str]]:
        first = kept()
        time.sleep(2)  # longer than the span between two decisions
        assert kept() == first
        return first

    found = eventually(settled)
    assert found["error"] == sent["error"]
    assert found["slow"] == sent["slow"]
    assert found["forced"] == sent["forced"]
    assert found["health"] == set()
    assert found["plain"] < sent["plain"]
    assert 45 <= len(found["plain"]) <= 120  # 80 expected; four standard deviations are 34

    def counted() -> None:
        calls = pipeline.prometheus.query(
            'sum by (span_name) (traces_span_metrics_calls_total{service_name="sampled"})'
        )
        expected = Counter({kind: len(ids) for kind, ids in sent.items()})
        expected += Counter({f"{kind} step": len(ids) for kind, ids in sent.items()})
        assert {one.labels["span_name"]: one.value for one in calls} == expected
        [errors] = pipeline.prometheus.query(
            'sum(traces_span_metrics_calls_total{service_name="sampled",'
            'status_code="STATUS_CODE_ERROR"})'
        )
        assert errors.value == len(sent["error"]) + len(sent["health"])

    eventually(counted)


def test_late_span_of_a_kept_trace_arrives(pipeline: Pipeline) -> None:
    """A span that is sent after the decision follows it."""
    with Application(pipeline.otlp_http, "late") as app:
        trace = _send(app, "early", error=True)
        app.flush()
        eventually(lambda: pipeline.jaeger.trace(trace))
        [root] = [span for span in pipeline.jaeger.trace(trace)["spans"] if not span["references"]]
        context = propagate.extract({"traceparent": f"00-{trace}-{root['spanID']}-01"})
        app.tracer.start_span("afterwards", context=context).end()
        app.flush()

    def there() -> None:
        names = [span["operationName"] for span in pipeline.jaeger.trace(trace)["spans"]]
        assert "afterwards" in names

    eventually(there)


def test_service_performance_in_jaeger_comes_from_span_metrics(pipeline: Pipeline) -> None:
    """Jaeger's monitor tab finds the calls that Prometheus holds."""
    with Application(pipeline.otlp_http, "monitored") as app:
        for _ in range(3):
            with app.tracer.start_as_current_span("serve", kind=SpanKind.SERVER):
                pass
        app.flush()

        def measured() -> None:
            with app.tracer.start_as_current_span("serve", kind=SpanKind.SERVER):
                pass
            app.flush()
            answer = get(
                f"{pipeline.jaeger.url}/api/metrics/calls",
                service="monitored",
                spanKind="server",
                endTs=int(time.time() * 1000),
                lookback=600_000,
                step=5_000,
                ratePer=60_000,
            )
            points = [point for metric in answer["metrics"] for point in metric["metricPoints"]]
            assert any(point["gaugeValue"]["doubleValue"] > 0 for point in points), answer

        eventually(measured)
