"""How calls end: what is an error, what is none, and what is measured until when."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import gc
import inspect
import os
import traceback
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import anyio
import click
import pytest
import trio
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from qudag_otel import instrumented
from qudag_otel._calls.failure import REFERENCE, Failure

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterator

    from qudag_otel.testing import Captured

DURATION = "qudag.operation.duration"
ACTIVE = "qudag.operation.active"
ERRORS = "qudag.errors"


class Fault(Exception):
    """An error of the tests."""


def named(module: str, name: str, base: type[BaseException] = Exception) -> BaseException:
    """An exception of a library that is not installed here."""
    made: BaseException = type(name, (base,), {"__module__": module})()
    return made


def child_of(error: BaseException) -> BaseException:
    """One of a class that the application derived from it."""
    made: BaseException = type("Own", (type(error),), {"__module__": "application"})()
    return made


ENDS: list[tuple[BaseException, str]] = [
    (SystemExit(), "cancelled"),
    (SystemExit(0), "cancelled"),
    (SystemExit(3), "error"),
    (SystemExit("it failed"), "error"),
    (concurrent.futures.CancelledError(), "cancelled"),
    (named("trio", "Cancelled", BaseException), "cancelled"),
    (named("greenlet", "GreenletExit", BaseException), "cancelled"),
    (named("gevent.timeout", "Timeout", BaseException), "error"),
    (named("twisted.internet.defer", "CancelledError"), "cancelled"),
    (named("celery.exceptions", "Retry"), "expected"),
    (named("celery.exceptions", "Ignore"), "expected"),
    (child_of(named("celery.exceptions", "Reject")), "expected"),
    (named("celery.exceptions", "TimeoutError"), "error"),
    (click.exceptions.Exit(0), "expected"),
    (click.exceptions.Exit(2), "error"),
    (click.Abort(), "cancelled"),
    (click.UsageError("no"), "error"),
    (named("application.trio", "Cancelled"), "error"),
    (ExceptionGroup("all", [Fault(), ExceptionGroup("more", [KeyError()])]), "error"),
    (BaseExceptionGroup("all", [asyncio.CancelledError(), KeyboardInterrupt()]), "cancelled"),
    (BaseExceptionGroup("all", [asyncio.CancelledError(), Fault()]), "error"),
]


@pytest.mark.parametrize(("error", "outcome"), ENDS, ids=lambda value: repr(value)[:40])
def test_exception_of_any_library_has_its_outcome(
    telemetry: Captured, error: BaseException, outcome: str
) -> None:
    """Whoever steers a program, a task or a command by an exception made no error."""

    @instrumented(name="ends")
    def ends() -> None:
        raise error

    with pytest.raises(type(error)):
        ends()
    (point,) = telemetry.points(DURATION, operation="ends")
    assert point.labels["outcome"] == outcome
    assert bool(telemetry.points(ERRORS)) == (outcome == "error")
    assert (telemetry.span("ends").status == "error") == (outcome == "error")


def test_group_is_expected_if_all_it_holds_is(telemetry: Captured) -> None:
    """One other exception among them makes it an error."""

    @instrumented(name="grouped", expected=(Fault, KeyError))
    def grouped(*errors: Exception) -> None:
        raise ExceptionGroup("several", errors)

    for errors in ((Fault(), KeyError()), (Fault(), ValueError())):
        with pytest.raises(ExceptionGroup):
            grouped(*errors)
    outcomes = {point.labels["outcome"] for point in telemetry.points(DURATION)}
    assert outcomes == {"expected", "error"}


@pytest.mark.parametrize("library", [trio, anyio])
def test_cancellation_of_a_library_is_none_of_an_error(telemetry: Captured, library: Any) -> None:
    """A cancel scope that ends a call is no error of it."""

    @instrumented(name="sleeps")
    async def sleeps() -> None:
        await library.sleep(10)

    async def main() -> None:
        with library.move_on_after(0.01):
            await sleeps()

    library.run(main)
    assert telemetry.value(DURATION, operation="sleeps", outcome="cancelled") == 1
    assert not telemetry.points(ERRORS)


class Countdown:
    """Iterators whose methods are instrumented."""

    def __init__(self, left: int) -> None:
        self.left = left

    def __iter__(self) -> Countdown:
        return self

    def __aiter__(self) -> Countdown:
        return self

    @instrumented(name="step")
    def __next__(self) -> int:
        if not self.left:
            raise StopIteration
        self.left -= 1
        return self.left

    @instrumented(name="astep")
    async def __anext__(self) -> int:
        if not self.left:
            raise StopAsyncIteration
        self.left -= 1
        return self.left


def test_end_of_an_iteration_is_an_end(telemetry: Captured) -> None:
    """StopIteration is how `__next__` says that there is no more; elsewhere it is an error."""
    assert list(Countdown(2)) == [1, 0]

    async def main() -> list[int]:
        return [item async for item in Countdown(2)]

    assert asyncio.run(main()) == [1, 0]
    assert telemetry.value(DURATION, operation="step", outcome="ok") == 3
    assert telemetry.value(DURATION, operation="astep", outcome="ok") == 3
    assert {span.status for span in telemetry.spans} == {"unset"}
    with pytest.raises(StopIteration):
        instrumented(name="elsewhere")(lambda: next(iter(())))()
    assert telemetry.value(DURATION, operation="elsewhere", outcome="error") == 1


@pytest.mark.parametrize("sampled", [True, False])
def test_status_that_the_body_sets_is_the_outcome(telemetry: Captured, sampled: bool) -> None:
    """A call that returns although its body says that it failed has failed, seen or not."""
    around = trace.NonRecordingSpan(
        trace.SpanContext(5, 6, is_remote=True, trace_flags=trace.TraceFlags(int(sampled)))
    )

    @instrumented(name="says so")
    def says_so(*codes: StatusCode) -> None:
        for code in codes:
            trace.get_current_span().set_status(code)

    with trace.use_span(around):
        says_so(StatusCode.ERROR)
        says_so(StatusCode.OK, StatusCode.ERROR)
        says_so(StatusCode.ERROR, StatusCode.UNSET)
        says_so()
    assert telemetry.value(DURATION, operation="says so", outcome="error") == 2
    assert telemetry.value(DURATION, operation="says so", outcome="ok") == 2


async def _later(result: Any) -> Any:
    await asyncio.sleep(0.02)
    if isinstance(result, BaseException):
        raise result
    return result


class Both:
    """An awaitable that is an asynchronous context manager, too."""

    def __init__(self, result: Any) -> None:
        self.result = result
        self.own = "attribute"

    def __await__(self) -> Generator[Any, Any, Any]:
        return _later(self.result).__await__()

    async def __aenter__(self) -> Any:
        return await _later(self.result)

    async def __aexit__(self, *_: object) -> None: ...


FORMS: dict[str, Callable[[Any], Any]] = {
    "coroutine": lambda result: _later(result),  # noqa: PLW0108 - a function that is no coroutine's
    "task": lambda result: asyncio.ensure_future(_later(result)),
    "object": lambda result: Both(result),  # noqa: PLW0108 - and not the class
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("spans", [True, False])
def test_function_that_returns_an_awaitable_ends_when_that_does(
    telemetry: Captured, form: str, spans: bool
) -> None:
    """Its duration and outcome are those of what it returned; what it returned is what it was."""
    operation = instrumented(name="gives", spans=spans)(FORMS[form])

    async def main() -> None:
        given = operation(7)
        assert inspect.iscoroutine(given) == (form == "coroutine")
        assert asyncio.isfuture(given) == (form == "task")
        assert telemetry.value(ACTIVE, operation="gives") == 1
        assert await given == 7
        with pytest.raises(Fault):
            await operation(Fault())
        if form == "task":
            await asyncio.sleep(0)  # its callbacks
        assert telemetry.value(ACTIVE, operation="gives") == 0

    asyncio.run(main())
    for outcome in ("ok", "error"):
        count, seconds = telemetry.histogram(DURATION, operation="gives", outcome=outcome)
        assert count == 1
        assert seconds > 0.01
    assert len(telemetry.spans) == 2 * spans


def test_awaitable_context_manager_stays_both(telemetry: Captured) -> None:
    """It can be awaited or entered, and has its attributes and its class."""
    acquire = instrumented(name="acquire")(FORMS["object"])

    async def main() -> None:
        assert await acquire("awaited") == "awaited"
        given = acquire("entered")
        assert isinstance(given, Both)
        assert given.own == "attribute"
        async with given as entered:
            assert entered == "entered"
            assert telemetry.value(ACTIVE, operation="acquire") == 0

    asyncio.run(main())
    assert telemetry.value(DURATION, operation="acquire", outcome="ok") == 2


class Request(Coroutine[Any, Any, Any]):
    """A coroutine of a class of its own, as HTTP clients return them."""

    def __init__(self, result: Any) -> None:
        self.inner = _later(result)

    def __await__(self) -> Generator[Any, Any, Any]:
        return self.inner.__await__()

    def send(self, value: Any, /) -> Any:
        return self.inner.send(value)

    def throw(self, *error: Any) -> Any:
        return self.inner.throw(*error)

    def close(self) -> None:
        self.inner.close()


class Rpc:
    """What an asynchronous call of gRPC is: it can be followed, but is no future."""

    def __init__(self, result: Any) -> None:
        self.inner = asyncio.ensure_future(_later(result))

    def __await__(self) -> Generator[Any, Any, Any]:
        return self.inner.__await__()

    def add_done_callback(self, follow: Callable[[Rpc], None]) -> None:
        self.inner.add_done_callback(lambda _: follow(self))

    def cancelled(self) -> bool:
        return self.inner.cancelled()


class Promise(Rpc):
    """A future of a library's own, which says by `result` alone how it ended."""

    def result(self) -> Any:
        return self.inner.result()


