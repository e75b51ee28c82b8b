"""`qudag-otel metrics` says what the catalogue says, in each of its formats."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from qudag_otel.catalogue.metrics import CONTRACT, METRICS
from tests.demo.programs import run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qudag_otel.catalogue import Metric

# The names that dashboards and alerts of others rely on: spelled out, since they never change.
NAMES = [
    "qudag_active_connections",
    "qudag_agent_utilization_ratio",
    "qudag_cache_evictions_total",
    "qudag_cache_memory_bytes",
    "qudag_chunking_duration_seconds",
    "qudag_chunks_processed_total",
    "qudag_compression_ratio",
    "qudag_connection_pool_hits_total",
    "qudag_connection_pool_misses_total",
    "qudag_connection_wait_time_seconds",
    "qudag_cpu_usage_percent",
    "qudag_errors_total",
    "qudag_message_throughput_total",
    "qudag_swarm_queue_depth",
    "qudag_swarm_task_latency_seconds",
    "qudag_swarm_tasks_completed_total",
    "qudag_swarm_tasks_created_total",
    "qudag_system_memory_bytes",
    "qudag_validation_cache_hits_total",
    "qudag_validation_cache_misses_total",
]
CHOSEN = [(("--contract",), CONTRACT), ((), METRICS)]


def _written(*words: str) -> str:
    ended = run("metrics", *words, COLUMNS="80")
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def test_metrics_contract_has_the_names_that_never_change() -> None:
    """All 20, and no other."""
    lines = _written("--contract").splitlines()[1:]
    assert sorted(line.split()[0] for line in lines) == NAMES


@pytest.mark.parametrize(("words", "metrics"), CHOSEN, ids=["contract", "all"])
def test_metrics_table_parses_to_the_catalogue(
    words: Sequence[str], metrics: Sequence[Metric]
) -> None:
    """A line each, in columns below their headings."""
    header, *lines = _written(*words).splitlines()
    starts = [found.start() for found in re.finditer(r"\S+", header)]
    columns = [slice(*pair) for pair in zip(starts, [*starts[1:], None], strict=True)]
    assert [[line[column].strip() for column in columns] for line in lines] == [
        [one.prometheus_name, one.instrument.value, one.unit, ",".join(one.attribute_keys),
         one.description]
        for one in metrics
    ]  # fmt: skip


@pytest.mark.parametrize(("words", "metrics"), CHOSEN, ids=["contract", "all"])
def test_metrics_json_parses_to_the_catalogue(
    words: Sequence[str], metrics: Sequence[Metric]
) -> None:
    """Everything that the catalogue knows of each, as one list."""
    assert json.loads(_written("--json", *words)) == [
        {
            "prometheus_name": one.prometheus_name,
            "name": one.name,
            "instrument": one.instrument.value,
            "unit": one.unit,
            "description": one.description,
            "group": one.group.value,
            "attributes": [
                {"key": each.key, "description": each.description, "values": list(each.values)}
                for each in one.attributes
            ],
            "bounds": list(one.bounds),
        }
        for one in metrics
    ]


def test_metrics_by_either_name_tells_everything() -> None:
    """Labels with what they may be, bounds and the other name; in the order that was asked for."""
    last, first = [one for one in METRICS if one.bounds][:2]
    text = _written(first.name, last.prometheus_name)
    assert text.index(first.prometheus_name) < text.index(last.prometheus_name)
    words = " ".join(text.split())
    for one in (first, last):
        assert f"OpenTelemetry name {one.name}, {one.instrument.value}, unit {one.unit}" in words
        assert f"bucket bounds: {', '.join(f'{bound:g}' for bound in one.bounds)}" in words
        for attribute in one.attributes:
            assert f"{attribute.key}: {attribute.description}" in words
            assert f"One of {', '.join(attribute.values)}." in words or not attribute.values
    data = json.loads(_written("--json", first.name, last.prometheus_name))
    assert [one["name"] for one in data] == [first.name, last.name]
    assert max(map(len, text.splitlines())) <= 80
