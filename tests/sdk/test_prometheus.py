"""/metrics: formats, exemplars, negotiation, and agreement with OpenTelemetry's exporter."""

from __future__ import annotations

import contextlib
import gzip
import math
import re
import threading
import urllib.error
import urllib.request
from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import metrics, trace
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import (
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    View,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as parse_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as parse_classic

from qudag_otel._otel import storage
from qudag_otel._otel.storage import quicken
from qudag_otel.catalogue.metrics import METRICS
from qudag_otel.sdk import configure
from qudag_otel.sdk.prometheus import names
from qudag_otel.sdk.prometheus.endpoint import Endpoint
from qudag_otel.sdk.prometheus.reader import PrometheusReader
from qudag_otel.sdk.prometheus.server import wants_gzip, wants_openmetrics
from tests.sdk.wild import page

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from qudag_otel.sdk import Telemetry

PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/plain;version=0.0.4;q=0.2,*/*;q=0.1"
)
OPENMETRICS = "application/openmetrics-text; version=1.0.0"
read_openmetrics: Callable[[str], Iterable[Any]] = parse_openmetrics  # their parsers are untyped
read_classic: Callable[[str], Iterable[Any]] = parse_classic
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def start(**more: Any) -> Telemetry:
    """Start /metrics on a port that the system picks, and nothing else."""
    return configure(
        traces_exporter="none", logs_exporter="none", metrics_exporter="prometheus",
        prometheus_port=0, **more,
    )  # fmt: skip


def get(telemetry: Telemetry, path: str = "", **headers: str) -> tuple[bytes, Mapping[str, str]]:
    """Get a page of the server."""
    assert telemetry.metrics_url is not None
    url = telemetry.metrics_url.replace("/metrics", path) if path else telemetry.metrics_url
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request) as response:
        return response.read(), response.headers


def provider(reader: Any, *more: Any, views: tuple[View, ...] = ()) -> MeterProvider:
    """A meter provider with a fixed resource, whose first reader is as configure() has it."""
    made = MeterProvider(
        metric_readers=[reader, *more], views=views, shutdown_on_exit=False,
        resource=Resource({"service.name": "s", "odd/key": 'a"b'}),
    )  # fmt: skip
    quicken(made, reader)
    return made


def samples(text: str, *, openmetrics: bool) -> Samples:
    """Everything that the reference implementation's parser finds; an empty label is none."""
    parse = read_openmetrics if openmetrics else read_classic
    return {
        (
            sample.name,
            frozenset(canonical(label) for label in sample.labels.items() if label[1]),
        ): sample.value
        for family in parse(text)
        for sample in family.samples
    }


def canonical(label: tuple[str, str]) -> tuple[str, str]:
    """A label, with a bucket's bound in one spelling: 1 and 1.0 are the same."""
    key, value = label
    return (key, repr(float(value))) if key == "le" else label


def record_all_kinds(source: MeterProvider) -> None:
    """Record into every kind of instrument, with names and units that need translation."""
    meter = source.get_meter("scope.one", "1.2")
    meter.create_counter("requests", "{request}", "How many").add(2, {"http.route": "/a"})
    meter.create_counter("sent.bytes", "By").add(7)
    meter.create_counter("already_total", "s").add(1.5, {"x": True, "y": 3})
    meter.create_up_down_counter("in-flight").add(-3, {"quote": 'a"b\\c\nd'})
    meter.create_gauge("temperature", "Cel").set(-0.5, {"key with space": "v"})
    meter.create_gauge("speed", "m/s").set(3)
    meter.create_gauge("load", "%").set(1e21)
    meter.create_gauge("not..a..word").set(1e-9)
    meter.create_gauge("share_percent", "%").set(12)
    histogram = meter.create_histogram("wait", "ms", explicit_bucket_boundaries_advisory=[1, 2.5])
    for value in (0.5, 1, 2, 99):
        histogram.record(value, {"k": "ü€"})
    meter.create_observable_counter("read", [lambda _: [Observation(4, {"d": "e"})]], unit="KiBy")
    meter.create_observable_gauge("rate", [lambda _: [Observation(0.25)]], unit="{x}/s")


@pytest.mark.parametrize("openmetrics", [True, False])
def test_exposition_agrees_with_the_reference_exporter(openmetrics: bool) -> None:
    """Same series, names, labels and values as opentelemetry-exporter-prometheus."""
    registry = CollectorRegistry()
    theirs = PrometheusMetricReader(registry=registry, scope_info_enabled=False)
    ours = PrometheusReader()
    source = provider(ours, theirs)
    record_all_kinds(source)
    expected = samples(generate_latest(registry).decode(), openmetrics=False)
    found = samples(ours.scrape(openmetrics=openmetrics).decode(), openmetrics=openmetrics)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        assert found[key] == value or (math.isnan(found[key]) and math.isnan(value)), key
    source.shutdown()


def test_exposition_with_scope_labels_agrees_with_the_reference_exporter() -> None:
    """With scope labels, too."""
    registry = CollectorRegistry()
    theirs = PrometheusMetricReader(registry=registry, scope_info_enabled=True)
    ours = PrometheusReader(scope_labels=True)
    source = provider(ours, theirs)
    record_all_kinds(source)
    expected = samples(generate_latest(registry).decode(), openmetrics=False)
    found = samples(ours.scrape(openmetrics=True).decode(), openmetrics=True)
    assert found.keys() == expected.keys()
    source.shutdown()


_STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(["counter", "up-down", "gauge", "histogram", "observed", "level"]),
            st.sampled_from(["a", "b"]),
            st.one_of(st.integers(0, 9), st.floats(0, 9, allow_subnormal=False)),
        ),
        st.just("scrape"),
    ),
    max_size=40,
)


@settings(deadline=None)  # machines that run tests are busy
@given(_STEPS, st.booleans())
def test_cheap_collection_agrees_with_the_sdks_at_every_scrape(steps: Any, traced: bool) -> None:
    """Sums, levels, callbacks that fall silent, exemplars: scrape after scrape the same page."""
    quick, plain = PrometheusReader(), PrometheusReader()
    source = provider(quick, plain)
    said: dict[tuple[str, str], float] = {}

    def observing(name: str) -> Callable[[object], list[Observation]]:
        return lambda _: [
            Observation(value, {"k": key}) for (which, key), value in said.items() if which == name
        ]

    meter = source.get_meter("t")
    record: dict[str, Callable[..., None]] = {
        "counter": meter.create_counter("c").add,
        "up-down": meter.create_up_down_counter("u").add,
        "gauge": meter.create_gauge("g").set,
        "histogram": meter.create_histogram("h").record,
    }
    meter.create_observable_counter("observed", [observing("observed")])
    meter.create_observable_gauge("level", [observing("level")])
    with (
        TracerProvider(shutdown_on_exit=False).get_tracer("t").start_as_current_span("s")
        if traced
        else contextlib.nullcontext()
    ):
        for step in (*steps, "scrape"):
            if step == "scrape":
                for openmetrics in (True, False):
                    # Which of several exemplars is kept is drawn by lot, by each reader.
                    found, expected = (
                        re.sub(rb"} [^ ]+ [^ ]+$", b"}", page, flags=re.MULTILINE)
                        for page in (
                            quick.scrape(openmetrics=openmetrics),
                            plain.scrape(openmetrics=openmetrics),
                        )
                    )
                    assert found == expected
                said.clear()
                continue
            name, key, value = step
            if name in record:
                record[name](value, {"k": key})
            else:
                said[name, key] = value
    source.shutdown()


def test_an_unknown_storage_is_collected_as_the_sdk_does_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The cheap collection is left where the SDK's insides are called otherwise."""
    monkeypatch.setattr("qudag_otel._otel.names.HIDDEN", {"_new_view_instrument_match"})
    monkeypatch.setattr(storage, "_quick", storage._quick.__wrapped__)
    reader = PrometheusReader()
    source = provider(reader)
    source.get_meter("t").create_counter("c").add(2)
    assert type(cast("Any", source)._measurement_consumer._reader_storages[reader]).__module__ == (
        "opentelemetry.sdk.metrics._internal.metric_reader_storage"
    )
    assert b"c_total 2" in reader.scrape(openmetrics=False)
    source.shutdown()


def test_names_agree_with_the_catalogue() -> None:
    """Every metric of the catalogue gets the name that the catalogue says it has."""
    for metric in METRICS:
        kind = metric.instrument.value
        unit = names.unit_name(metric.unit, gauge=kind == "gauge")
        family = names.family_name(metric.name, unit, monotonic=kind == "counter")
        assert family + ("_total" if kind == "counter" else "") == metric.prometheus_name


@pytest.mark.parametrize(
    ("unit", "gauge", "word"),
    [
        ("1", True, "ratio"), ("1", False, ""), ("", True, ""), ("{packet}", False, ""),
        ("By/s", True, "bytes_per_second"), ("/s", True, "per_second"), ("MBy", True, "megabytes"),
        ("{a}/{b}", True, ""), ("furlong", True, "furlong"), ("m/mo", True, "meters_per_month"),
    ],
)  # fmt: skip
def test_unit_name_translates(unit: str, gauge: bool, word: str) -> None:
    """Units become words as the specification says."""
    assert names.unit_name(unit, gauge=gauge) == word


def test_label_collision_joins_values() -> None:
    """Keys that become one label are joined in the order of the keys."""
    assert names.labels({"a.b": "2", "a-b": "1", "1x": "d"}) == 'key_1x="d",a_b="1;2"'


def test_openmetrics_carries_exemplars_of_sampled_traces() -> None:
    """A histogram's bucket and a counter name the trace they were recorded in."""
    telemetry = start()
    meter = metrics.get_meter("t")
    with trace.get_tracer("t").start_as_current_span("s") as span:
        meter.create_histogram("h", "s", explicit_bucket_boundaries_advisory=[1.0]).record(3)
        meter.create_counter("c").add(2)
    context = span.get_span_context()
    for _ in range(2):  # a second scraper sees them, too
        body, headers = get(telemetry, Accept=OPENMETRICS)
        assert headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        exemplars = {
            sample.name + sample.labels.get("le", ""): sample.exemplar
            for family in read_openmetrics(body.decode())
            for sample in family.samples
            if sample.exemplar
        }
        assert exemplars.keys() == {"h_seconds_bucket+Inf", "c_total"}
        for exemplar in exemplars.values():
            assert exemplar.labels == {
                "trace_id": f"{context.trace_id:032x}",
                "span_id": f"{context.span_id:016x}",
            }
    assert exemplars["h_seconds_bucket+Inf"].value == 3
    classic, headers = get(telemetry)
    assert headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"trace_id" not in classic


def test_exemplar_filtered_attributes_stay_within_the_limit() -> None:
    """What a view filters away is on the exemplar, as far as 128 characters reach."""
    reader = PrometheusReader()
    source = provider(reader, views=(View(instrument_name="h", attribute_keys={"kept"}),))
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("t")
    with tracer.start_as_current_span("s"):
        source.get_meter("t").create_histogram("h").record(
            1, {"kept": "k", "short": "yes", "long": "x" * 200}
        )
    body = reader.scrape(openmetrics=True).decode()
    (sample,) = [s for f in read_openmetrics(body) for s in f.samples if s.exemplar]
    assert sample.labels.keys() == {"kept", "le"}
    assert sample.exemplar.labels.keys() == {"trace_id", "span_id", "short"}
    source.shutdown()


def test_exponential_histogram_keeps_the_scrape_alive() -> None:
    """It is exposed with explicit bounds: same count and sum, every value in its bucket."""
    reader = PrometheusReader()
    view = View(instrument_type=Histogram, aggregation=ExponentialBucketHistogramAggregation())
    source = provider(reader, views=(view,))
    histogram = source.get_meter("t").create_histogram("h")
    values = [0.0, 0.001, 0.5, 1.0, 3.0, 3.1, 700.0]
    for value in values:
        histogram.record(value)
    body = reader.scrape(openmetrics=True).decode()
    found = samples(body, openmetrics=True)
    assert found["h_count", frozenset()] == len(values)
    assert found["h_sum", frozenset()] == pytest.approx(sum(values))
    for (name, labels), count in found.items():
        if name == "h_bucket":
            bound = float(dict(labels)["le"])
            # A value on a bound may fall to either side, by the rounding of the bound itself.
            low = sum(value < bound * (1 - 1e-9) for value in values)
            high = sum(value <= bound * (1 + 1e-9) for value in values)
            assert low <= count <= high, bound
    source.shutdown()


@settings(deadline=None)  # machines that run tests are busy
@given(st.lists(st.floats(min_value=-1e300, max_value=1e300), min_size=1, max_size=40))
def test_exponential_histogram_any_values_count_exactly(values: list[float]) -> None:
    """Bounds ascend, counts never fall, and the last bucket holds everything."""
    reader = PrometheusReader()
    view = View(instrument_name="h", aggregation=ExponentialBucketHistogramAggregation())
    source = provider(reader, views=(view,))
    histogram = source.get_meter("t").create_histogram("h")
    for value in values:
        histogram.record(abs(value))
    body = reader.scrape(openmetrics=True).decode()
    buckets = [s for f in read_openmetrics(body) for s in f.samples if s.name == "h_bucket"]
    assert buckets[-1].value == len(values)
    source.shutdown()


def test_same_name_in_two_scopes_is_one_family() -> None:
    """Without scope labels two scopes' series stand in one family; the same series stands once."""
    reader = PrometheusReader()
    source = provider(reader)
    for scope in ("a", "b"):
        counter = source.get_meter(scope).create_counter("c")
        counter.add(1, {"scope": scope})
        counter.add(5)
    body = reader.scrape(openmetrics=True).decode()
    assert body.count("# TYPE c counter") == 1
    found = samples(body, openmetrics=True)
    assert {dict(labels).get("scope") for name, labels in found if name == "c_total"} == {
        "a", "b", None,
    }  # fmt: skip
    assert body.count("c_total 5") == 1
    source.shutdown()


def test_same_name_of_two_kinds_exposes_the_first(caplog: pytest.LogCaptureFixture) -> None:
    """A name cannot be two things: the second is left out with one warning."""
    reader = PrometheusReader()
    source = provider(reader)
    source.get_meter("a").create_gauge("x").set(1)
    source.get_meter("b").create_histogram("x").record(1)
    for _ in range(2):
        assert set(samples(reader.scrape(openmetrics=True).decode(), openmetrics=True)) == {
            ("x", frozenset()), target(),
        }  # fmt: skip
    assert [r.getMessage()[:25] for r in caplog.records] == ["/metrics: x is exposed on"]
    source.shutdown()


def target() -> tuple[str, frozenset[tuple[str, str]]]:
    """The key of target_info under the fixed resource."""
    return "target_info", frozenset({("service_name", "s"), ("odd_key", 'a"b')})


def test_view_changes_bounds_and_the_next_scrape_follows() -> None:
    """What is kept between scrapes is not used for a series that looks different."""
    reader = PrometheusReader()
    view = View(
        instrument_name="h",
        aggregation=ExplicitBucketHistogramAggregation(boundaries=[1, 2]),
        name="renamed",
    )
    source = provider(reader, views=(view,))
    histogram = source.get_meter("t").create_histogram("h")
    for count in (1, 2, 3):
        histogram.record(1.5)
        found = samples(reader.scrape(openmetrics=True).decode(), openmetrics=True)
        assert found["renamed_count", frozenset()] == count
        assert found["renamed_bucket", frozenset({("le", "2.0")})] == count
    source.shutdown()


def test_cardinality_overflow_is_exposed() -> None:
    """Beyond the SDK's limit, which 1.45.0 lacks, one series holds the rest; none is left out."""
    reader, memory = PrometheusReader(), InMemoryMetricReader()
    source = provider(reader, memory)
    counter = source.get_meter("t").create_counter("c")
    for number in range(2100):
        counter.add(1, {"n": str(number)})
    found = samples(reader.scrape(openmetrics=True).decode(), openmetrics=True)
    [points] = [
        metric.data.data_points
        for resource in getattr(memory.get_metrics_data(), "resource_metrics", ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if metric.name == "c"
    ]
    rest = [point.value for point in points if "otel.metric.overflow" in point.attributes]
    assert rest in ([100], [])
    for value in rest:
        assert found["c_total", frozenset({("otel_metric_overflow", "true")})] == value
    assert sum(value for (name, _), value in found.items() if name == "c_total") == 2100
    source.shutdown()


@settings(deadline=None, max_examples=60)  # machines that run tests are busy
@given(st.integers(0, 2**32))
def test_any_page_is_read_by_the_client_library(seed: int) -> None:
    """Whatever names, units, labels and values are recorded, both formats stay readable."""
    for openmetrics in (True, False):
        text = page(seed, openmetrics=openmetrics)
        parse = read_openmetrics if openmetrics else read_classic
        families = [line for line in text.split("\n") if line.startswith("# TYPE ")]
        assert len(list(parse(text))) == len(families), text


Record = Callable[[Any], object]
WILD: dict[str, tuple[Record, dict[str, float]]] = {
    "a bool": (lambda m: m.create_gauge("g").set(True), {"g{}": 1}),
    "a number of numpy": (lambda m: m.create_gauge("g").set(np.float64(2.5)), {"g{}": 2.5}),
    "a huge integer": (lambda m: m.create_gauge("g").set(10**300), {"g{}": 1e300}),
    "a fraction": (lambda m: m.create_gauge("g").set(Fraction(1, 2)), {"g{}": 0.5}),
    "a name that is its unit": (
        lambda m: m.create_counter("bytes", "By").add(1), {"bytes_total{}": 1},
    ),
    "a bound that is none": (
        lambda m: m.create_gauge("g").set(1, {"le": "x"}), {"g{exported_le=x}": 1},
    ),
    "a quantile that is none": (
        lambda m: m.create_gauge("g").set(1, {"quantile": "x"}), {"g{exported_quantile=x}": 1},
    ),
    "no key": (lambda m: m.create_gauge("g").set(1, {"": "x"}), {"g{}": 1}),
    "a key without a letter": (lambda m: m.create_gauge("g").set(1, {"+": "x"}), {"g{_=x}": 1}),
    "no value": (lambda m: m.create_gauge("g").set(1, {"k": ""}), {"g{}": 1}),
    "two keys that become one": (
        lambda m: m.create_gauge("g").set(1, {"node.id": "a", "node_id": "b"}),
        {"g{node_id=a;b}": 1},
    ),
    "text that is no UTF-8": (
        lambda m: m.create_gauge("g").set(1, {"k": "caf\udce9"}), {r"g{k=caf\udce9}": 1},
    ),
    "families that collide": (
        lambda m: (m.create_histogram("g").record(1), m.create_gauge("g_count").set(7)),
        {"g_count{}": 1},
    ),
}  # fmt: skip


@pytest.mark.parametrize("openmetrics", [True, False])
@pytest.mark.parametrize("case", WILD)
def test_exposition_of_a_bad_item_costs_no_neighbour(case: str, openmetrics: bool) -> None:
    """It is converted or left out; what stands beside it is exposed, and all can be read."""
    record, expected = WILD[case]
    reader = PrometheusReader()
    source = provider(reader)
    record(source.get_meter("t"))
    source.get_meter("t").create_counter("neighbour").add(1)
    text = reader.scrape(openmetrics=openmetrics).decode()
    found = {
        f"{name}{{{','.join(f'{k}={v}' for k, v in sorted(labels))}}}": value
        for (name, labels), value in samples(text, openmetrics=openmetrics).items()
    }
    assert found["neighbour_total{}"] == 1
    assert found.items() >= expected.items()
    source.shutdown()


def test_exponential_histogram_at_the_edge_of_floats_has_each_bound_once() -> None:
    """Buckets narrower than a float can tell are one."""
    reader = PrometheusReader()
    view = View(instrument_name="h", aggregation=ExponentialBucketHistogramAggregation())
    source = provider(reader, views=(view,))
    histogram = source.get_meter("t").create_histogram("h")
    for value in (0.0, 5e-324, 1e-323, 1e308):
        histogram.record(value)
    found = samples(reader.scrape(openmetrics=True).decode(), openmetrics=True)
    assert found["h_count", frozenset()] == 4
    source.shutdown()


@settings(deadline=None)  # machines that run tests are busy
@given(st.dictionaries(st.text(min_size=1, max_size=10), st.text(max_size=20), max_size=5))
def test_any_attributes_parse_back(attributes: dict[str, str]) -> None:
    """Whatever keys and values are recorded, both formats stay readable."""
    reader = PrometheusReader()
    source = provider(reader)
    source.get_meter("t").create_gauge("g").set(1, attributes)
    for openmetrics in (True, False):
        found = samples(reader.scrape(openmetrics=openmetrics).decode(), openmetrics=openmetrics)
        assert sorted(name for name, _ in found) == ["g", "target_info"]
    source.shutdown()


@pytest.mark.parametrize(
    ("accept", "openmetrics"),
    [
        ("", False),
        ("*/*", False),
        ("text/plain", False),
        ("application/openmetrics-text", True),
        ("application/openmetrics-text; version=1.0.0", True),
        ("application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5", True),
        ("application/openmetrics-text;q=0.1, text/plain;q=0.9", False),
        ("application/openmetrics-text;q=0", False),
        ("application/openmetrics-text;version=2.0.0", False),
        ("application/openmetrics-text;q=x", False),
        (PROMETHEUS_3, True),
    ],
)
def test_accept_header_chooses_the_format(accept: str, openmetrics: bool) -> None:
    """By media type, version and quality; the last case is what Prometheus 3 sends."""
    assert wants_openmetrics(accept) is openmetrics


