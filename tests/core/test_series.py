"""A bound series: any value, from anywhere, at any moment; what the SDK exports stays the SDK's."""

from __future__ import annotations

import enum
import gc
import math
import os
import random
import signal
import threading
import time
from decimal import Decimal
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from opentelemetry import metrics, trace
from opentelemetry.metrics import Meter, MeterProvider, NoOpCounter, NoOpMeter, NoOpMeterProvider
from opentelemetry.sdk import metrics as sdk_metrics
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from qudag_otel import gauge, identity, instruments, recorders
from qudag_otel._otel import globals as otel_globals
from qudag_otel._otel import names
from qudag_otel._series.series import LIMIT
from qudag_otel._series.values import number, text
from qudag_otel.catalogue import metrics as m
from qudag_otel.component import monitor
from qudag_otel.instruments import observe, series
from qudag_otel.testing import capture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qudag_otel.logs import ComponentLogger
    from qudag_otel.testing import Captured

DELTA = {
    sdk_metrics.Counter: AggregationTemporality.DELTA,
    sdk_metrics.Histogram: AggregationTemporality.DELTA,
}
SAMPLED = NonRecordingSpan(SpanContext(7, 8, False, TraceFlags(1)))


class Level(enum.IntEnum):
    """A number with a name."""

    HIGH = 3


class Awkward:
    """Neither a number nor printable."""

    def __float__(self) -> float:
        raise RuntimeError("no")

    def __repr__(self) -> str:
        raise RuntimeError("no")


NUMBERS: list[tuple[Any, float | None]] = [
    (True, 1), (Level.HIGH, 3), (np.float64(2.5), 2.5), (np.int8(4), 4), (np.bool_(True), 1),
    (np.array(6), 6), (Decimal("0.5"), 0.5), (Fraction(1, 4), 0.25), (2**70, 2.0**70),
    (2**63, 2.0**63), (10**400, None), (math.nan, None), (math.inf, None), (Decimal("NaN"), None),
    (np.array([1, 2]), None), ("5", None), (b"5", None), (None, None), (1j, None),
    (Awkward(), None),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), NUMBERS, ids=lambda value: type(value).__name__)
def test_value_is_exported_as_a_number_or_dropped_with_a_warning(
    telemetry: Captured, value: Any, expected: float | None
) -> None:
    """Whatever is a number is one, of a class that every exporter takes; it costs no neighbour."""
    converted = number(value)
    assert converted == expected
    assert type(converted) in {int, float, type(None)}
    counter, waits = (
        series(m.POOL_HITS, pool_type="p"),
        series(m.CONNECTION_WAIT_TIME, pool_type="p"),
    )
    shown = series(m.RESOURCE_USED, resource="r")
    shown.set(0.25)
    for _ in range(2):
        counter.add(value)
        waits.record(value)
        shown.set(value)
    counter.add(1)
    assert telemetry.value(m.POOL_HITS.name) == 1 + 2 * (expected or 0)
    assert telemetry.value(m.RESOURCE_USED.name) == (0.25 if expected is None else expected)
    if expected is None:
        assert not telemetry.points(m.CONNECTION_WAIT_TIME.name)
        assert len([log for log in telemetry.logs if "dropped" in str(log.body)]) == 3
    else:
        assert telemetry.histogram(m.CONNECTION_WAIT_TIME.name) == (2, 2 * expected)


@pytest.mark.parametrize(
    ("value", "expected"),
    [("caf\udce9", r"caf\udce9"), (3, "3"), (None, "None"), (Awkward(), "Awkward"), ("", "")],
    ids=["no UTF-8", "number", "None", "no text", "empty"],
)
def test_label_is_exported_as_valid_text(telemetry: Captured, value: Any, expected: str) -> None:
    """Whatever it was."""
    assert text(value) == expected
    series(m.POOL_HITS, pool_type=value).add()
    assert telemetry.value(m.POOL_HITS.name, pool_type=expected) == 1


# -- against the SDK


class World:
    """A provider with two readers, and what was recorded into it."""

    def __init__(self) -> None:
        self.readers = [InMemoryMetricReader(), InMemoryMetricReader(preferred_temporality=DELTA)]  # type: ignore[arg-type]
        self.provider = sdk_metrics.MeterProvider(
            self.readers, Resource.get_empty(), shutdown_on_exit=False
        )

    def points(self) -> list[Any]:
        """All points of both readers: name, value or buckets, exemplars' traces."""
        found: list[Any] = []
        for reader in self.readers:
            data = reader.get_metrics_data()
            for resource in data.resource_metrics if data else ():
                for scope in resource.scope_metrics:
                    for metric in scope.metrics:
                        for point in metric.data.data_points:
                            assert (point.start_time_unix_nano or 0) <= point.time_unix_nano
                            found.append((metric.name, *_content(point)))
        return sorted(found, key=str)