@pytest.mark.parametrize("made", [Request, Rpc, Promise])
@pytest.mark.parametrize("run", [asyncio.ensure_future, asyncio.gather], ids=["task", "gather"])
def test_awaitable_of_any_class_ends_its_call(
    telemetry: Captured, made: Callable[[Any], Any], run: Callable[[Any], Any]
) -> None:
    """Whoever takes its steps: an event loop's task, or an await."""
    operation = instrumented(name="asks")(lambda result: made(result))  # noqa: PLW0108 - no class

    async def main() -> None:
        assert await run(operation(7)) in (7, [7])
        with pytest.raises(Fault):
            await run(operation(Fault()))
        await asyncio.sleep(0)  # its callbacks

    asyncio.run(main())
    assert telemetry.value(ACTIVE, operation="asks") == 0
    assert telemetry.value(DURATION, operation="asks", outcome="ok") == 1
    assert telemetry.value(DURATION, operation="asks", outcome="error") == 1


def test_awaitable_stays_what_else_it_is(telemetry: Captured) -> None:
    """A cursor can be awaited, iterated both ways, called and used as a path."""

    class Cursor:
        def __await__(self) -> Generator[Any, Any, str]:
            yield from ()
            return "awaited"

        async def __aiter__(self) -> AsyncGenerator[int, None]:
            yield 1

        def __iter__(self) -> Iterator[int]:
            return iter([2])

        def __call__(self) -> str:
            return "called"

        def __fspath__(self) -> str:
            return "path"

    operation = instrumented(name="cursor")(lambda: Cursor())  # noqa: PLW0108 - no class

    async def main() -> None:
        cursor = operation()
        assert [row async for row in cursor] == [1]
        assert (list(cursor), cursor(), os.fspath(cursor)) == ([2], "called", "path")
        assert await cursor == "awaited"

    asyncio.run(main())
    assert telemetry.value(DURATION, operation="cursor", outcome="ok") == 1


