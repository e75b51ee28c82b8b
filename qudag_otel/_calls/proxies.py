"""What stands for an object, observed: it is that object in all else.

An object that can be called, such as one of a class of its own, a partial, or what `lru_cache`
makes, has attributes, a type and a way to be pickled; a function around it would have none of
these. An awaitable may be an asynchronous context manager as well.
"""

from __future__ import annotations

import functools
from types import MethodType
from typing import TYPE_CHECKING, Any, Final

import wrapt

from qudag_otel._calls.pending import has, steps_of

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

    from qudag_otel._calls.decorate import Request
    from qudag_otel._calls.pending import Pending

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


def _get(self: StandIn, instance: Any, owner: Any = None) -> Any:
    target: Any = self.__wrapped__
    bound: Any = _forward("__get__")(self, instance, owner)
    if bound is target:
        return self
    if isinstance(bound, MethodType) and bound.__func__ is target:
        return MethodType(self, bound.__self__)
    return _again(bound, self._self_request)  # it binds by its own rules


def _type(target: object) -> type:
    return type(target)


def _forward(method: str) -> Callable[..., Any]:
    def forward(self: Any, *args: Any) -> Any:
        target: Any = self.__wrapped__
        return getattr(_type(target), method)(target, *args)

    return forward


# Special methods that wrapt's proxy does not have for all, as Python takes having them for a kind
# of object: what is proxied has them if it had them before.
_SPECIAL: Final = {
    name: _forward(name)
    for name in ("__iter__", "__next__", "__aiter__", "__anext__", "__fspath__", "__set_name__")
}


@functools.lru_cache(maxsize=256)
def _shape(base: type, methods: tuple[tuple[str, Callable[..., Any]], ...]) -> type[Any]:
    return type(base.__name__, (base,), dict(methods)) if methods else base


def _like(target: Any, base: type, special: Mapping[str, Callable[..., Any]]) -> type[Any]:
    """The class of a proxy that has what the object has."""
    kind = _type(target)
    return _shape(base, tuple(pair for pair in special.items() if has(kind, pair[0])))


def stand_in(target: Any, driver: Callable[..., Any], request: Request) -> Any:
    """The object, observed when it is called."""
    found: StandIn = _like(target, StandIn, _CALLED)(target, driver, request)
    return found


def _again(target: Any, request: Request) -> Any:
    return request.decorate(target)


class Awaited(_Proxy):
    """An awaitable that ends a call when it has been awaited.

    Args:
        result: The awaitable.
        pending: The call.
    """

    def __init__(self, result: Any, pending: Pending) -> None:
        super().__init__(result)
        self._self_pending = pending
        self._self_steps: Generator[Any, Any, Any] | None = None

    def __await__(self) -> Any:
        return steps_of(self._self_pending, self.__wrapped__.__await__())


async def _enter(self: Awaited) -> Any:
    return await _Entered(self._self_pending, self.__wrapped__)


def _send(self: Awaited, value: Any) -> Any:
    steps = self._self_steps
    if steps is None:
        steps = self._self_steps = self.__await__()
    return steps.send(value)


def _throw(self: Awaited, *error: Any) -> Any:
    return (self.__wrapped__ if self._self_steps is None else self._self_steps).throw(*error)


def _close(self: Awaited) -> None:
    (self.__wrapped__ if self._self_steps is None else self._self_steps).close()


class _Entered:
    """The entering of an asynchronous context manager as an awaitable."""

    def __init__(self, pending: Pending, manager: Any) -> None:
        self._pending = pending
        self._manager = manager

    def __await__(self) -> Any:
        return steps_of(self._pending, self._manager.__aenter__().__await__())


def awaited(result: Any, pending: Pending) -> Any:
    """An awaitable as it is, which ends a call when it has been awaited."""
    return _like(result, Awaited, _AWAITED)(result, pending)


_CALLED: Final = {**_SPECIAL, "__get__": _get}
# Of an asynchronous context manager, the call ends when that is entered; a task takes the steps of
# what is a coroutine by itself.
_AWAITED: Final[Mapping[str, Callable[..., Any]]] = {
    **_SPECIAL,
    "__call__": _forward("__call__"),
    "__aenter__": _enter,
    "send": _send,
    "throw": _throw,
    "close": _close,
}