@pytest.mark.parametrize(
    ("header", "compressed"),
    [
        ("", False),
        ("gzip", True),
        ("deflate, gzip;q=0.5", True),
        ("gzip;q=0", False),
        ("br", False),
    ],
)
def test_accept_encoding_header_chooses_compression(header: str, compressed: bool) -> None:
    """Only where gzip is asked for."""
    assert wants_gzip(header) is compressed


def test_server_answers_compressed_head_and_wrong_paths() -> None:
    """Gzip when asked; HEAD without a body; a hint elsewhere."""
    telemetry = start()
    metrics.get_meter("t").create_counter("c").add(1)
    body, headers = get(telemetry, **{"Accept-Encoding": "gzip"})
    assert headers["Content-Encoding"] == "gzip"
    assert b"c_total 1" in gzip.decompress(body)
    assert telemetry.metrics_url is not None
    request = urllib.request.Request(telemetry.metrics_url, method="HEAD")
    with urllib.request.urlopen(request) as response:
        assert response.read() == b""
        assert int(response.headers["Content-Length"]) > 0
    with pytest.raises(urllib.error.HTTPError, match="404") as caught:
        get(telemetry, "/elsewhere")
    with caught.value:
        assert b"/metrics" in caught.value.read()
    body, _ = get(telemetry, "/metrics?name=x")
    assert b"c_total 1" in body


