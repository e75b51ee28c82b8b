"""Results that are awaited later: the call ends when they do, and they stay what they are.

A coroutine is wrapped in a coroutine, a future is the same future, and any other awaitable, such
as one that is an asynchronous context manager as well, is a proxy that stands for it.
"""

from __future__ import annotations

import inspect
import types
from types import CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any, Final

from qudag_otel._calls.pending import Pending, has, steps_of
from qudag_otel._foreign import interrupts

if TYPE_CHECKING:
    from collections.abc import Generator

    from qudag_otel._calls.pending import End
    from qudag_otel._calls.site import Call

_PLAIN_LIMIT: Final = 1000
plain: Final[set[type]] = {
    type(None), bool, int, float, complex, str, bytes, bytearray, tuple, list, dict, set, frozenset,
    object, types.FunctionType, types.MethodType, types.ModuleType, type,
}  # fmt: skip
"""Classes whose objects cannot be awaited, as far as they were met."""
_OF_FUTURES: Final = ("add_done_callback", "cancelled", "result")


def awaits(result: Any) -> bool:
    """Whether a result is awaited later; asked of classes that are not in `plain`."""
    kind = _class(result)
    if kind is GeneratorType:
        return bool(result.gi_code.co_flags & inspect.CO_ITERABLE_COROUTINE)
    if has(kind, "__await__"):
        return True
    if len(plain) < _PLAIN_LIMIT:
        plain.add(kind)
    return False


def waits(result: Any) -> bool:
    """The same; False where the class of a result, or its attributes, are odd enough to raise."""
    try:
        return awaits(result)
    except BaseException as odd:  # any class of the application
        if interrupts(odd):
            raise
        return False


def _class(result: object) -> type:
    return type(result)


def ending(call: Call) -> End:
    """What ends a call when what it returned has been awaited."""

    def end(_: Any, error: BaseException | None) -> None:
        if error is None:
            call.leave()
        else:
            call.fail(error)

    return end


def later(call: Call, result: Any, end: End) -> Any:
    """What to return instead of an awaitable, so that the call ends when it has been awaited.

    Args:
        call: The call, resumed.
        result: What it returned.
        end: Ends the call, given what the awaitable gave or raised.
    """
    call.pause()
    kind = _class(result)
    if kind is CoroutineType:
        made: Any = _coroutine(Pending(call, end, result), result)
        made.__name__, made.__qualname__ = result.__name__, result.__qualname__
        return made
    if kind is GeneratorType:
        return _legacy(Pending(call, end, result), result)
    if all(has(kind, method) for method in _OF_FUTURES):

        def done(future: Any) -> None:
            end(*_end_of(future))

        result.add_done_callback(done)
        return result
    from qudag_otel._calls.proxies import awaited

    return awaited(result, Pending(call, end))


async def _coroutine(pending: Pending, awaitable: Any) -> Any:
    end = pending.take() or _nothing
    pending.call.resume()
    try:
        result = await awaitable
    except BaseException as error:
        end(None, error)
        raise
    end(result, None)
    return result


def _nothing(_: Any, error: BaseException | None) -> None:
    """The end of what ended before."""


@types.coroutine
def _legacy(pending: Pending, steps: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    return (yield from steps_of(pending, steps))


def _end_of(future: Any) -> tuple[Any, BaseException | None]:
    """What a future gave or raised.

    Asking asyncio's for its exception would silence its warning that nobody did.
    """
    if future.cancelled():
        from asyncio import CancelledError

        return None, CancelledError()
    error = getattr(future, "_exception", None)
    if isinstance(error, BaseException):
        return None, error
    if hasattr(future, "_exception"):
        return None, None
    try:
        return future.result(), None
    except BaseException as raised:  # noqa: BLE001 - it is the future's
        return None, raised
