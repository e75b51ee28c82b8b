"""The four kinds of callable; each only enters a site, what to do there is the call's business."""

from __future__ import annotations

import functools
import inspect
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import TYPE_CHECKING, Any

from qudag_otel._calls.site import RELIEVE
from qudag_otel._otel.context import CURRENT, SPAN_KEY

if TYPE_CHECKING:
    from qudag_otel._calls.capture import Capture
    from qudag_otel._calls.site import Site

Function = Callable[..., Any]


def drive(function: Function, site: Site, capture: Capture | None) -> Function:
    """Wrap a function by its kind; the wrapper is of the same kind."""
    named = _names(function)
    if inspect.isasyncgenfunction(named):
        wrapper = _async_generator(function, site, capture)
    elif inspect.isgeneratorfunction(named):
        wrapper = _generator(function, site, capture)
    elif inspect.iscoroutinefunction(named):
        wrapper = _coroutine(function, site, capture)
    elif capture is None and not site.options.spans:
        wrapper = _timed(function, site)
    else:
        wrapper = _plain(function, site, capture)
    functools.update_wrapper(wrapper, named)
    wrapper.__wrapped__ = function  # type: ignore[attr-defined]
    return wrapper


def _names(function: Function) -> Function:
    """What names a callable and decides its kind: below partials, an object's `__call__`."""
    while isinstance(function, functools.partial):
        function = function.func
    if inspect.isroutine(function):
        return function
    call: Function = type(function).__call__
    return call


def _plain(function: Function, site: Site, capture: Capture | None) -> Function:
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        call = site.start(capture(args, kwargs) if capture else None)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            call.fail(error)
            raise
        call.leave()
        return result

    return wrapper


def _timed(function: Function, site: Site) -> Function:
    """`_plain` for a site without spans, with the call written out: nothing but two clocks."""
    generic = _plain(function, site, None)
    count, append = site.started.__next__, site.records.append
    clock, current, span_key, mask = time.perf_counter_ns, CURRENT.get, SPAN_KEY, RELIEVE

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        timed = site.timed
        if timed is None:
            return generic(*args, **kwargs)
        if not count() & mask:
            timed.relieve()
        around: Any = current().get(span_key)
        began = clock()
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            timed.time_failed(began, clock(), around, error)
            raise
        append((began, clock(), around))
        return result

    return wrapper


def _coroutine(
    function: Callable[..., Awaitable[Any]], site: Site, capture: Capture | None
) -> Function:
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        call = site.start(capture(args, kwargs) if capture else None)
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            call.fail(error)
            raise
        call.leave()
        return result

    return wrapper


def _generator(
    function: Callable[..., Generator[Any, Any, Any]], site: Site, capture: Capture | None
) -> Function:
    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        call = site.begin(capture(args, kwargs) if capture else None)
        resume, pause = call.resume, call.pause
        value: Any = None
        resume()
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
            call.leave()
            return stop.value
        except BaseException as error:
            call.fail(error)
            raise
        finally:
            del value  # an exception that was thrown in would keep this frame alive

    return wrapper


def _async_generator(
    function: Callable[..., AsyncGenerator[Any, Any]], site: Site, capture: Capture | None
) -> Function:
    async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        call = site.begin(capture(args, kwargs) if capture else None)
        resume, pause = call.resume, call.pause
        value: Any = None
        resume()
        try:
            generator = function(*args, **kwargs)
            item = await anext(generator)
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
            call.leave()
        except BaseException as error:
            call.fail(error)
            raise
        finally:
            del value  # an exception that was thrown in would keep this frame alive

    return wrapper
