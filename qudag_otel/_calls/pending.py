"""A call that ends when what it returned has been awaited."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Generator

    from qudag_otel._calls.site import Call

End: TypeAlias = Callable[[Any, BaseException | None], None]
"""Ends a call, given what was awaited, or the exception."""


def has(kind: type, method: str) -> bool:
    """Whether Python finds a special method of a class: never by what its metaclass says."""
    return any(method in vars(base) for base in kind.__mro__)


class Pending:
    """A call whose awaitable nobody has awaited yet; if nobody ever does, it ends by itself."""

    __slots__ = ("_awaitable", "call", "end")

    def __init__(self, call: Call, end: End, awaitable: Any = None) -> None:
        self.call = call
        self.end: End | None = end
        self._awaitable = awaitable

    def take(self) -> End | None:
        """What ends the call, for the first who awaits; None for all others."""
        end, self.end, self._awaitable = self.end, None, None
        return end

    def __del__(self) -> None:
        awaitable, end = self._awaitable, self.take()
        if awaitable is not None:
            awaitable.close()  # who dropped or closed what stands for it is told by that
        if end is not None:
            end(None, None if awaitable is None else GeneratorExit())


def steps_of(pending: Pending, steps: Generator[Any, Any, Any]) -> Generator[Any, Any, Any]:
    """The steps of an awaitable, with the call current; its end is the call's.

    Args:
        pending: The call; if another has awaited it already, this adds nothing.
        steps: What the awaitable's `__await__` gave.
    """
    end = pending.take()
    if end is None:
        return (yield from steps)
    pending.call.resume()
    try:
        result = yield from steps
    except BaseException as error:
        end(None, error)
        raise
    end(result, None)
    return result
