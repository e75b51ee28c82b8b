"""Rules and panels for native histograms: the same questions, asked of one series."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest
import yaml
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation
from opentelemetry.sdk.resources import Resource

from qudag_otel._query.native import native
from qudag_otel.catalogue import Instrument
from qudag_otel.catalogue import metrics as m
from qudag_otel.cli import main
from tests.servers.backends import QUICK_PROMETHEUS
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers.backends import Prometheus

HISTOGRAMS = [one.prometheus_name for one in m.METRICS if one.instrument is Instrument.HISTOGRAM]
CLASSIC = re.compile(rf"({'|'.join(HISTOGRAMS)})_(bucket|count|sum)")
OBJECTIVE = """
from qudag_otel import Objective, instrumented

@instrumented(name="native", objective=Objective(success=0.99, latency=0.25, target=0.9))
def work(): ...
"""


@pytest.mark.parametrize(
    ("classic", "wanted"),
    [
        ("rate(x_count[5m])", "histogram_count(rate(x[5m]))"),
        ('increase(x_sum{a="}"}[1h])', 'histogram_sum(increase(x{a="}"}[1h]))'),
        (
            "histogram_quantile(0.9, sum by (a, le) (rate(x_bucket[5m]))) >= 0",
            "histogram_quantile(0.9, sum by (a) (rate(x[5m]))) >= 0",
        ),
        ("sum by (le) (rate(x_bucket[5m]))", "sum (rate(x[5m]))"),
        ("last_over_time(x_count[1h])", "last_over_time(x[1h])"),
        ("label_values(x_count, a)", "label_values(x, a)"),
        ("y or x_count", "y or histogram_count(x)"),
        ("sum by (le) (rate(y_bucket[5m]))", "sum by (le) (rate(y_bucket[5m]))"),
        ("xx_count", "xx_count"),
    ],
)
def test_expression_asks_the_one_series(classic: str, wanted: str) -> None:
    """Counts, sums, quantiles, heatmaps, names of variables; histograms of others stay."""
    assert native(["x"])(classic) == wanted


def _exported(tmp_path: Path, what: str, *options: str) -> dict[str, str]:
    folder = tmp_path / what
    assert main([what, "export", "--dir", str(folder), "--histograms", "native", *options]) == 0
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_no_exported_query_asks_for_buckets_of_the_catalogue(tmp_path: Path) -> None:
    """Neither a rule nor a panel nor a variable, although the classic forms do."""
    (tmp_path / "classic").mkdir()
    for what in ("alerts", "dashboards"):
        assert main([what, "export", "--dir", str(tmp_path / "classic")]) == 0
    classic = "".join(path.read_text() for path in (tmp_path / "classic").iterdir())
    assert CLASSIC.search(classic)
    dashboards = _exported(tmp_path, "dashboards")
    queries = [
        value
        for text in dashboards.values()
        for value in re.findall(r'"(?:expr|query|definition)": (".*")', text)
    ]
    assert len(queries) > 100
    assert [json.loads(one) for one in queries if CLASSIC.search(one)] == []
    rules = _exported(tmp_path, "alerts")
    expressions = [
        rule["expr"]
        for text in rules.values()
        for group in yaml.safe_load(text)["groups"]
        for rule in group["rules"]
    ]
    assert [one for one in expressions if CLASSIC.search(one)] == []


@pytest.mark.servers("prometheus")
def test_rules_for_native_histograms_tell_what_the_classic_ones_tell(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    prometheus_server: Callable[..., Prometheus],
) -> None:
    """Of exponential histograms in a real Prometheus: rate, quantile, share within an objective."""
    (tmp_path / "natively.py").write_text(OBJECTIVE)
    monkeypatch.syspath_prepend(tmp_path)
    for name, text in _exported(tmp_path, "alerts", "--module", "natively").items():
        quick = text.replace("interval: 1m", "interval: 1s")
        (tmp_path / "alerts" / name).write_text(quick)
    prometheus = prometheus_server(rules=tmp_path / "alerts", overrides=QUICK_PROMETHEUS)
    reader = PeriodicExportingMetricReader(
        OTLPMetricExporter(
            endpoint=f"{prometheus.url}/api/v1/otlp/v1/metrics",
            preferred_aggregation={Histogram: ExponentialBucketHistogramAggregation()},
        ),
        export_interval_millis=float("inf"),
    )
    provider = MeterProvider([reader], resource=Resource.create({"service.name": "native"}))
    metric = m.OPERATION_DURATION
    durations = provider.get_meter("tests").create_histogram(metric.name, unit=metric.unit)
    labels = {"node_id": "n", "operation": "native", "component": "natively", "outcome": "success"}
    try:
        for _ in range(3):
            for _ in range(80):
                durations.record(0.1, labels)
            for _ in range(20):
                durations.record(2.0, labels)
            assert provider.force_flush(10_000)
            time.sleep(1.1)
    finally:
        provider.shutdown()

    def told() -> None:
        [p95] = prometheus.query(f"histogram_quantile(0.95, {metric.prometheus_name})")
        assert p95.value == pytest.approx(2.0, rel=0.1)
        [recorded] = prometheus.query('{__name__=~".*operation.*p95.*",operation="native"}')
        assert recorded.value == pytest.approx(2.0, rel=0.1)
        [missed] = prometheus.query(
            'operation:qudag_objective_bad:ratio_rate5m{operation="native",sli="latency"}'
        )
        assert missed.value == pytest.approx(0.2, abs=0.03)

    eventually(told)
