"""Every kind of callable that `@instrumented` takes, as one table for the tests."""

from __future__ import annotations

import asyncio
import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator


@dataclass(frozen=True)
class Kind:
    """One kind.

    Args:
        name: What it is called.
        build: Makes the callable, given the decorator.
        call: Calls it to its end and returns what it gave.
    """

    name: str
    build: Callable[[Callable[[Any], Any]], Callable[..., Any]]
    call: Callable[[Callable[..., Any], Any], Any]


def work(value: Any) -> Any:
    """The body of every kind: it returns its argument, or raises it."""
    if isinstance(value, BaseException):
        raise value
    return value


def _function(decorate: Callable[[Any], Any]) -> Any:
    @decorate
    def operation(value: Any) -> Any:
        return work(value)

    return operation


def _coroutine(decorate: Callable[[Any], Any]) -> Any:
    @decorate
    async def operation(value: Any) -> Any:
        await asyncio.sleep(0)
        return work(value)

    return operation


def _generator(decorate: Callable[[Any], Any]) -> Any:
    @decorate
    def operation(value: Any) -> Generator[Any, Any, Any]:
        yield 1
        return work(value)

    return operation


def _async_generator(decorate: Callable[[Any], Any]) -> Any:
    @decorate
    async def operation(value: Any) -> AsyncGenerator[Any, Any]:
        await asyncio.sleep(0)
        yield work(value)

    return operation


def _method(decorate: Callable[[Any], Any]) -> Any:
    class Owner:
        @decorate
        def operation(self, value: Any) -> Any:
            return work(value)

    return Owner().operation


def _static_above(decorate: Callable[[Any], Any]) -> Any:
    class Owner:
        @decorate
        @staticmethod
        def operation(value: Any) -> Any:
            return work(value)

    return Owner.operation


def _static_below(decorate: Callable[[Any], Any]) -> Any:
    class Owner:
        @staticmethod
        @decorate
        def operation(value: Any) -> Any:
            return work(value)

    return Owner().operation


def _class_above(decorate: Callable[[Any], Any]) -> Any:
    class Owner:
        @decorate
        @classmethod
        def operation(cls, value: Any) -> Any:
            assert cls is Owner
            return work(value)

    return Owner.operation


def _class_below(decorate: Callable[[Any], Any]) -> Any:
    class Owner:
        @classmethod
        @decorate
        def operation(cls, value: Any) -> Any:
            assert cls is Owner
            return work(value)

    return Owner().operation


def _object(decorate: Callable[[Any], Any]) -> Any:
    class Operation:
        def __call__(self, value: Any) -> Any:
            return work(value)

    return decorate(Operation())


def _async_object(decorate: Callable[[Any], Any]) -> Any:
    class Operation:
        async def __call__(self, value: Any) -> Any:
            return work(value)

    return decorate(Operation())


def _partial(decorate: Callable[[Any], Any]) -> Any:
    def operation(first: int, value: Any) -> Any:
        assert first == 1
        return work(value)

    return decorate(functools.partial(operation, 1))


def _class(decorate: Callable[[Any], Any]) -> Any:
    @decorate
    class Owner:
        def operation(self, value: Any) -> Any:
            return work(value)

    return Owner().operation


def _call(operation: Callable[..., Any], value: Any) -> Any:
    return operation(value)


def _await(operation: Callable[..., Any], value: Any) -> Any:
    async def main() -> Any:
        return await operation(value)

    return asyncio.run(main())


def _exhaust(operation: Callable[..., Any], value: Any) -> Any:
    def main() -> Generator[Any, Any, Any]:
        return (yield from operation(value))

    driven = main()
    try:
        while True:
            next(driven)
    except StopIteration as stop:
        return stop.value


def _async_exhaust(operation: Callable[..., Any], value: Any) -> Any:
    async def main() -> Any:
        return [item async for item in operation(value)][-1]

    return asyncio.run(main())


KINDS = (
    Kind("function", _function, _call),
    Kind("coroutine", _coroutine, _await),
    Kind("generator", _generator, _exhaust),
    Kind("async generator", _async_generator, _async_exhaust),
    Kind("method", _method, _call),
    Kind("static method, decorator above", _static_above, _call),
    Kind("static method, decorator below", _static_below, _call),
    Kind("class method, decorator above", _class_above, _call),
    Kind("class method, decorator below", _class_below, _call),
    Kind("callable object", _object, _call),
    Kind("asynchronous callable object", _async_object, _await),
    Kind("partial", _partial, _call),
    Kind("class", _class, _call),
)
