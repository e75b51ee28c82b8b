"""The handle of a call from inside: `block(...) as op` and `current()`, on both roads."""

from __future__ import annotations

import asyncio
import gc
import threading
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanContext

from qudag_otel import ContextThreadPoolExecutor, Operation, _warnings, instrumented
from qudag_otel._calls import registry

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

    from qudag_otel.testing import Captured

SECONDS = "qudag.operation.duration"
ERRORS = "qudag.errors"
tracer = trace.get_tracer("of others")


def current() -> str:
    """The operation that is current, asked for in a function of its own."""
    return instrumented.current().name


def counted(telemetry: Captured) -> dict[tuple[Any, Any], float]:
    """How many calls ended, by operation and outcome."""
    return {
        (point.labels["operation"], point.labels["outcome"]): point.value
        for point in telemetry.points(SECONDS)
    }


@pytest.mark.parametrize("spans", [True, False])
@pytest.mark.parametrize("form", ["function", "block", "coroutine", "generator", "async block"])
def test_call_says_more_of_itself(telemetry: Captured, form: str, spans: bool) -> None:
    """Whatever form it has, with a span or without: outcome, error and name are counted."""

    def say() -> None:
        op = instrumented.current()
        op.set_attribute("shop.items", 3)
        op.set_attributes({"shop.item": "tea"})
        op.add_event("packed", {"box": "small"})
        op.add_link(SpanContext(7, 8, is_remote=True))
        op.set_error("timeout")
        op.rename("renamed")
        assert op.name == "renamed"
        assert op.seconds > 0

    decorate = instrumented(name="work", component="c", spans=spans)
    block = {"component": "c", "spans": spans}

    async def coroutine() -> None:
        await asyncio.sleep(0)
        say()

    def generator() -> Generator[int]:
        yield 1
        say()

    def within() -> None:
        with instrumented.block("work", **block):
            say()

    async def async_within() -> None:
        async with instrumented.block("work", **block) as op:
            assert op.name == "work"
            say()

    made = decorate(coroutine)
    forms: dict[str, Callable[[], Any]] = {
        "function": decorate(say),
        "block": within,
        "coroutine": lambda: asyncio.run(made()),
        "generator": lambda: list(decorate(generator)()),
        "async block": lambda: asyncio.run(async_within()),
    }
    forms[form]()
    assert [span.name for span in telemetry.spans] == ["renamed"] * spans
    assert counted(telemetry) == {("renamed", "error"): 1}
    assert telemetry.value(ERRORS, error_type="timeout") == 1
    assert telemetry.value("qudag.operation.active", operation="work") == 0
    if spans:
        span = telemetry.span("renamed")
        assert (span.status, span.description) == ("error", "timeout")
        assert span.attributes["shop.items"] == 3
        assert span.attributes["shop.item"] == "tea"
        assert span.attributes["error.type"] == "timeout"
        assert span.events[0].name == "packed"
        assert span.links == ((7, 8),)


@pytest.mark.parametrize("spans", [True, False])
def test_outcome_that_was_said_counts_whatever_is_raised(telemetry: Captured, spans: bool) -> None:
    """A 404 that passes as an exception is no error; an error of another type is the one told."""

    @instrumented(spans=spans)
    def found() -> None:
        instrumented.current().set_outcome("expected")
        raise LookupError

    @instrumented(spans=spans)
    def refused() -> None:
        instrumented.current().set_error("refused")
        raise LookupError

    @instrumented(spans=spans)
    def failed() -> None:
        instrumented.current().set_outcome("error")
        raise LookupError

    for function in (found, refused, failed):
        with pytest.raises(LookupError):
            function()
    here = test_outcome_that_was_said_counts_whatever_is_raised.__name__
    assert counted(telemetry) == {
        (f"{here}.found", "expected"): 1,
        (f"{here}.refused", "error"): 1,
        (f"{here}.failed", "error"): 1,
    }
    assert telemetry.value(ERRORS, error_type="refused") == 1
    assert telemetry.value(ERRORS, error_type="LookupError") == 1
    if spans:
        assert telemetry.span(f"{here}.found").status == "unset"
        assert telemetry.span(f"{here}.found").events == ()
        assert telemetry.span(f"{here}.refused").description == "refused"
        assert telemetry.span(f"{here}.failed").description == "LookupError: "


def test_exception_that_is_set_as_the_error_is_an_event_of_the_span(telemetry: Captured) -> None:
    """It was handled, and the call failed all the same."""
    with instrumented.block("handled") as op:
        try:
            int("no")
        except ValueError as error:
            op.set_error(error)
    span = telemetry.span("handled")
    (event,) = span.events
    assert event.attributes["exception.type"] == "ValueError"
    assert span.description == "ValueError: invalid literal for int() with base 10: 'no'"
    assert span.attributes["error.type"] == "ValueError"
    assert telemetry.value(ERRORS, error_type="ValueError") == 1