def _content(point: Any) -> tuple[Any, ...]:
    value = point.value if hasattr(point, "value") else (point.bucket_counts, point.min, point.max)
    traces = sorted({exemplar.trace_id for exemplar in point.exemplars})
    return (dict(point.attributes), value, traces)


@pytest.fixture
def _no_provider() -> Iterator[None]:
    otel_globals.reset_api_globals()
    instruments.reset()
    yield
    otel_globals.reset_api_globals()
    instruments.reset()


STEPS = st.lists(
    st.one_of(
        st.just("collect"),
        st.tuples(st.booleans(), st.booleans(), st.sampled_from([0, 1, 30, 0.25, 7.75, 100.5])),
        # Many at once, and a collection, after which sampled ones are looked for again.
        st.tuples(st.booleans(), st.just(False), st.just(1), st.sampled_from([LIMIT + 1, 1100])),
    ),
    max_size=6,
)


@settings(max_examples=25, deadline=None, phases=[Phase.explicit, Phase.generate])
@given(STEPS)
def test_series_export_what_the_sdk_exports(steps: list[Any]) -> None:
    """Sums, buckets, temporality, resets and exemplars, however values and collections mix."""
    ours, theirs = World(), World()
    otel_globals.reset_api_globals()
    instruments.reset()
    metrics.set_meter_provider(ours.provider)
    instruments.rebind()
    meter = theirs.provider.get_meter("qudag_otel")
    labels = {"node_id": "n", "pool_type": "p"}
    hits, waits = (series(one, **labels) for one in (m.POOL_HITS, m.CONNECTION_WAIT_TIME))
    counter = meter.create_counter(m.POOL_HITS.name)
    histogram = meter.create_histogram(
        m.CONNECTION_WAIT_TIME.name,
        explicit_bucket_boundaries_advisory=list(m.CONNECTION_WAIT_TIME.bounds),
    )
    for step in [*steps, "collect"]:
        if step == "collect":
            assert ours.points() == theirs.points()
            continue
        counted, sampled, value, *times = step
        with trace.use_span(SAMPLED if sampled else trace.INVALID_SPAN):
            for _ in range(times[0] if times else 1):
                if counted:
                    hits.add(value)
                    counter.add(value, labels)
                else:
                    waits.record(value)
                    histogram.record(value, labels)
        if times:
            assert ours.points() == theirs.points()
    otel_globals.reset_api_globals()
    instruments.reset()


@pytest.mark.usefixtures("_no_provider")
def test_series_begins_when_it_is_first_recorded() -> None:
    """Not when it is first collected; a rate over the first interval would be infinite."""
    world = World()
    metrics.set_meter_provider(world.provider)
    one = series(m.POOL_HITS, pool_type="p")
    one.add()
    began = time.time_ns()
    data = world.readers[0].get_metrics_data()
    assert data is not None
    (metric,) = data.resource_metrics[0].scope_metrics[0].metrics
    (point,) = metric.data.data_points
    assert (point.start_time_unix_nano or began) < began <= point.time_unix_nano


def test_counter_that_is_rare_keeps_the_exemplar_of_its_one_sampled_event(
    telemetry: Captured,
) -> None:
    """It does not get lost among those without a span."""
    one = series(m.ERRORS, component="c", error_type="E")
    for _ in range(300):
        one.add()
    with trace.use_span(SAMPLED):
        one.add()
    for _ in range(2000):
        one.add()
    (point,) = telemetry.points(m.ERRORS.name)
    assert (point.value, point.exemplars) == (2301, (7,))


def test_values_that_nobody_collects_stay_bounded(telemetry: Captured) -> None:
    """The list is handed on at its limit."""
    one = series(m.POOL_HITS, pool_type="p")
    for _ in range(20 * LIMIT):
        one.add()
        assert len(one.records) <= LIMIT + 1
    assert telemetry.value(m.POOL_HITS.name) == 20 * LIMIT


# -- at any moment


