"""An application that emits every metric of the contract and says what it counted itself.

Argument: "qudag" emits with this package, "plain" with nothing but OpenTelemetry's SDK. Says
{"metrics_url": ..., "expected": [[name, labels, value], ...]}, then waits until it is told to end.
OTLP goes where OTEL_EXPORTER_OTLP_ENDPOINT says.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, TypeAlias

import prometheus_client
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

import qudag_otel
from qudag_otel import instruments
from qudag_otel.catalogue import Instrument, metrics
from tests.pipeline.apps._pipe import say, wait_until_told_to_end

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.metrics import Meter

    from qudag_otel.catalogue import Metric

Series: TypeAlias = tuple[dict[str, str], float]
Expected: TypeAlias = list[tuple[str, dict[str, str], float]]


def main() -> None:
    if sys.argv[1] == "qudag":
        _with_this_package()
    else:
        _with_plain_opentelemetry()


def _with_this_package() -> None:
    with qudag_otel.configure() as telemetry:
        expected = _emitted(_record)
        telemetry.force_flush()
        say({"metrics_url": telemetry.metrics_url, "expected": expected})
        wait_until_told_to_end()


def _with_plain_opentelemetry() -> None:
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(), export_interval_millis=500)
    provider = MeterProvider([reader, PrometheusMetricReader()])
    meter = provider.get_meter("tests.pipeline")
    expected = _emitted(lambda metric, series: _record_plainly(meter, metric, series))
    server, _ = prometheus_client.start_http_server(0, "127.0.0.1")
    say({"metrics_url": f"http://127.0.0.1:{server.server_port}/metrics", "expected": expected})
    wait_until_told_to_end()
    provider.shutdown()
    server.shutdown()


def _emitted(record: Callable[[Metric, list[Series]], None]) -> Expected:
    """Emit two series of every metric; what has to arrive."""
    lines: Expected = []
    for index, metric in enumerate(metrics.CONTRACT, start=1):
        values = [index + 0.25, index + 0.5]
        if metric.instrument is Instrument.HISTOGRAM:
            values = [metric.bounds[0], index + 0.5]  # the first exactly on an edge
        series = list(zip(_labels(metric), values, strict=True))
        record(metric, series)
        for labels, value in series:
            lines += _expected(metric, labels, value)
    return lines


def _labels(metric: Metric) -> list[dict[str, str]]:
    """The first and the last allowed value of every label."""
    return [
        {one.key: (one.values or ("one", "two"))[position] for one in metric.attributes}
        for position in (0, -1)
    ]


def _expected(metric: Metric, labels: dict[str, str], value: float) -> Expected:
    name = metric.prometheus_name
    if metric.instrument is not Instrument.HISTOGRAM:
        return [(name, labels, value)]
    return [
        (f"{name}_count", labels, 1),
        (f"{name}_sum", labels, value),
        *(
            (f"{name}_bucket", {**labels, "le": str(bound)}, float(value <= bound))
            for bound in (*metric.bounds, float("inf"))
        ),
    ]


def _record(metric: Metric, series: list[Series]) -> None:
    if metric.asynchronous:
        instruments.observe(metric, lambda: [(labels, value) for labels, value in series])
        return
    for labels, value in series:
        bound = instruments.series(metric, **labels)
        if metric.instrument is Instrument.COUNTER:
            bound.add(value)
        elif metric.instrument is Instrument.HISTOGRAM:
            bound.record(value)
        else:
            bound.set(value)


def _record_plainly(meter: Meter, metric: Metric, series: list[Series]) -> None:
    options = {"unit": metric.unit, "description": metric.description}
    if metric.asynchronous:

        def observe(_: CallbackOptions) -> list[Observation]:
            return [Observation(value, labels) for labels, value in series]

        meter.create_observable_gauge(metric.name, [observe], **options)
        return
    if metric.instrument is Instrument.COUNTER:
        write: Callable[[float, dict[str, str]], None] = meter.create_counter(
            metric.name, **options
        ).add
    elif metric.instrument is Instrument.HISTOGRAM:
        bounds = list(metric.bounds)
        write = meter.create_histogram(
            metric.name, **options, explicit_bucket_boundaries_advisory=bounds
        ).record
    else:
        write = meter.create_gauge(metric.name, **options).set
    for labels, value in series:
        write(value, labels)


if __name__ == "__main__":
    main()