def test_server_before_anything_is_recorded_answers_empty() -> None:
    """A scrape that finds nothing is a valid, empty page."""
    reader = PrometheusReader()
    source = provider(reader)
    assert reader.scrape(openmetrics=True) == b"# EOF\n"
    assert reader.scrape(openmetrics=False) == b""
    source.shutdown()


def test_server_failing_scrape_is_an_error_page(caplog: pytest.LogCaptureFixture) -> None:
    """A collection that takes too long gives 500 and a log line; the next scrape works."""
    reader = PrometheusReader(timeout=0.05)
    source = provider(reader)
    late = [True]

    def observe(_: object) -> list[Observation]:
        if late.pop() if late else False:
            threading.Event().wait(0.1)  # longer than the reader waits
        return [Observation(1)]

    source.get_meter("t").create_observable_gauge("g", [observe])
    # The SDK looks at the clock when it turns to the next instrument.
    source.get_meter("t").create_observable_gauge("after", [observe])
    server = Endpoint(reader, "127.0.0.1", 0, "t")
    server.start()
    assert server.url is not None
    with pytest.raises(urllib.error.HTTPError, match="500") as caught:
        urllib.request.urlopen(server.url)
    with caught.value:
        assert b"the scrape failed: MetricsTimeoutError" in caught.value.read()
    assert [record.getMessage() for record in caplog.records] == ["a scrape failed"]
    with urllib.request.urlopen(server.url) as response:
        assert b"\ng 1\n" in response.read()
    server.close()
    source.shutdown()


