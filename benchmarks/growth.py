"""P6 and W16: how costs grow with operations, threads and series. Prints JSON."""

from __future__ import annotations

import itertools
import sys
import urllib.request
from functools import partial
from typing import TYPE_CHECKING, Any

import prometheus_client

from benchmarks.measure import SHORT, Run, key, least_of, pin, race, report, threads
from benchmarks.rig import EXPORTING, LONG, Rig

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

OPERATIONS = (1, 100) if SHORT else (1, 10, 100, 1_000, 10_000)
THREADS = (1, 4) if SHORT else (1, 4, 16, 64)
SERIES = (10, 100) if SHORT else (10, 100, 1_000, 10_000, 100_000)
PER_METRIC = 1000
"""Series of one metric: below the SDK's limit of 2,000."""


def work() -> None:
    """The function that is measured."""


def in_turn(calls: Sequence[Callable[[], Any]]) -> Callable[[], None]:
    """What calls one after the other, with the same overhead for any number."""
    turn = itertools.cycle(calls)

    def call() -> None:
        next(turn)()

    return call


def calls() -> dict[str, float]:
    """A call, as the operations and the threads become more."""
    from qudag_otel import instrumented

    rig = Rig()
    found: dict[str, float] = {}
    histogram = prometheus_client.Histogram("timed_seconds", "d", ("operation",))
    duration = rig.sdk.meter.create_histogram("duration", "s")
    ours: list[Callable[[], None]] = []
    theirs: list[Callable[[], None]] = []
    for count in OPERATIONS:
        while len(ours) < count:
            name = f"operation {len(ours)}"
            ours.append(instrumented(name=name)(work))
            theirs.append(histogram.labels(name).time()(work))
        labels = [{"operation": f"operation {number}"} for number in range(count)]
        records = [partial(duration.record, 0.1, each) for each in labels]
        found |= race(
            f"call, {count:,} operations",
            ours=Run(in_turn(ours), rig.send if count < 1000 else None),
            prometheus_client=in_turn(theirs),
            OpenTelemetry=in_turn(records),
        )
    one = instrumented(name="one")(work)
    for count in THREADS:
        found[key(f"call, {count} threads", "ours")] = threads(one, count, after=rig.send)
        found[key(f"call, {count} threads", "prometheus_client")] = threads(theirs[0], count)
    return found


def labelled(number: int) -> dict[str, str]:
    """The labels of a series."""
    return {"a": f"a{number % PER_METRIC}", "b": f"b{number % 10}", "c": "c"}


def series(who: str) -> dict[str, float]:
    """An addition, a scrape and an export, as the series become more."""
    add_one, scrape, export = WHO[who]()
    adds: list[Callable[[], Any]] = []
    found: dict[str, float] = {}
    for count in SERIES:
        while len(adds) < count:
            adds.append(add_one(len(adds) // PER_METRIC, labelled(len(adds))))
            adds[-1]()
        found |= race(f"counter add, {count:,} series", **{who: in_turn(adds)})
        times = 3 if count > 10_000 else 10
        if scrape is not None:
            page = scrape()
            if page.count(b"\n") < count:
                raise RuntimeError(f"{who} shows {page[:2000]!r}")
            found[key(f"scrape of {count:,} series", who)] = least_of(scrape, times)
        if export is not None:
            found[key(f"export of {count:,} series", who)] = least_of(export, times)
    return found


def read(url: str) -> Callable[[], bytes]:
    """What reads a page."""

    def reading() -> bytes:
        with urllib.request.urlopen(url, timeout=60) as page:
            body: bytes = page.read()
            return body

    return reading


def ours() -> Any:
    """Declared counters, on /metrics and over OTLP."""
    from qudag_otel import configure, counter

    telemetry = configure(
        sigterm=False,
        environ={
            **EXPORTING,
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "prometheus,otlp",
            "OTEL_EXPORTER_PROMETHEUS_PORT": "0",
            "OTEL_METRIC_EXPORT_INTERVAL": LONG,
        },
    )

    def add_one(metric: int, labels: dict[str, str]) -> Callable[[], Any]:
        limits = {"a": PER_METRIC, "b": 10, "c": 1}
        return counter(f"bench.grown{metric}", labels=limits).labels(**labels).add

    def export() -> None:
        if not telemetry.force_flush(120):
            raise RuntimeError("the sink did not get everything")

    assert telemetry.metrics_url is not None
    return add_one, read(telemetry.metrics_url), export


def prometheus() -> Any:
    """Its children, served by its own server."""
    server, _ = prometheus_client.start_http_server(0, "127.0.0.1")
    metrics: dict[int, prometheus_client.Counter] = {}

    def add_one(metric: int, labels: dict[str, str]) -> Callable[[], Any]:
        if metric not in metrics:
            metrics[metric] = prometheus_client.Counter(f"grown{metric}", "d", tuple(labels))
        return metrics[metric].labels(*labels.values()).inc

    return add_one, read(f"http://127.0.0.1:{server.server_port}/metrics"), None


def sdk() -> Any:
    """The SDK's counters, over OTLP and through its exporter for Prometheus."""
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    exporter = OTLPMetricExporter(f"{EXPORTING['OTEL_EXPORTER_OTLP_ENDPOINT']}/v1/metrics")
    reader = PeriodicExportingMetricReader(exporter, int(LONG), 120_000)
    meter = MeterProvider([reader, PrometheusMetricReader()]).get_meter("bench")
    server, _ = prometheus_client.start_http_server(0, "127.0.0.1")
    counters: dict[int, Any] = {}

    def add_one(metric: int, labels: dict[str, str]) -> Callable[[], Any]:
        if metric not in counters:
            counters[metric] = meter.create_counter(f"grown{metric}")
        counter = counters[metric]
        return lambda: counter.add(1, labels)

    def export() -> None:
        reader.force_flush(120_000)

    return add_one, read(f"http://127.0.0.1:{server.server_port}/metrics"), export


WHO: dict[str, Callable[[], Any]] = {
    "ours": ours,
    "prometheus_client": prometheus,
    "OpenTelemetry": sdk,
}

if __name__ == "__main__":
    pin()
    report(series(sys.argv[1]) if len(sys.argv) > 1 else calls())