@pytest.mark.usefixtures("_no_provider")
def test_recording_while_this_thread_holds_all_locks_of_the_sdk_goes_on() -> None:
    """As in a destructor in the middle of a collection: nothing waits, nothing is lost."""
    world = World()
    metrics.set_meter_provider(world.provider)
    one, waits = series(m.POOL_HITS, pool_type="p"), series(m.CONNECTION_WAIT_TIME, pool_type="p")
    one.add()
    waits.record(1)
    world.points()
    one.add()
    consumer: Any = world.provider._measurement_consumer
    held = [consumer._lock]
    for storage in consumer._reader_storages.values():
        held.append(storage._lock)
        for matches in storage._instrument_view_instrument_matches.values():
            for match in matches:
                held.append(match._lock)
                for aggregation in match._attributes_aggregation.values():
                    held += [aggregation._lock, aggregation._reservoir._lock]
    for lock in held:
        lock.acquire()
    for _ in range(3 * LIMIT):
        one.add()
        waits.record(1)
        series(m.ERRORS, component="c", error_type="new").add()
        recorders.update_cache_memory("c", 5)
    for lock in held:
        lock.release()
    found = {name: value for name, _, value, _ in world.points()[::-1]}
    assert found[m.POOL_HITS.name] in {3 * LIMIT + 2, 3 * LIMIT + 1}
    assert found[m.ERRORS.name] == 3 * LIMIT


class Handle:
    """Records when it is collected as garbage."""

    def __init__(self, serial: int) -> None:
        self.me = self
        self.serial = serial

    def __del__(self) -> None:
        recorders.record_error(None, "handle", f"E{self.serial % 50}")
        recorders.record_cache_lookup("v", hit=True)


@pytest.fixture(params=["storage known", "storage unknown"])
def _storage(request: pytest.FixtureRequest, telemetry: Captured) -> Iterator[None]:
    """Values go into the SDK's storage at once, or one by one through the API."""
    assert telemetry is not None
    if request.param == "storage unknown":
        names.HIDDEN.add("_reader_storages")
    yield
    names.HIDDEN.clear()


@pytest.mark.usefixtures("_storage")
def test_destructors_at_any_allocation_never_wait(telemetry: Captured) -> None:
    """Garbage is collected inside of the SDK, of collections and of ourselves."""
    before = gc.get_threshold()
    chance = random.Random(1)
    count = 3000
    try:
        for serial in range(count):
            gc.set_threshold(chance.randint(2, 60))
            Handle(serial)
            if serial % 100 == 0:
                telemetry.points(m.ERRORS.name)
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert telemetry.value(m.ERRORS.name) == count
    assert telemetry.value(m.CACHE_HITS.name) == count


@pytest.mark.usefixtures("_storage")
def test_signal_handlers_record_while_their_thread_collects(telemetry: Captured) -> None:
    """A handler may interrupt a collection between any two steps."""
    handled = [0]

    def handler(*_given: object) -> None:
        for _ in range(40):
            handled[0] += 1
            series(m.POOL_MISSES, pool_type="signal").add()
        # One at a time: those of a steady timer would interrupt each other for ever if slow.
        signal.setitimer(signal.ITIMER_VIRTUAL, pause[0])

    # Of processor time, and not SIGALRM, which ends a test that hangs.
    pause = [0.0005]
    before = signal.signal(signal.SIGVTALRM, handler)
    signal.setitimer(signal.ITIMER_VIRTUAL, pause[0])
    try:
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            series(m.POOL_HITS, pool_type="signal").add()
            telemetry.points(m.POOL_MISSES.name)
    finally:
        pause[0] = 0
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    assert telemetry.value(m.POOL_MISSES.name) == handled[0] > 0


class Busy:
    """A component whose health check uses everything."""

    component_name = "busy"

    def register_metrics(self, meter: Meter) -> None:
        """Nothing of its own."""

    def use_logger(self, logger: ComponentLogger) -> None:
        """Silent."""

    def healthy(self) -> bool:
        """Report, observe and declare."""
        recorders.update_pool_connections("fresh", active=1, idle=2)
        recorders.record_error(None, "busy", "E")
        stop = observe(m.QUEUE_DEPTH, lambda: [({"queue_type": "q", "priority": "low"}, 1.0)])
        stop()
        gauge("busy.depth").set(3)
        return True