def test_current_is_the_innermost_call(telemetry: Captured) -> None:
    """With spans, without, of blocks and functions, and behind spans of others."""

    @instrumented(name="outer")
    def outer() -> list[str]:
        seen = [current(), *timed()]
        with instrumented.block("block"):
            seen.append(current())
            with tracer.start_as_current_span("of others"):
                seen.append(current())
                seen += timed()
            with instrumented.block("spanless", spans=False):
                seen.append(current())
                with tracer.start_as_current_span("of others"):
                    seen.append(current())
        return [*seen, current()]

    @instrumented(name="timed", spans=False)
    def timed() -> list[str]:
        seen = [current()]
        with instrumented.block("in timed"):
            seen.append(current())
        return [*seen, current()]

    inside = ["timed", "in timed", "timed"]
    spanless = ["spanless", "spanless"]
    assert outer() == ["outer", *inside, "block", "block", *inside, *spanless, "outer"]
    assert current() == ""
    assert telemetry.span("outer")


def test_current_in_a_generator_is_the_generator(telemetry: Captured) -> None:
    """Also in one that began before the call that resumes it, with and without spans."""

    def steps() -> Generator[str]:
        while True:
            yield current()

    def resume(generator: Generator[str]) -> tuple[str, str]:
        return next(generator), current()

    for spans in (True, False):
        generator = instrumented(name="steps", spans=spans)(steps)()
        assert next(generator) == "steps"
        assert instrumented(name="resumes")(resume)(generator) == ("steps", "resumes")
        assert resume(generator) == ("steps", "")
        generator.close()
    assert len(telemetry.spans) == 3


def test_current_in_tasks_and_threads_is_what_their_context_says(telemetry: Captured) -> None:
    """Of a task that a call starts, of a pool that carries the context, and of no other thread."""

    async def task() -> str:
        return current()

    @instrumented(name="call")
    async def call() -> list[str]:
        inner = [instrumented(name="awaited", spans=False)(task)(), asyncio.create_task(task())]
        with ContextThreadPoolExecutor(1) as pool:
            carried = pool.submit(current).result()
        seen: list[str] = []
        thread = threading.Thread(target=lambda: seen.append(current()))
        thread.start()
        thread.join()
        return [await inner[0], await inner[1], carried, *seen]

    assert asyncio.run(call()) == ["awaited", "call", "call", ""]
    assert telemetry.span("call")


def test_what_is_said_after_the_end_changes_nothing(telemetry: Captured) -> None:
    """Whoever keeps a handle keeps one of a call that is over."""
    kept: list[Operation] = []
    for spans in (True, False):

        @instrumented(name="kept", spans=spans)
        def function() -> None:
            kept.append(instrumented.current())

        function()
        with instrumented.block("kept", spans=spans) as block:
            kept.append(block)
    assert counted(telemetry) == {("kept", "ok"): 4}
    for op in kept:
        op.set_outcome("error")
        op.set_error("late")
        op.rename("late")
        op.set_attribute("late", value=True)
    instrumented(name="kept")(current)()
    instrumented(name="kept", spans=False)(current)()
    assert counted(telemetry) == {("kept", "ok"): 6}
    assert {span.name for span in telemetry.spans} == {"kept"}
    assert telemetry.value("qudag.operation.active", operation="kept") == 0


def test_names_beyond_a_hundred_are_left_out_with_one_warning(
    telemetry: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    """A name made of data costs a hundred series, and no more."""
    for number in range(120):
        with instrumented.block("request") as op:
            op.rename(f"GET /orders/{number}")
    names = {operation for operation, _ in counted(telemetry)}
    assert len(names) == 101
    assert telemetry.value(SECONDS, operation="request") == 20
    assert len([one for one in caplog.records if "renamed to more than" in one.message]) == 1


def test_nonsense_is_left_out_with_a_warning(
    telemetry: Captured, caplog: pytest.LogCaptureFixture
) -> None:
    """A handle never raises into the application."""
    nonsense: Any = object()
    _warnings.reset()
    with instrumented.block("call") as op:
        op.set_outcome(nonsense)
        op.set_error(nonsense)
        op.rename(nonsense)
        op.add_link(nonsense)
        op.set_attributes(nonsense)
    assert counted(telemetry) == {("call", "ok"): 1}
    assert any("left out what was said of a call" in one.message for one in caplog.records)


def test_without_telemetry_the_handle_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_SDK_DISABLED, and code outside of any call, need no other lines."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    with instrumented.block("never made", spans=False) as op:
        op.set_error("no")
        op.rename("b")
        assert (op.name, op.span.is_recording(), op.seconds) == ("", False, 0.0)
        instrumented.current().set_outcome("expected")

    async def within() -> None:
        async with instrumented.block("never made, too") as one:
            one.set_attribute("a", 1)

    asyncio.run(within())
    made = {site.options.operation for site in registry.all_sites()}
    assert made.isdisjoint({"never made", "never made, too"})


def test_asynchronous_generator_in_which_a_block_is_left_open_is_closed_quietly(
    telemetry: Captured,
) -> None:
    """Its block without a span ends in another context, and nobody is told."""

    async def rows() -> AsyncGenerator[int]:
        with instrumented.block("rows", spans=False):
            yield 1
            yield 2

    async def first() -> None:
        async for _ in rows():
            break
        gc.collect()

    asyncio.run(first())
    assert counted(telemetry) == {("rows", "cancelled"): 1}
    assert telemetry.logs == ()
