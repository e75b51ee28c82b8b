"""Every form of `@instrumented` keeps its type: read by mypy and pyright, and run as well."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from typing import Generic, ParamSpec, TypeVar, assert_type

from opentelemetry.trace import SpanKind

from qudag_otel import Objective, Operation, instrumented
from qudag_otel._calls.api import Block

P = ParamSpec("P")
T = TypeVar("T")


@instrumented
def bare(number: int, *, text: str = "") -> str:
    return text * number


@instrumented(
    name="called",
    component="typing",
    attributes={"shard": 1, "zone": "a"},
    capture=["number"],
    expected=(KeyError, LookupError),
    kind=SpanKind.CLIENT,
    links=(),
    metrics=True,
    spans=True,
    objective=Objective(success=0.999, latency=0.5, target=0.99),
)
def called(number: int, *, text: str = "") -> str:
    return text * number


@instrumented()
def called_empty(number: int) -> int:
    return number


@instrumented
async def coroutine(number: int) -> str:
    return str(number)


@instrumented(component="typing")
async def coroutine_called(number: int) -> str:
    return str(number)


@instrumented
def generator(number: int) -> Generator[int, str, bool]:
    yield number
    return True


@instrumented(component="typing")
def iterator(number: int) -> Iterator[int]:
    yield number


@instrumented
async def async_generator(number: int) -> AsyncGenerator[int, str]:
    yield number


@instrumented(component="typing")
async def async_iterator(number: int) -> AsyncIterator[int]:
    yield number


@instrumented
def generic(first: T, *rest: T) -> list[T]:
    return [first, *rest]


class Service:
    @instrumented
    def method(self, number: int) -> str:
        return str(number)

    @instrumented(component="typing")
    async def coroutine_method(self, number: int) -> str:
        return str(number)

    @instrumented
    def generator_method(self, number: int) -> Iterator[int]:
        yield number

    @instrumented
    @classmethod
    def class_outside(cls, number: int) -> list[Service]:
        return [cls()] * number

    @classmethod
    @instrumented
    def class_inside(cls, number: int) -> list[Service]:
        return [cls()] * number

    @instrumented
    @staticmethod
    def static_outside(number: int) -> str:
        return str(number)

    @staticmethod
    @instrumented
    def static_inside(number: int) -> str:
        return str(number)

    @instrumented(component="typing")
    @staticmethod
    def static_outside_called(number: int) -> str:
        return str(number)

    @instrumented(component="typing")
    @classmethod
    def class_outside_called(cls, number: int) -> list[Service]:
        return [cls()] * number

    @property
    @instrumented
    def size(self) -> int:
        return 1


class Doubler:
    def __call__(self, number: int) -> int:
        return 2 * number


def power(base: int, exponent: int) -> int:
    result: int = base**exponent
    return result


doubler = instrumented(Doubler())
doubler_called = instrumented(name="doubler", component="typing")(Doubler())
square = instrumented(functools.partial(power, exponent=2))
square_called = instrumented(name="square")(functools.partial(power, exponent=2))
anonymous = instrumented(name="anonymous")(lambda: 3)


@instrumented
class Whole:
    limit: int = 3

    def __init__(self, number: int) -> None:
        self.number = number

    def method(self) -> int:
        return self.number

    @instrumented.exclude
    def left_out(self, text: str) -> str:
        return text


@instrumented(component="typing")
class Box(Generic[T]):
    def __init__(self, item: T) -> None:
        self.item = item

    def get(self) -> T:
        return self.item


def test_function_forms_keep_their_types() -> None:
    """Functions keep parameters and result, bare and called."""
    assert assert_type(bare(2, text="a"), str) == "aa"
    assert assert_type(called(2, text="a"), str) == "aa"
    assert assert_type(called_empty(1), int) == 1
    assert assert_type(generic(1, 2), list[int]) == [1, 2]
    assert assert_type(generic("a"), list[str]) == ["a"]


def test_coroutine_forms_keep_their_types() -> None:
    """Coroutine functions stay awaitable to their own result."""

    async def run() -> None:
        assert assert_type(await coroutine(1), str) == "1"
        assert assert_type(await coroutine_called(1), str) == "1"
        assert assert_type(await Service().coroutine_method(1), str) == "1"

    asyncio.run(run())


def test_generator_forms_keep_their_types() -> None:
    """Generators keep the types that they yield, take and return."""
    assert list(assert_type(generator(1), Generator[int, str, bool])) == [1]
    assert list(assert_type(iterator(1), Iterator[int])) == [1]
    assert list(assert_type(Service().generator_method(1), Iterator[int])) == [1]

    async def run() -> None:
        assert [n async for n in assert_type(async_generator(1), AsyncGenerator[int, str])] == [1]
        assert [n async for n in assert_type(async_iterator(1), AsyncIterator[int])] == [1]

    asyncio.run(run())


def test_method_forms_keep_their_types() -> None:
    """Methods bind as they did, class and static methods in either order."""
    service = Service()
    assert assert_type(service.method(1), str) == "1"
    assert assert_type(Service.method(service, 1), str) == "1"
    assert len(assert_type(Service.class_outside(1), list[Service])) == 1
    assert len(assert_type(service.class_inside(1), list[Service])) == 1
    assert len(assert_type(Service.class_outside_called(1), list[Service])) == 1
    assert assert_type(Service.static_outside(1), str) == "1"
    assert assert_type(service.static_outside(1), str) == "1"
    assert assert_type(Service.static_inside(1), str) == "1"
    assert assert_type(Service.static_outside_called(1), str) == "1"
    assert assert_type(service.size, int) == 1


def test_callable_object_forms_keep_their_types() -> None:
    """Callable objects, partials and lambdas keep their result."""
    assert assert_type(doubler(2), int) == 4
    assert assert_type(doubler_called(2), int) == 4
    assert assert_type(square(3), int) == 9
    assert assert_type(square_called(3), int) == 9
    assert assert_type(anonymous(), int) == 3


def test_class_forms_keep_their_types() -> None:
    """A class stays the same class, with its constructor, attributes and methods."""
    assert_type(Whole, type[Whole])
    whole = Whole(2)
    assert_type(whole, Whole)
    assert assert_type(whole.method(), int) == 2
    assert assert_type(whole.left_out("a"), str) == "a"
    assert assert_type(Whole.limit, int) == 3
    assert_type(Box(1), Box[int])
    assert assert_type(Box("a").get(), str) == "a"


def _returns_from_a_block() -> int:
    # A checker that thought the block swallows exceptions would ask for a return after it.
    with instrumented.block("typing.block"):
        return 1


def test_block_forms_have_a_type() -> None:
    """A block is a context manager that yields the operation and swallows nothing."""
    block = instrumented.block("typing.block")
    assert_type(block, Block)
    with block:
        pass
    assert _returns_from_a_block() == 1
    with instrumented.block("typing.block", component="typing", attributes={"a": 1}) as op:
        assert_type(op, Block)
        assert_type(op.name, str)
    assert_type(instrumented.current(), Operation)
