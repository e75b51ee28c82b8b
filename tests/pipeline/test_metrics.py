"""Every metric of the contract arrives by both paths, named and valued as the application says."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import pytest

from qudag_otel.catalogue import metrics
from tests.pipeline.processes import otlp_environment, running
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.backends import Sample
    from tests.servers.collectors import Pipeline

pytestmark = pytest.mark.servers

TARGET_LABELS = ("service_name", "job", "instance")


class Emitted(NamedTuple):
    """What an application said that it emitted, under the service names of both paths."""

    pushed: str
    scraped: str
    expected: list[tuple[str, dict[str, str], float]]


@pytest.fixture(scope="module", params=["qudag", "plain"])
def emitted(request: pytest.FixtureRequest, pipeline: Pipeline) -> Iterator[Emitted]:
    """An application that pushes, and is scraped as a second service.

    One is set up by this package, one by the plain SDK and its exporters.
    """
    service = f"contract-{request.param}"
    environment = {
        **otlp_environment(pipeline.otlp_http, service),
        "OTEL_METRICS_EXPORTER": "otlp,prometheus",
        "OTEL_EXPORTER_PROMETHEUS_PORT": "0",
    }
    with running("contract", environment, request.param) as app:
        target = app.said["metrics_url"].removeprefix("http://").removesuffix("/metrics")
        labels = {"service_name": f"{service}-scraped", "__scrape_interval__": "1s"}
        labels["__scrape_timeout__"] = "1s"
        pipeline.prometheus.set_targets("applications", [{"targets": [target], "labels": labels}])
        expected = [(name, labels, value) for name, labels, value in app.said["expected"]]
        yield Emitted(service, f"{service}-scraped", expected)
        pipeline.prometheus.set_targets("applications", [])


def _differences(pipeline: Pipeline, service: str, emitted: Emitted) -> list[str]:
    """What is missing or wrong; nothing may have counted beside what was emitted either."""
    names = "|".join(metric.prometheus_name for metric in metrics.CONTRACT)
    found = pipeline.prometheus.query(
        f'{{__name__=~"({names})(_bucket|_count|_sum)?",service_name="{service}"}}'
    )
    wanted = {_key({"__name__": name, **labels}): value for name, labels, value in emitted.expected}
    there = {_key(sample.labels): sample.value for sample in found}
    # Counters whose labels have listed values begin together, at 0.
    there = {key: value for key, value in there.items() if value or key in wanted}
    wrong = [
        f"{dict(key)}: {wanted.get(key)} emitted, {there.get(key)} in Prometheus"
        for key in wanted.keys() | there.keys()
        if not math.isclose(wanted.get(key, math.nan), there.get(key, math.nan))
    ]
    return sorted(wrong)


def _key(labels: dict[str, str]) -> tuple[tuple[str, str], ...]:
    kept = {key: value for key, value in labels.items() if key not in TARGET_LABELS}
    if "le" in kept:
        kept["le"] = str(float(kept["le"]))
    return tuple(sorted(kept.items()))


@pytest.mark.parametrize("path", ["pushed", "scraped"])
def test_contract_metrics_by_either_path_arrive_exactly(
    pipeline: Pipeline, emitted: Emitted, path: str
) -> None:
    """All twenty have the contract's names, exactly its labels, and the emitted values."""

    def complete() -> None:
        assert _differences(pipeline, getattr(emitted, path), emitted) == []

    eventually(complete)


def test_target_labels_of_both_paths_are_the_same(pipeline: Pipeline, emitted: Emitted) -> None:
    """A pushed and a scraped series differ in no label name, so queries work with either."""

    def series() -> list[Sample]:
        found = pipeline.prometheus.query(
            f'qudag_message_throughput_total{{job=~"{emitted.pushed}.*",direction="inbound"}} > 0'
        )
        assert len(found) == 2
        return found

    pushed, scraped = sorted(eventually(series), key=lambda sample: sample.labels["job"])
    assert pushed.labels.keys() == scraped.labels.keys()
    for labels, service in ((pushed.labels, emitted.pushed), (scraped.labels, emitted.scraped)):
        assert labels["job"] == labels["service_name"] == service


def test_applications_of_these_tests_emit_all_twenty(emitted: Emitted) -> None:
    """No metric of the contract was forgotten in what is compared above."""
    names = {name for name, _, _ in emitted.expected}
    missing = [
        metric.prometheus_name
        for metric in metrics.CONTRACT
        if not {metric.prometheus_name, f"{metric.prometheus_name}_count"} & names
    ]
    assert missing == []
    assert len(metrics.CONTRACT) == 20
