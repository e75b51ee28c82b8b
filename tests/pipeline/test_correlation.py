"""From an exemplar to its trace to its log lines to metrics, by the links that Grafana gets."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import yaml
from opentelemetry.trace import format_trace_id

from qudag_otel.catalogue import metrics
from tests.pipeline.application import Application
from tests.servers.build import REPOSITORY
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.servers.collectors import Pipeline

pytestmark = pytest.mark.servers

SERVICE = "correlated"
SPAN = "linked work"
LINE = "a line inside the span"


class Linked(NamedTuple):
    """What the application sent: the trace, and the exemplars' series."""

    trace_id: str
    series: str


def _sources() -> dict[str, dict[str, Any]]:
    path = REPOSITORY / "grafana" / "provisioning" / "datasources" / "stack.yaml"
    return {one["uid"]: one for one in yaml.safe_load(path.read_text())["datasources"]}


def _resolved(template: str, **variables: str) -> str:
    """A provisioned template as Grafana resolves it: `$$` is `$`, then ${name} is a value."""
    text = template.replace("$$", "$")
    for name, value in variables.items():
        text = text.replace(f"${{{name.replace('0', '.')}}}", value)
    assert "${" not in text, f"nothing fills the variable in {text}"
    return text


@pytest.fixture(scope="module")
def linked(pipeline: Pipeline) -> Linked:
    """A traced operation with a measurement and a log line inside."""
    metric = metrics.TASK_LATENCY
    with Application(pipeline.otlp_http, SERVICE, resource={"qudag.node.id": "n-1"}) as app:
        latency = app.meter.create_histogram(
            metric.name,
            unit=metric.unit,
            explicit_bucket_boundaries_advisory=list(metric.bounds),
        )
        attributes = {"sampling.force": True}
        with app.tracer.start_as_current_span(SPAN, attributes=attributes) as span:
            latency.record(0.2, {"swarm_id": "s-1", "task_type": "verify"})
            app.log(LINE)
        app.flush()
    trace = format_trace_id(span.get_span_context().trace_id)
    return Linked(trace, f'{metric.prometheus_name}_bucket{{service_name="{SERVICE}"}}')


def _exemplar_label() -> str:
    [link] = _sources()["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    assert _sources()[link["datasourceUid"]]["type"] == "jaeger"
    return str(link["name"])


def _spans(pipeline: Pipeline, trace_id: str) -> list[str]:
    return [span["operationName"] for span in pipeline.jaeger.trace(trace_id)["spans"]]


@pytest.mark.parametrize(
    "series",
    ["", f'traces_span_metrics_duration_seconds_bucket{{service_name="{SERVICE}"}}'],
    ids=["application", "span metrics"],
)
def test_exemplar_label_of_the_provisioned_link_names_a_trace_in_jaeger(
    pipeline: Pipeline, linked: Linked, series: str
) -> None:
    """The exemplars of the application's histogram and of span_metrics lead to the span."""
    label = _exemplar_label()

    def followed() -> None:
        exemplars = pipeline.prometheus.exemplars(series or linked.series)
        assert {one["labels"].get(label) for one in exemplars} == {linked.trace_id}
        assert _spans(pipeline, linked.trace_id) == [SPAN]

    eventually(followed)


def test_trace_to_logs_link_finds_the_lines_of_the_trace(
    pipeline: Pipeline, linked: Linked
) -> None:
    """The query of the Jaeger data source returns exactly this trace's lines."""
    link = _sources()["jaeger"]["jsonData"]["tracesToLogsV2"]
    assert _sources()[link["datasourceUid"]]["type"] == "victoriametrics-logs-datasource"
    query = _resolved(link["query"], __trace0traceId=linked.trace_id)

    def found() -> None:
        assert pipeline.logs.messages(query) == [LINE]

    eventually(found)


def _linked_by(name: str, line: Mapping[str, str]) -> tuple[dict[str, Any], str]:
    """A derived field of the log data source, and the link that it makes of a line."""
    fields = _sources()["victorialogs"]["jsonData"]["derivedFields"]
    [field] = [one for one in fields if one["name"] == name]
    assert field["matcherType"] == "label"
    return field, _resolved(field["url"], __value0raw=line[field["matcherRegex"]])


def _line(pipeline: Pipeline) -> dict[str, str]:
    [line] = pipeline.logs.query(f'{{service.name="{SERVICE}"}}')
    return line


def test_log_to_trace_link_reads_the_trace_id_from_the_line(
    pipeline: Pipeline, linked: Linked
) -> None:
    """The derived field is on the line, and its value opens the trace."""
    field, trace_id = _linked_by("Trace", eventually(lambda: _line(pipeline)))
    assert _sources()[field["datasourceUid"]]["type"] == "jaeger"
    assert trace_id == linked.trace_id
    assert eventually(lambda: _spans(pipeline, trace_id)) == [SPAN]


def test_line_is_stored_with_few_stream_fields_and_without_what_nobody_asks_for(
    pipeline: Pipeline, linked: Linked
) -> None:
    """The gateway's headers: each combination of stream fields would be a stream of its own."""
    assert linked
    line = eventually(lambda: _line(pipeline))
    assert line["_stream"] == f'{{service.name="{SERVICE}"}}'
    assert line["qudag.node.id"] == "n-1"
    assert [name for name in line if name.startswith(("telemetry.sdk.", "process."))] == []


def test_trace_to_metrics_links_select_existing_series(pipeline: Pipeline, linked: Linked) -> None:
    """Every query behind a span finds series of this span's metrics."""
    link = _sources()["jaeger"]["jsonData"]["tracesToMetrics"]
    assert _sources()[link["datasourceUid"]]["type"] == "prometheus"
    assert link["queries"]
    for one in link["queries"]:
        query = _resolved(one["query"], __span0name=SPAN)

        def drawn(query: str = query) -> None:
            found = pipeline.prometheus.query(_without_rates(query))
            assert {one.labels["service_name"] for one in found} == {SERVICE}

        eventually(drawn)


def test_log_to_metrics_link_opens_the_dashboard_of_the_service(
    pipeline: Pipeline, linked: Linked
) -> None:
    """The link of a line names a dashboard and a variable of it, and the service is a choice."""
    assert linked
    _, link = _linked_by("Metrics", eventually(lambda: _line(pipeline)))
    path, _, choice = link.partition("?var-")
    variable, _, value = choice.partition("=")
    file = REPOSITORY / "grafana" / "dashboards" / f"{path.removeprefix('/d/')}.json"
    variables = json.loads(file.read_text())["templating"]["list"]
    [query] = [one["query"]["query"] for one in variables if one["name"] == variable]
    [(series, label)] = re.findall(r"^label_values\((\w+), (\w+)\)$", query)

    def offered() -> None:
        found = pipeline.prometheus.query(f"group by ({label}) ({series})")
        assert value == SERVICE
        assert value in {one.labels[label] for one in found}

    eventually(offered)


def _without_rates(promql: str) -> str:
    """The same selection; the span metrics of one call are too young for a rate."""
    return re.sub(r"rate\((.*?\})\[[^]]+\]\)", r"\1", promql)
