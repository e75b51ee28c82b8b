"""The kinds of callable; each driver only enters a site, what to do there is the call's business.

A coroutine function, a generator function and their like are wrapped in a function that checks
the arguments at the call, as Python does, and then makes a coroutine or generator of its own.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final

from qudag_otel._calls import awaiting
from qudag_otel._calls.arguments import reader, signature
from qudag_otel._calls.site import RELIEVE
from qudag_otel._foreign import interrupts
from qudag_otel._otel.context import CURRENT, SPAN_KEY, SUPPRESSED

if TYPE_CHECKING:
    from qudag_otel._calls.capture import Capture
    from qudag_otel._calls.site import Site

Function = Callable[..., Any]

_KINDS: Final = (
    inspect.CO_GENERATOR
    | inspect.CO_COROUTINE
    | inspect.CO_ASYNC_GENERATOR
    | inspect.CO_ITERABLE_COROUTINE
)


def drive(function: Function, site: Site, capture: Capture | None) -> Function:
    """Wrap a function by its kind; the wrapper is of the same kind."""
    named = names(function)
    kind = getattr(getattr(named, "__code__", None), "co_flags", 0) & _KINDS
    wrapper = _managed(function, site, capture)
    if wrapper is not None:
        pass
    elif kind & inspect.CO_ASYNC_GENERATOR:
        wrapper = _checked(_async_generator(function, site, capture), function, kind)
    elif kind & inspect.CO_GENERATOR:
        wrapper = _checked(_generator(function, site, capture), function, kind)
    elif kind & inspect.CO_COROUTINE:
        wrapper = _checked(_coroutine(function, site, capture), function, kind)
    elif capture is None and not site.options.spans:
        wrapper = _timed(function, site)
    else:
        wrapper = _plain(function, site, capture)
    functools.update_wrapper(wrapper, named)
    wrapper.__wrapped__ = function  # type: ignore[attr-defined]
    if isinstance(function, FunctionType) and sys.version_info < (3, 14):
        # For `getfullargspec`, which does not look through `__wrapped__`.
        with contextlib.suppress(ValueError, TypeError):
            wrapper.__signature__ = _shared(signature(function))  # type: ignore[attr-defined]
    return wrapper


def _shared(of: inspect.Signature) -> inspect.Signature:
    """The same object for equal ones; not where there are defaults, as 1 and True are equal."""
    if any(one.default is not one.empty for one in of.parameters.values()):
        return of
    try:
        return _signature(of)
    except TypeError:  # an annotation that cannot be hashed
        return of


@functools.lru_cache(maxsize=1024)
def _signature(of: inspect.Signature) -> inspect.Signature:
    return of


def names(function: Function) -> Function:
    """What names a callable and decides its kind: below partials, an object's `__call__`."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isroutine(function):
        return function
    call: Function = type(function).__call__
    return call


def _plain(function: Function, site: Site, capture: Capture | None) -> Function:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        start = site.start  # apart: CPython calls what a slot holds more slowly
        call = start(capture(args, kwargs) if capture else None)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            call.fail(error)
            raise
        try:
            waits = type(result) not in awaiting.plain and awaiting.awaits(result)
        except BaseException as odd:  # a class whose own class or attributes are odd
            if interrupts(odd):
                raise
            waits = False
        if waits:
            return awaiting.later(call, result, awaiting.ending(call))
        call.leave()
        return result

    return wrapper


def _timed(function: Function, site: Site) -> Function:
    """`_plain` for a site without spans, with the call written out: nothing but two clocks."""
    generic = _plain(function, site, None)
    clock, current, span_key, mask = time.perf_counter_ns, CURRENT.get, SPAN_KEY, RELIEVE

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        timed = site.timed
        if timed is None:
            return generic(*args, **kwargs)
        ambient = current()
        around: Any = ambient.get(span_key)
        if ambient and not _open(ambient):
            return function(*args, **kwargs)
        records = timed.records  # of now: a forked child has others
        if not timed.count() & mask:
            timed.relieve()
        began = clock()
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            timed.time_failed(began, clock(), around, error)
            raise
        try:
            waits = type(result) not in awaiting.plain and awaiting.awaits(result)
        except BaseException as odd:  # a class whose own class or attributes are odd
            if interrupts(odd):
                raise
            waits = False
        if waits:
            call = timed.resumed(began, around)
            return awaiting.later(call, result, awaiting.ending(call))
        records.append((began, clock(), around))
        return result

    return wrapper


def _open(ambient: Any) -> bool:
    return not any(map(ambient.get, SUPPRESSED))


def _coroutine(
    function: Callable[..., Awaitable[Any]], site: Site, capture: Capture | None
) -> Function:
    async def driver(*args: Any, **kwargs: Any) -> Any:
        call = site.start(capture(args, kwargs) if capture else None)
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            call.fail(error)
            raise
        call.leave()
        return result

    return driver


