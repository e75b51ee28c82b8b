"""Another metrics store in place of Prometheus: the endpoint is all that changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qudag_otel.catalogue import Instrument
from qudag_otel.catalogue.metrics import METRICS
from tests.pipeline.application import Application
from tests.servers.backends import VictoriaMetrics
from tests.servers.collectors import QUICK, Collector
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.servers("victoriametrics", "collector")


def test_victoriametrics_stores_every_metric_of_the_catalogue_under_its_name(
    tmp_path: Path,
) -> None:
    """By OTLP, with the labels of the contract; what it lacks is what the guide says."""
    with VictoriaMetrics(tmp_path / "store") as store:
        environment = {**QUICK, "OTELCOL_METRICS_ENDPOINT": store.otlp_http}
        with (
            Collector(tmp_path / "gateway", environment=environment) as gateway,
            Application(gateway.otlp_http, "stored") as app,
        ):
            for metric in METRICS:
                labels = {
                    one.key: one.values[0] if one.values else "x" for one in metric.attributes
                }
                if metric.instrument is Instrument.HISTOGRAM:
                    app.meter.create_histogram(metric.name, metric.unit).record(1, labels)
                elif metric.instrument is Instrument.COUNTER:
                    app.meter.create_counter(metric.name, metric.unit).add(1, labels)
                else:
                    app.meter.create_gauge(metric.name, metric.unit).set(1, labels)
            app.flush()

            def stored() -> None:
                found = {
                    one.labels["__name__"]: one.labels
                    for one in store.query('{service_name="stored"}')
                }
                for metric in METRICS:
                    suffix = "_count" if metric.instrument is Instrument.HISTOGRAM else ""
                    labels = found[metric.prometheus_name + suffix]
                    assert {one.key for one in metric.attributes} <= set(labels), metric.name
                    assert not {"job", "instance"} & set(labels)

            eventually(stored)
