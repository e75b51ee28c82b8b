"""What wrappers count of calls that have ended, later and many at once."""

from __future__ import annotations

import gc
import weakref
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.instrumentation.qudag.chunking import MonitoredChunkProcessor
from opentelemetry.instrumentation.qudag.messages import MonitoredMessageFlow
from opentelemetry.instrumentation.qudag.pool import MonitoredConnectionPool
from opentelemetry.instrumentation.utils import suppress_instrumentation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

from qudag_otel import instrumented, instruments
from qudag_otel._calls.plain import bind
from qudag_otel._calls.registry import bound_with
from qudag_otel._otel import globals as otel_globals
from qudag_otel.sdk.fast.engine import Engine

if TYPE_CHECKING:
    from collections.abc import Iterator


class Connection:
    """Something to hand out."""


class Parts:
    """A message flow, a pool and a chunk processor."""

    active = idle = 1

    def __init__(self) -> None:
        self.connection = Connection()

    def send(self, message: Any, message_type: Any) -> None:
        if message == b"fail":
            raise ConnectionError
        if message == b"rename":
            instrumented.current().rename("send renamed")

    handle = send

    def acquire(self) -> Connection:
        return self.connection

    def release(self, connection: Connection) -> None: ...

    def process(self, message: bytes, message_type: str) -> list[bytes]:
        return [b"1234", b"56"]


class Road:
    """The fast road with providers of a test's own."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.calls: list[Any] = []
        tracers = TracerProvider(shutdown_on_exit=False)
        meters = MeterProvider([self.reader], shutdown_on_exit=False)
        trace.set_tracer_provider(tracers)
        metrics.set_meter_provider(meters)
        self.engine = Engine(tracers, meters, [self.calls.extend])

    def points(self, name: str) -> list[Any]:
        """The points of a metric."""
        data = self.reader.get_metrics_data()
        assert data is not None
        return [
            point
            for scope in data.resource_metrics[0].scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    def spans(self) -> list[Any]:
        """What has ended so far."""
        self.engine.drain_all()
        return [call.site.readable(call) for call in self.calls]


@pytest.fixture
def road() -> Iterator[Road]:
    """The fast road."""
    otel_globals.reset_api_globals()
    instruments.reset()
    with bound_with(bind):
        made = Road()
        made.engine.install()
        yield made
        made.engine.uninstall()
    otel_globals.reset_api_globals()
    instruments.reset()


def test_messages_that_have_ended_are_counted_by_type_with_an_exemplar(road: Road) -> None:
    """Those that failed are not among them; a type of any class is a text."""
    flow: Any = MonitoredMessageFlow(Parts())
    for _ in range(3):
        flow.send(b"x", "file")
    flow.send(b"x", ["no", "text"])
    with pytest.raises(ConnectionError):
        flow.send(b"fail", "file")
    points = {
        one.attributes["message_type"]: one for one in road.points("qudag.message.throughput")
    }
    assert {name: one.value for name, one in points.items()} == {"file": 3, "['no', 'text']": 1}
    (exemplar,) = points["file"].exemplars
    assert exemplar.span_id in {span.context.span_id for span in road.spans()}


def test_call_that_is_renamed_is_counted_as_its_wrapper_does(road: Road) -> None:
    """A wrapper's call becomes one of another operation, and stays a message."""
    flow: Any = MonitoredMessageFlow(Parts())
    flow.send(b"rename", "file")
    flow.send(b"x", "file")
    points = road.points("qudag.message.throughput")
    sent = {one.attributes["direction"]: one.value for one in points}
    assert sent == {"outbound": 2, "inbound": 0}
    assert {span.name for span in road.spans()} == {"send renamed", "send message"}


def test_what_is_known_at_the_end_of_a_call_stands_on_its_span(road: Road) -> None:
    """Of a request whether it was a hit, of a message its chunks; both are measured."""
    parts: Any = Parts()
    pool, chunker = (
        MonitoredConnectionPool(parts, pool_type="p"),
        MonitoredChunkProcessor(parts, compression_type="c"),
    )
    for _ in range(2):
        pool.release(pool.acquire())
    chunker.process(b"123456789", "file")
    spans = road.spans()
    assert [dict(span.attributes)["qudag.pool.hit"] for span in spans[:2]] == [False, True]
    assert dict(spans[2].attributes)["qudag.chunk.bytes"] == 6
    (waits,) = road.points("qudag.connection.wait.time")
    assert waits.count == 2
    assert {exemplar.span_id for exemplar in waits.exemplars} <= {
        span.context.span_id for span in spans
    }
    assert [one.value for one in road.points("qudag.chunks.processed")] == [2]
    assert [round(one.value, 6) for one in road.points("qudag.compression")] == [
        round(1 - 6 / 9, 6)
    ]


@pytest.mark.parametrize("fast", [True, False])
def test_wrapper_that_is_asked_for_quiet_counts_nothing(road: Road, fast: bool) -> None:
    """As decorated functions do; the part is asked all the same."""
    if not fast:
        road.engine.uninstall()
    parts: Any = Parts()
    pool: Any = MonitoredConnectionPool(parts, pool_type="quiet")
    with suppress_instrumentation():
        pool.release(pool.acquire())
        MonitoredMessageFlow(parts).send(b"x", "quiet")
    assert pool.acquire() is parts.connection
    assert [one.value for one in road.points("qudag.connection.pool.hits")] == [1]
    assert [one.value for one in road.points("qudag.connection.pool.misses")] == [0]
    assert road.points("qudag.message.throughput") == []


def test_wrapper_that_nobody_holds_is_gone_at_once(road: Road) -> None:
    """What counts its calls refers to no wrapper, and so do its own calls."""
    parts: Any = Parts()
    wrappers: list[Any] = [
        MonitoredConnectionPool(parts, pool_type="p"),
        MonitoredChunkProcessor(parts, compression_type="c"),
        MonitoredMessageFlow(parts),
    ]
    wrappers[0].release(wrappers[0].acquire())
    wrappers[1].process(b"x", "file")
    wrappers[2].send(b"x", "file")
    gc.collect()
    gc.disable()
    try:
        references = [weakref.ref(wrapper) for wrapper in wrappers]
        wrappers.clear()
        assert [reference() for reference in references] == [None] * 3
    finally:
        gc.enable()
    assert len(road.spans()) == 3


def test_captured_text_that_waits_is_masked_where_it_is_shown(road: Road) -> None:
    """Also for the application's own span processors."""

    @instrumented(name="captures", capture=("text", "values"))
    def captures(text: str, values: list[int]) -> None:
        values.append(3)

    captures("password=hunter2", [1, 2])
    (span,) = road.spans()
    assert "hunter2" not in span.attributes["qudag.argument.text"]
    assert span.attributes["qudag.argument.values"] == "[1, 2]"
