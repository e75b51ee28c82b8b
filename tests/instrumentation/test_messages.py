"""Message flow: what is counted, traced and left alone."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.instrumentation.qudag.messages import MonitoredMessageFlow

from qudag_otel import propagation
from qudag_otel.instruments import tracer
from qudag_otel.testing import capture

if TYPE_CHECKING:
    from qudag_otel.testing import Captured


class Refused(Exception):
    pass


class Flow:
    """Sends nowhere; refuses what asks for it."""

    def __init__(self) -> None:
        self.peers: list[str] = []

    def send(self, message: bytes, message_type: str, peer: str = "") -> int:
        self.peers.append(peer)
        if message == b"refuse":
            raise Refused(message_type)
        return len(message)

    def handle(self, message: bytes, message_type: str) -> str:
        if message == b"refuse":
            raise Refused(message_type)
        return message.decode()


class AsyncFlow:
    def __init__(self) -> None:
        self.arrived = asyncio.Event()

    async def send(self, message: bytes, message_type: str) -> int:
        await asyncio.sleep(0)
        return len(message)

    async def handle(self, message: bytes, message_type: str) -> None:
        self.arrived.set()
        await asyncio.Event().wait()


def test_flow_with_messages_both_ways_counts_each_direction(telemetry: Captured) -> None:
    """Sent messages are outbound, handled ones inbound, each under its type."""
    flow = MonitoredMessageFlow(Flow(), node_id="n1")

    assert flow.send(b"abc", "file") == 3
    assert flow.send(b"ab", "file") == 2
    assert flow.handle(b"hello", "ping") == "hello"

    count = "qudag_message_throughput_total"
    labels = {"node_id": "n1"}
    assert telemetry.value(count, message_type="file", direction="outbound", **labels) == 2
    assert telemetry.value(count, message_type="ping", direction="inbound", **labels) == 1


def test_flow_with_further_arguments_passes_them_on(telemetry: Captured) -> None:
    """What the flow takes beside message and type reaches it."""
    inner = Flow()

    MonitoredMessageFlow(inner).send(b"", "file", peer="n2")

    assert inner.peers == ["n2"]


def test_flow_that_raises_counts_the_error_class_and_no_message(telemetry: Captured) -> None:
    """A refused message is an error of its class, on metric and span, and goes on unchanged."""
    flow = MonitoredMessageFlow(Flow(), node_id="n1", message_types=["file"])

    with pytest.raises(Refused, match="file") as caught:
        flow.send(b"refuse", "file")

    assert caught.value.__traceback__ is not None
    kind = f"{__name__}.Refused"
    assert telemetry.value("qudag.errors", component="messages", error_type=kind) == 1
    assert telemetry.value("qudag.message.throughput") == 0
    span = telemetry.span("send message")
    assert span.status == "error"
    assert span.attributes["error.type"] == kind
    assert [event.name for event in span.events] == ["exception"]


def test_flow_with_known_types_starts_at_zero(telemetry: Captured) -> None:
    """Known types have both series before the first message."""
    MonitoredMessageFlow(Flow(), node_id="n1", message_types=["file", "ping"])

    points = telemetry.points("qudag.message.throughput", node_id="n1")
    assert len(points) == 4
    assert {point.value for point in points} == {0}


def test_flow_span_follows_the_messaging_conventions(telemetry: Captured) -> None:
    """The span says what was done with which message, and how large it was."""
    MonitoredMessageFlow(Flow(), node_id="n1").handle(b"hello", "ping")

    span = telemetry.span("process message")
    assert span.kind == "consumer"
    assert span.status == "unset"
    assert span.attributes == {
        "qudag.node.id": "n1",
        "messaging.system": "qudag",
        "messaging.operation.type": "process",
        "messaging.operation.name": "handle",
        "qudag.message.type": "ping",
        "messaging.message.body.size": 5,
    }


def test_flow_between_nodes_continues_the_senders_trace(telemetry: Captured) -> None:
    """Headers taken while sending make the receiver's span part of the sender's trace."""
    with tracer().start_as_current_span("client"):
        headers = propagation.outgoing()
    with propagation.incoming(headers):
        MonitoredMessageFlow(Flow()).handle(b"", "ping")

    assert telemetry.span("process message").trace_id == telemetry.span("client").trace_id
    assert telemetry.span("process message").parent == "client"


def test_async_flow_counts_when_awaited(telemetry: Captured) -> None:
    """A coroutine counts once it has run, and its span is the parent of what it does."""

    async def main() -> None:
        flow = MonitoredMessageFlow(AsyncFlow(), node_id="n1")
        pending = flow.send(b"abc", "file")
        assert not telemetry.points("qudag.message.throughput")
        assert await pending == 3

    asyncio.run(main())

    assert telemetry.value("qudag.message.throughput", direction="outbound") == 1


def test_async_flow_when_cancelled_counts_neither_message_nor_error(telemetry: Captured) -> None:
    """Cancellation is no error and no message; the span still ends."""

    async def main() -> None:
        inner = AsyncFlow()
        flow = MonitoredMessageFlow(inner, message_types=["file"])
        task = asyncio.ensure_future(flow.handle(b"", "file"))
        await inner.arrived.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())

    assert telemetry.value("qudag.message.throughput") == 0
    assert not telemetry.points("qudag.errors")
    assert telemetry.span("process message").status == "unset"


@settings(max_examples=20, deadline=None)
@given(
    calls=st.lists(
        st.tuples(
            st.sampled_from(["send", "handle"]),
            st.sampled_from(["file", "ping", "dag"]),
            st.sampled_from([b"", b"abc", b"refuse"]),
        )
    )
)
def test_flow_with_any_calls_counts_exactly(
    calls: list[tuple[str, str, bytes]],
) -> None:
    """Whatever happens in whatever order, messages and errors are counted exactly."""
    with capture() as telemetry:
        flow = MonitoredMessageFlow(Flow(), node_id="n1")
        expected: Counter[tuple[str, str]] = Counter()
        refused = 0
        directions = {"send": "outbound", "handle": "inbound"}

        for method, message_type, message in calls:
            try:
                getattr(flow, method)(message, message_type)
                expected[message_type, directions[method]] += 1
            except Refused:
                refused += 1

        points = telemetry.points("qudag.message.throughput", node_id="n1")
        counted = {
            (p.labels["message_type"], p.labels["direction"]): p.value for p in points if p.value
        }
        assert counted == dict(expected)
        assert sum(p.value for p in telemetry.points("qudag.errors", node_id="n1")) == refused
