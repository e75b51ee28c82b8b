"""What stands for an object, observed: it is that object in all else.

An object that can be called, such as one of a class of its own, a partial, or what `lru_cache`
makes, has attributes, a type and a way to be pickled; a function around it would have none of
these. An awaitable may be an asynchronous context manager as well.
"""

from __future__ import annotations

from types import MethodType
from typing import TYPE_CHECKING, Any, cast

import wrapt

from qudag_otel._calls.awaiting import steps_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from qudag_otel._calls.awaiting import Pending
    from qudag_otel._calls.decorate import Request

if TYPE_CHECKING:

    class _Proxy:
        __wrapped__: Any

        def __init__(self, wrapped: object) -> None: ...

else:
    # The one of wrapt 1 can be iterated, whatever it stands for.
    _Proxy = getattr(wrapt, "BaseObjectProxy", wrapt.ObjectProxy)


class StandIn(_Proxy):
    """Calls go through a driver, everything else to the object itself.

    Args:
        target: The object.
        driver: Calls it, observed.
        request: What makes the driver anew, in another process.
    """

    def __init__(self, target: Any, driver: Callable[..., Any], request: Request) -> None:
        super().__init__(target)
        self._self_driver = driver
        self._self_request = request

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._self_driver(*args, **kwargs)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return _again, (self.__wrapped__, self._self_request)

    def __copy__(self) -> Any:
        import copy

        return _again(copy.copy(self.__wrapped__), self._self_request)

    def __deepcopy__(self, memo: Any) -> Any:
        import copy

        return _again(copy.deepcopy(self.__wrapped__, memo), self._self_request)


class BoundStandIn(StandIn):
    """One for an object that becomes a method where it is a class's attribute."""

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        return self if instance is None else MethodType(self, instance)


def stand_in(target: Any, driver: Callable[..., Any], request: Request) -> Any:
    """The object, observed when it is called."""
    bound = hasattr(cast("object", type(target)), "__get__")
    return (BoundStandIn if bound else StandIn)(target, driver, request)


def _again(target: Any, request: Request) -> Any:
    from qudag_otel._calls.decorate import decorate

    return decorate(target, request)


class Awaited(_Proxy):
    """An awaitable that ends a call when it has been awaited.

    Args:
        result: The awaitable.
        pending: The call.
    """

    def __init__(self, result: Any, pending: Pending) -> None:
        super().__init__(result)
        self._self_pending = pending

    def __await__(self) -> Any:
        return steps_of(self._self_pending, self.__wrapped__.__await__())


class AwaitedManager(Awaited):
    """One that is an asynchronous context manager, too: the call ends when that is entered."""

    async def __aenter__(self) -> Any:
        return await _Entered(self._self_pending, self.__wrapped__)

    async def __aexit__(self, *raised: object) -> Any:
        return await self.__wrapped__.__aexit__(*raised)


class _Entered:
    """The entering of an asynchronous context manager as an awaitable."""

    def __init__(self, pending: Pending, manager: Any) -> None:
        self._pending = pending
        self._manager = manager

    def __await__(self) -> Any:
        return steps_of(self._pending, self._manager.__aenter__().__await__())


def awaited(result: Any, pending: Pending) -> Any:
    """An awaitable as it is, which ends a call when it has been awaited."""
    manager = hasattr(cast("object", type(result)), "__aenter__")
    return (AwaitedManager if manager else Awaited)(result, pending)
