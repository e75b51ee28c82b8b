"""Carrying the trace into real pools of threads and processes."""

from __future__ import annotations

import asyncio
import functools
import inspect
import multiprocessing
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace

from qudag_otel.instruments import tracer
from qudag_otel.propagation import (
    ContextProcessPoolExecutor,
    ContextThreadPoolExecutor,
    carry_context,
    incoming,
    outgoing,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from qudag_otel.testing import Captured


def current(offset: int = 0) -> int:
    """The trace that the caller is in, changed so that a lost argument shows."""
    return trace.get_current_span().get_span_context().trace_id + offset


def fail() -> None:
    raise ConnectionError("lost")


class Worker:
    def __init__(self, offset: int) -> None:
        self.offset = offset

    def current(self) -> int:
        return current(self.offset)


def test_thread_pool_runs_work_in_the_trace_of_its_submitter(telemetry: Captured) -> None:
    """Each submission has its own trace; a thread keeps none from before."""
    with ContextThreadPoolExecutor(1) as pool:
        with tracer().start_as_current_span("one"):
            one = pool.submit(current, 1)
        with tracer().start_as_current_span("two"):
            two = pool.submit(current)
            mapped = list(pool.map(current, [1, 2]))
        none = pool.submit(current)

    second = telemetry.span("two").trace_id
    assert one.result() == telemetry.span("one").trace_id + 1
    assert two.result() == second
    assert mapped == [second + 1, second + 2]
    assert none.result() == 0


def test_plain_thread_pool_loses_the_trace_and_carry_context_keeps_it(
    telemetry: Captured,
) -> None:
    """What the helper is for: without it there is no trace in the thread."""
    with ThreadPoolExecutor(1) as pool, tracer().start_as_current_span("work"):
        assert pool.submit(current).result() == 0
        assert pool.submit(carry_context(current)).result() != 0

    found: list[int] = []

    def note() -> None:
        found.append(current())

    with tracer().start_as_current_span("thread"):
        thread = threading.Thread(target=carry_context(note))
    thread.start()
    thread.join()
    assert found == [telemetry.span("thread").trace_id]


def test_process_pool_runs_work_in_the_trace_of_its_submitter(telemetry: Captured) -> None:
    """The trace crosses into another process, for functions, methods, partials and map."""
    with (
        ContextProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool,
        tracer().start_as_current_span("work"),
    ):
        found = [
            pool.submit(current).result(),
            pool.submit(Worker(1).current).result(),
            pool.submit(functools.partial(current, 2)).result(),
            *pool.map(current, [3, 4], chunksize=2),
        ]
        with pytest.raises(ConnectionError, match="lost"):
            pool.submit(fail).result()

    trace_id = telemetry.span("work").trace_id
    assert found == [trace_id + offset for offset in range(5)]


def test_carry_context_with_multiprocessing_pool_carries_the_trace(telemetry: Captured) -> None:
    """A carried function can be pickled, so any pool takes it."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        with tracer().start_as_current_span("work"):
            found = pool.map(carry_context(current), [0, 1])
        pool.close()
        pool.join()

    trace_id = telemetry.span("work").trace_id
    assert found == [trace_id, trace_id + 1]


def test_carry_context_of_a_coroutine_function_reaches_another_loop(telemetry: Captured) -> None:
    """A coroutine function stays one, and its coroutine has the context wherever it runs."""

    async def answer(offset: int) -> int:
        await asyncio.sleep(0)
        return current(offset)

    with tracer().start_as_current_span("work"):
        carried = carry_context(answer)

    assert inspect.iscoroutinefunction(carried)
    assert asyncio.run(carried(1)) == telemetry.span("work").trace_id + 1


def test_carry_context_restores_the_context_of_its_caller(telemetry: Captured) -> None:
    """After the call, also one that raised, the caller's own trace is current again."""
    with tracer().start_as_current_span("carried"):
        work = carry_context(current)
        broken = carry_context(fail)

    with tracer().start_as_current_span("caller"):
        before = current()
        assert work() == telemetry.span("carried").trace_id
        with pytest.raises(ConnectionError):
            broken()
        assert current() == before


def test_carry_context_keeps_name_and_signature() -> None:
    """It looks like the function it carries, also after a journey."""
    carried: Any = carry_context(current)
    arrived = pickle.loads(pickle.dumps(carried))

    for one in (carried, arrived):
        assert one.__name__ == "current"
        assert one.__wrapped__ is current
        assert list(inspect.signature(one).parameters) == ["offset"]


def test_carry_context_twice_ends_in_the_inner_context(telemetry: Captured) -> None:
    """Carrying what is carried already changes nothing."""
    with tracer().start_as_current_span("inner"):
        inner = carry_context(current)
    with tracer().start_as_current_span("outer"):
        outer = carry_context(inner)

    assert outer() == telemetry.span("inner").trace_id


def test_incoming_headers_continue_the_peers_trace(telemetry: Captured) -> None:
    """What one side sends makes the other side's spans part of its trace."""
    with tracer().start_as_current_span("sender"):
        headers = outgoing()
    assert set(headers) == {"traceparent"}

    with incoming(headers), tracer().start_as_current_span("receiver"):
        pass

    assert telemetry.span("receiver").parent == "sender"
    assert current() == 0


@pytest.mark.parametrize(
    "form",
    [
        pytest.param(lambda value: {"Traceparent": value}, id="any case"),
        pytest.param(lambda value: {"traceparent": value.encode()}, id="bytes in a mapping"),
        pytest.param(lambda value: [("traceparent", value.encode())], id="Kafka's pairs"),
        pytest.param(lambda value: [(b"TraceParent", value.encode())], id="ASGI's pairs"),
        pytest.param(lambda value: {"n": 3, "x": None, "traceparent": [value]}, id="lists"),
    ],
)
def test_incoming_headers_of_any_form_continue_the_trace(
    telemetry: Captured, form: Callable[[str], Any]
) -> None:
    """Brokers and servers hand headers over as bytes, pairs or lists."""
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    headers = form(f"00-{trace_id}-b7ad6b7169203331-01")
    with incoming(headers), tracer().start_as_current_span("receiver"):
        pass

    assert telemetry.span("receiver").trace_id == int(trace_id, 16)


@pytest.mark.parametrize(
    "headers",
    [{}, None, [], 7, [1], "text", {"traceparent": "rubbish"}, {"traceparent": b"\xff"},
     {"traceparent": ""}, {"traceparent": []}, {3: "x"}],
)  # fmt: skip
def test_incoming_rubbish_starts_a_trace_of_its_own(telemetry: Captured, headers: Any) -> None:
    """A peer cannot break its receiver with headers."""
    with incoming(headers), tracer().start_as_current_span("receiver"):
        pass

    assert telemetry.span("receiver").parent_id is None


def test_outgoing_without_a_trace_is_empty() -> None:
    """There is nothing to send."""
    assert outgoing() == {}