def _generator(
    function: Callable[..., Generator[Any, Any, Any]],
    site: Site,
    capture: Capture | None,
    *,
    held: bool = False,
) -> Function:
    """A generator function's driver; `held` keeps the span current between the steps."""

    def driver(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        call = site.begin(capture(args, kwargs) if capture else None)
        resume, pause = (_nothing, _nothing) if held else (call.resume, call.pause)
        value: Any = None
        call.resume()
        try:
            generator = function(*args, **kwargs)
            item = next(generator)
            send = generator.send
            while True:
                pause()
                step = send
                try:
                    value = yield item
                except BaseException as thrown:  # noqa: BLE001 - it belongs to the body
                    step, value = generator.throw, thrown
                resume()
                item = step(value)
        except StopIteration as stop:
            call.pause()
            call.leave()
            return stop.value
        except BaseException as error:
            call.pause()
            call.fail(error)
            raise
        finally:
            del value  # an exception that was thrown in would keep this frame alive

    return driver


def _async_generator(
    function: Callable[..., AsyncGenerator[Any, Any]],
    site: Site,
    capture: Capture | None,
    *,
    held: bool = False,
) -> Function:
    """An asynchronous generator function's driver; see `_generator`."""

    async def driver(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        call = site.begin(capture(args, kwargs) if capture else None)
        resume, pause = (_nothing, _nothing) if held else (call.resume, call.pause)
        value: Any = None
        call.resume()
        try:
            generator = function(*args, **kwargs)
            item = await _first(generator)
            send = generator.asend
            while True:
                pause()
                step = send
                try:
                    value = yield item
                except BaseException as thrown:  # noqa: BLE001 - it belongs to the body
                    step, value = generator.athrow, thrown
                resume()
                item = await step(value)
        except StopAsyncIteration:
            call.pause()
            call.leave()
        except BaseException as error:
            call.pause()
            call.fail(error)
            raise
        finally:
            del value  # an exception that was thrown in would keep this frame alive

    return driver


def _nothing() -> None:
    """Leave the context as it is."""


def _first(generator: AsyncGenerator[Any, Any]) -> Awaitable[Any]:
    """The first step of a generator inside a driver, which alone is known to the event loop.

    At its end a loop closes all generators it knows, at once: this one is closed by its driver.
    """
    hooks = sys.get_asyncgen_hooks()
    sys.set_asyncgen_hooks(None, None)
    try:
        return anext(generator)
    finally:
        sys.set_asyncgen_hooks(*hooks)


def _managed(function: Function, site: Site, capture: Capture | None) -> Function | None:
    """Wrap what `contextmanager` or `asynccontextmanager` made: the call spans the with-body."""
    made, driver = _MANAGERS.get(getattr(function, "__code__", None), (None, None))
    body = getattr(function, "__wrapped__", None)
    if made is None or driver is None or body is None:
        return None
    wrapper: Function = made(_checked(driver(body, site, capture, held=True), body, 0))
    return wrapper


def _helper(make: Callable[..., Any]) -> CodeType:
    """The code of the functions that `contextmanager` or its like makes."""
    code: CodeType = make(_nothing).__code__
    return code


_MANAGERS: Final[Mapping[CodeType | None, tuple[Any, Any]]] = {
    _helper(contextlib.contextmanager): (contextlib.contextmanager, _generator),
    _helper(contextlib.asynccontextmanager): (contextlib.asynccontextmanager, _async_generator),
}
_flagged: dict[tuple[CodeType, int], CodeType] = {}


def _checked(driver: Function, function: Function, kind: int) -> Function:
    """A function of a kind that has its arguments checked when it is called."""
    named = names(function)
    for attribute in ("__name__", "__qualname__"):
        setattr(driver, attribute, getattr(named, attribute, driver.__name__))
    if kind & inspect.CO_ITERABLE_COROUTINE:
        code = driver.__code__
        driver.__code__ = code.replace(co_flags=code.co_flags | inspect.CO_ITERABLE_COROUTINE)
    try:
        check = reader(signature(function, follow=False), named.__qualname__)
    except (ValueError, TypeError):
        check = None
    if check is None:
        return driver

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        check(*args, **kwargs)
        return driver(*args, **kwargs)

    # It is no generator itself, but it makes one: whoever asks by the flag gets the right answer.
    code = wrapper.__code__
    flagged = _flagged.get((code, kind))
    if flagged is None:
        flagged = _flagged[code, kind] = code.replace(co_flags=code.co_flags | kind)
    # A function anew: to change the kind of one that is there is deprecated since Python 3.13.
    return FunctionType(flagged, wrapper.__globals__, closure=wrapper.__closure__)
