"""Whatever is called, raised, cancelled, sent, thrown or closed: same behaviour, exact counts."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from qudag_otel import instrumented
from qudag_otel.testing import capture

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator

DURATION = "qudag.operation.duration"
ACTIVE = "qudag.operation.active"


class Fault(Exception):
    """Raised by bodies."""


class Thrown(Exception):
    """Thrown into generators."""


# A generator body as data: what it does at each resumption.
STEPS = st.lists(
    st.sampled_from(["yield", "catch", "delegate", "raise", "return", "ignore close"]), max_size=8
)
# What its caller does to it.
ACTIONS = st.lists(st.sampled_from(["next", "send", "throw", "close"]), max_size=10)


def _generator(steps: list[str]) -> Callable[[], Generator[Any, Any, Any]]:
    def body() -> Generator[Any, Any, Any]:
        log: list[Any] = []
        for number, step in enumerate(steps):
            if step == "yield":
                log.append((yield number))
            elif step == "catch":
                try:
                    log.append((yield number))
                except Thrown:
                    log.append("caught")
            elif step == "delegate":
                yield from (item for item in (number, "delegated"))
            elif step == "raise":
                raise Fault(number)
            elif step == "return":
                return log
            else:
                try:
                    yield number
                except GeneratorExit:
                    yield "ignored"
        return log

    return body


def _drive(generator: Generator[Any, Any, Any], actions: list[str]) -> list[Any]:
    """What a caller sees, action by action."""
    seen: list[Any] = []
    for number, action in enumerate(actions):
        try:
            if action == "next":
                seen.append(next(generator))
            elif action == "send":
                seen.append(generator.send(number if seen else None))
            elif action == "throw":
                seen.append(generator.throw(Thrown(number)))
            else:
                generator.close()
                seen.append("closed")
        except StopIteration as stop:
            seen.append(("stop", stop.value))
        except (Fault, Thrown, RuntimeError, TypeError) as error:
            seen.append((type(error), str(error)))
    # A body that ignores its closing is exhausted, so that nothing is left to the collector.
    for _ in range(20):
        try:
            next(generator)
        except (StopIteration, Fault):
            break
    return seen


@given(steps=STEPS, actions=ACTIONS)
@settings(deadline=None, max_examples=300)
def test_generator_of_any_shape_behaves_as_without(steps: list[str], actions: list[str]) -> None:
    """A caller cannot tell a decorated generator from the plain one; it ends exactly once."""
    with capture() as telemetry:
        plain = _drive(_generator(steps)(), actions)
        before = sum(point.value for point in telemetry.points(ACTIVE))
        decorated = instrumented(name="any generator")(_generator(steps))
        assert _drive(decorated(), actions) == plain
        assert sum(point.value for point in telemetry.points(ACTIVE)) == before
        ends = sum(point.value for point in telemetry.points(DURATION, operation="any generator"))
        assert ends <= 1
        assert len(telemetry.spans) == ends


def _async_generator(steps: list[str]) -> Callable[[], AsyncGenerator[Any, Any]]:
    async def body() -> AsyncGenerator[Any, Any]:
        for number, step in enumerate(steps):
            if step == "raise":
                raise Fault(number)
            if step == "return":
                return
            try:
                await asyncio.sleep(0)
                yield number
            except Thrown:
                if step != "catch":
                    raise

    return body


async def _adrive(generator: AsyncGenerator[Any, Any], actions: list[str]) -> list[Any]:
    seen: list[Any] = []
    for number, action in enumerate(actions):
        try:
            if action == "next":
                seen.append(await anext(generator))
            elif action == "send":
                seen.append(await generator.asend(number if seen else None))
            elif action == "throw":
                seen.append(await generator.athrow(Thrown(number)))
            else:
                seen.append(await generator.aclose())  # type: ignore[func-returns-value]
        except StopAsyncIteration:
            seen.append("stop")
        except (Fault, Thrown, RuntimeError, TypeError) as error:
            seen.append((type(error), str(error)))
    await generator.aclose()
    return seen


@given(steps=STEPS, actions=ACTIONS)
@settings(deadline=None, max_examples=150)
def test_async_generator_of_any_shape_behaves_as_without(
    steps: list[str], actions: list[str]
) -> None:
    """As for generators."""
    with capture() as telemetry:
        plain = asyncio.run(_adrive(_async_generator(steps)(), actions))
        decorated = instrumented(name="any async generator")(_async_generator(steps))
        assert asyncio.run(_adrive(decorated(), actions)) == plain
        name = "any async generator"
        assert all(point.value == 0 for point in telemetry.points(ACTIVE, operation=name))
        assert sum(point.value for point in telemetry.points(DURATION, operation=name)) <= 1


TASK = st.tuples(
    st.integers(0, 4),  # how often it waits
    st.sampled_from(["return", "fault", "expected"]),
    st.integers(0, 6),  # when it is cancelled, if it still runs then
)


@given(tasks=st.lists(TASK, max_size=12))
@settings(deadline=None, max_examples=100)
def test_interleaved_tasks_count_exactly(tasks: list[tuple[int, str, int]]) -> None:
    """Any interleaving of calls, exceptions and cancellations: each call counts once."""
    with capture() as telemetry:

        @instrumented(name="task", expected=LookupError)
        async def task(waits: int, end: str) -> None:
            for _ in range(waits):
                await inner()
            if end == "fault":
                raise Fault
            if end == "expected":
                raise KeyError

        @instrumented(name="task inner")
        async def inner() -> None:
            await asyncio.sleep(0)

        async def main() -> list[Any]:
            running = [asyncio.create_task(task(waits, end)) for waits, end, _ in tasks]
            for tick in range(7):
                await asyncio.sleep(0)
                for one, (_, _, cancelled_at) in zip(running, tasks, strict=True):
                    if cancelled_at == tick:
                        one.cancel()
            return await asyncio.gather(*running, return_exceptions=True)

        results = asyncio.run(main())
        never_ran = sum(isinstance(result, asyncio.CancelledError) for result in results) - sum(
            p.value for p in telemetry.points(DURATION, operation="task", outcome="cancelled")
        )
        counted = {
            outcome: sum(
                p.value for p in telemetry.points(DURATION, operation="task", outcome=outcome)
            )
            for outcome in ("ok", "error", "expected")
        }
        assert counted == {
            "ok": sum(result is None for result in results),
            "error": sum(isinstance(result, Fault) for result in results),
            "expected": sum(isinstance(result, KeyError) for result in results),
        }
        # A task that is cancelled before its first step never calls the function.
        assert 0 <= never_ran <= sum(cancelled_at == 0 for _, _, cancelled_at in tasks)
        for name in ("task", "task inner"):
            assert all(point.value == 0 for point in telemetry.points(ACTIVE, operation=name))
        assert {span.parent for span in telemetry.spans if span.name == "task inner"} <= {"task"}


@given(
    args=st.lists(st.integers(), max_size=4),
    kwargs=st.dictionaries(st.sampled_from(["a", "b", "c"]), st.integers(), max_size=3),
)
@settings(deadline=None)
def test_any_arguments_are_passed_on(args: list[int], kwargs: dict[str, int]) -> None:
    """Results and TypeErrors are those of the plain function."""

    def plain(a: int, b: int = 2, *rest: int, c: int = 3) -> Any:
        return a, b, rest, c

    decorated: Any = instrumented(name="any arguments")(plain)
    assert _outcome(decorated, args, kwargs) == _outcome(plain, args, kwargs)


def _outcome(function: Any, args: list[int], kwargs: dict[str, int]) -> Any:
    try:
        return function(*args, **kwargs)
    except TypeError as error:
        return str(error)