def test_awaitable_that_nobody_awaits_is_not_in_flight(telemetry: Captured) -> None:
    """It ends as closed when it is dropped."""

    async def empty() -> None: ...

    given = instrumented(name="dropped")(lambda: empty())()  # noqa: PLW0108 - see FORMS
    assert telemetry.value(ACTIVE, operation="dropped") == 1
    given.close()
    del given
    gc.collect()
    assert telemetry.value(ACTIVE, operation="dropped") == 0
    assert telemetry.value(DURATION, operation="dropped", outcome="closed") == 1


@pytest.mark.parametrize("leave", ["exception", "break", "loop's end"])
def test_async_generator_that_is_left_counts_no_error(
    telemetry: Captured, leave: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """However an asynchronous loop is left, its generator is closed once, by one."""
    closed: list[str] = []

    @instrumented(name="rows")
    async def rows() -> AsyncGenerator[int, None]:
        try:
            for number in range(3):
                yield number
        finally:
            await asyncio.sleep(0.001)
            closed.append("closed")

    kept: list[Any] = []

    async def main() -> None:
        stream = rows()
        kept.append(stream)
        async for _ in stream:
            if leave == "exception":
                raise Fault
            if leave == "break":
                break
            return

    if leave == "exception":
        with pytest.raises(Fault):
            asyncio.run(main())
    else:
        asyncio.run(main())
    kept.clear()
    assert closed == ["closed"]
    assert telemetry.value(DURATION, operation="rows", outcome="closed") == 1
    assert telemetry.value(ACTIVE, operation="rows") == 0
    assert not telemetry.points(ERRORS)
    assert capfd.readouterr().err == ""


def _raise_after(depth: int) -> None:
    @instrumented(name="down")
    def down(left: int) -> None:
        if not left:
            raise Fault("at the bottom")
        with instrumented.block("around"):
            down(left - 1)

    down(depth)


def test_exception_through_many_calls_is_written_once(telemetry: Captured) -> None:
    """The span where it was raised has the traceback, the others name that span."""
    with pytest.raises(Fault):
        _raise_after(20)
    events = [(span.span_id, span.events[0].attributes) for span in telemetry.spans]
    assert len(events) == 41
    (innermost, written), *others = events
    assert "at the bottom" in str(written["exception.stacktrace"])
    assert {attributes.get(REFERENCE) for _, attributes in others} == {f"{innermost:016x}"}
    assert not any("exception.stacktrace" in attributes for _, attributes in others)


def test_exception_that_was_handled_does_not_stand_for_the_next(telemetry: Captured) -> None:
    """Each of several exceptions has its own traceback, also where an address is used again."""

    @instrumented(name="inner")
    def inner() -> None:
        raise Fault("inner")

    @instrumented(name="outer")
    def outer() -> None:
        with contextlib.suppress(Fault):
            inner()
        raise Fault("outer")

    for _ in range(20):
        with pytest.raises(Fault):
            outer()
    for span in telemetry.spans:
        assert span.name in str(span.events[0].attributes["exception.stacktrace"])


def test_recursion_error_leaves_nothing_in_flight(telemetry: Captured) -> None:
    """Where the stack is used up calls still end, and what is written stays in bounds."""

    @instrumented(name="endless")
    def endless() -> None:
        endless()

    with pytest.raises(RecursionError):
        endless()
    assert telemetry.value(ACTIVE, operation="endless") == 0
    size = sum(len(str(span.events)) for span in telemetry.spans)
    assert size < 400_000
    # Later calls are as ever.
    before = trace.get_current_span()
    instrumented(name="after")(lambda: None)()
    assert trace.get_current_span() is before
    assert telemetry.span("after").parent_id is None


def test_stacktrace_is_what_python_writes(telemetry: Captured) -> None:
    """Written later, from code and positions alone: chains, notes, several lines, groups."""

    def cause() -> None:
        try:
            dict[str, int]()["missing"]
        except KeyError as error:
            raise ValueError("two\nlines") from error

    def context() -> None:
        try:
            cause()
        except ValueError as error:
            error.add_note("a note\nof two lines")
            raise Fault  # noqa: B904 - while another is handled

    def group() -> None:
        try:
            context()
        except Fault as error:
            raise ExceptionGroup("several", [error, SyntaxError("bad")]) from None

    def no_text() -> None:
        raise KeyError

    for function in (cause, context, group, no_text):
        with pytest.raises(Exception) as caught:  # noqa: PT011 - any of them
            function()
        written = "".join(traceback.format_exception(caught.value))
        assert Failure(caught.value).stacktrace == written


def test_status_message_is_bounded(telemetry: Captured) -> None:
    """A text of megabytes is kept in part."""

    @instrumented(name="long")
    def long() -> None:
        raise Fault("x" * 1_000_000)

    with pytest.raises(Fault):
        long()
    span = telemetry.span("long")
    assert len(span.description) < 5000
    assert len(str(span.events[0].attributes)) < 20_000


def test_exceptions_of_a_block_that_opens_itself_are_written_each(telemetry: Captured) -> None:
    """An exception that is handled is gone; the next one, at its address, is another."""

    def walk(depth: int) -> None:
        with instrumented.block("walk"):
            if depth:
                with contextlib.suppress(Fault):
                    walk(depth - 1)
            raise Fault(depth)

    for _ in range(20):
        with pytest.raises(Fault):
            walk(3)
    assert len(telemetry.spans) == 80
    assert not [span for span in telemetry.spans if REFERENCE in span.events[0].attributes]