def test_observers_may_use_everything_while_they_are_read(telemetry: Captured) -> None:
    """New instruments are made once the collection has ended."""
    stop = monitor(Busy())
    stop()
    busy = Busy()
    stop = monitor(busy)
    read: list[float] = []
    collecting = threading.Thread(
        target=lambda: read.append(telemetry.value(m.COMPONENT_UP.name)), daemon=True
    )
    collecting.start()
    collecting.join(20)
    assert read == [1]
    until = time.monotonic() + 20
    while not telemetry.points("busy.depth") and time.monotonic() < until:
        time.sleep(0.01)
    assert telemetry.value("busy.depth") == 3
    stop()


def test_threads_that_record_while_the_identity_changes_always_have_labels(
    telemetry: Captured,
) -> None:
    """No series without its labels, and nothing lost."""
    one = series(m.POOL_HITS, pool_type="p")
    ends = threading.Event()
    counts: list[int] = []

    def use() -> None:
        made = 0
        while not ends.is_set():
            one.add()
            made += 1
        counts.append(made)

    threads = [threading.Thread(target=use) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        for epoch in range(40):
            identity.set_identity(node_id=f"n{epoch}")
            time.sleep(0.002)
            telemetry.points(m.POOL_HITS.name)
    finally:
        ends.set()
        for thread in threads:
            thread.join()
        identity.reset()
    points = telemetry.points(m.POOL_HITS.name)
    assert {tuple(sorted(point.labels)) for point in points} == {("node_id", "pool_type")}
    assert sum(point.value for point in points) == sum(counts)


# -- elsewhere


def test_forked_child_starts_with_empty_lists(telemetry: Captured) -> None:
    """What waits belongs to the parent."""
    one = series(m.POOL_HITS, pool_type="p")
    for _ in range(LIMIT // 2):
        one.add()
    series(m.RESOURCE_USED, resource="r").set(0.5)
    child = os.fork()
    if child == 0:
        os._exit(len(one.records) + len(telemetry.points(m.RESOURCE_USED.name)))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert telemetry.value(m.POOL_HITS.name) == LIMIT // 2


class _Counter(NoOpCounter):
    added: list[tuple[float, Any]] = []  # noqa: RUF012 - one for all

    def add(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        """Remember, and fail for one."""
        if amount == 13:
            raise RuntimeError("no")
        self.added.append((amount, dict(attributes)))


class _Meter(NoOpMeter):
    def create_counter(self, name: str, unit: str = "", description: str = "") -> Any:
        """Make one that remembers."""
        return _Counter(name)


class _Provider(NoOpMeterProvider):
    def get_meter(self, *args: Any, **kwargs: Any) -> Meter:
        """Make meters of our own."""
        return _Meter("m")


@pytest.mark.usefixtures("_no_provider")
def test_provider_that_is_not_the_sdks_is_given_each_value(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Set before or after the series is bound; what it raises is one warning."""
    one = series(m.POOL_HITS, pool_type="p", node_id="n")
    one.add()
    provider: MeterProvider = _Provider()
    metrics.set_meter_provider(provider)
    for amount in (2, 13, 13, 3.0):
        one.add(amount)
    assert _Counter.added == [
        (2, {"node_id": "n", "pool_type": "p"}),
        (3, {"node_id": "n", "pool_type": "p"}),
    ]
    assert len([r for r in caplog.records if "are lost" in r.getMessage()]) == 1


def test_disabled_series_record_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_SDK_DISABLED makes of a value a call that does nothing, until all is bound anew."""
    one = series(m.POOL_HITS, pool_type="p")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    instruments.rebind()
    try:
        one.add(5)
        recorders.record_cache_lookup("v", hit=True)
        assert (one.records, type(one).__name__) == ([], "Off")
    finally:
        monkeypatch.undo()
        instruments.rebind()
    with capture() as telemetry:
        one.add(1)
        assert telemetry.value(m.POOL_HITS.name) == 1


@pytest.mark.usefixtures("_no_provider")
def test_instruments_of_before_a_reset_do_not_pile_up() -> None:
    """What was made while no provider was set is not made anew for every later provider."""
    asked: list[str] = []

    class Provider(NoOpMeterProvider):
        def get_meter(self, name: str, *args: Any, **options: Any) -> Meter:
            asked.append(name)
            return super().get_meter(name, *args, **options)

    def grown(times: int) -> int:
        asked.clear()
        for _ in range(times):
            series(m.POOL_HITS, pool_type="p").add(1)
            otel_globals.reset_api_globals()
            instruments.reset()
        metrics.set_meter_provider(Provider())
        return asked.count(instruments.SCOPE)

    # Other tests of this process may have left some.
    assert grown(20) <= grown(1) + 1