def test_server_concurrent_scrapes_are_all_whole() -> None:
    """Scrapes at the same time while others record all parse, with counters that never fall."""
    telemetry = start()
    counter = metrics.get_meter("t").create_counter("c")
    counter.add(1)
    stop = threading.Event()
    bodies: list[str] = []

    def load() -> None:
        while not stop.is_set():
            counter.add(1)

    def scrape() -> None:
        for _ in range(5):
            body, _ = get(telemetry, Accept=OPENMETRICS)
            bodies.append(body.decode())

    recording = threading.Thread(target=load)
    recording.start()
    scraping = [threading.Thread(target=scrape) for _ in range(4)]
    for thread in scraping:
        thread.start()
    for thread in scraping:
        thread.join()
    stop.set()
    recording.join()
    assert len(bodies) == 20
    for body in bodies:
        assert samples(body, openmetrics=True)["c_total", frozenset()] >= 1


def test_server_port_is_free_after_shutdown() -> None:
    """The port can be bound again at once."""
    telemetry = start()
    assert telemetry.metrics_url is not None
    port = int(telemetry.metrics_url.split(":")[2].partition("/")[0])
    get(telemetry)
    telemetry.shutdown()
    assert telemetry.metrics_url is None
    again = configure(
        traces_exporter="none", logs_exporter="none", metrics_exporter="prometheus",
        prometheus_port=port,
    )  # fmt: skip
    assert again.metrics_url == f"http://127.0.0.1:{port}/metrics"


def test_two_readers_see_the_same() -> None:
    """/metrics and another reader both have what was recorded."""
    memory = InMemoryMetricReader()
    telemetry = start(metric_readers=[memory])
    metrics.get_meter("t").create_counter("c").add(4)
    body, _ = get(telemetry)
    assert b"c_total 4" in body
    data = memory.get_metrics_data()
    assert data is not None
    (metric,) = data.resource_metrics[0].scope_metrics[0].metrics
    assert metric.name == "c"


def test_default_address_is_loopback_9464() -> None:
    """Unless told otherwise nobody outside this host can reach it, and no other tool owns it."""
    from qudag_otel.sdk.settings import variables as v

    assert (v.PROMETHEUS_HOST.default, v.PROMETHEUS_PORT.default) == ("127.0.0.1", 9464)
