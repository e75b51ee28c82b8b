"""Carry the current trace where Python does not: into pools of threads and processes, and to peers.

Asyncio tasks and `asyncio.to_thread` need nothing of this: they inherit the context.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeAlias, TypeVar, cast

from opentelemetry import context

from qudag_otel._calls.timed import CARRIED
from qudag_otel._foreign import interrupts
from qudag_otel._otel.propagators import propagate
from qudag_otel._warnings import warn_once

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Generator, Iterator

    from opentelemetry.context import Context

__all__ = [
    "ContextProcessPoolExecutor",
    "ContextThreadPoolExecutor",
    "carry_context",
    "incoming",
    "outgoing",
]

Headers: TypeAlias = Mapping[Any, Any] | Iterable[tuple[Any, Any]]

P = ParamSpec("P")
R = TypeVar("R")


def outgoing() -> dict[str, str]:
    """The current trace context as headers, for a message to another process.

    Empty if there is no trace. The format is that of OTEL_PROPAGATORS, by default W3C's.
    """
    number, began = CARRIED.begin()
    headers: dict[str, str] = {}
    propagate.inject(headers)
    CARRIED.end(number, began)
    return headers


@contextmanager
def incoming(headers: Headers | None) -> Generator[None]:
    """Make a peer's trace context current during a block, so that spans continue its trace.

    Args:
        headers: What `outgoing` gave on the other side, as a mapping or as pairs, with names in any
            case and text or bytes in them: as HTTP, ASGI, Kafka and AMQP hand them over. Anything
            malformed is ignored.
    """
    number, began = CARRIED.begin()
    token = context.attach(propagate.extract(_as_text(headers)))
    CARRIED.end(number, began)
    try:
        yield
    finally:
        context.detach(token)


def _as_text(headers: Headers | None) -> dict[str, str]:
    found: dict[str, str] = {}
    try:
        given: Any = headers or ()
        pairs: list[tuple[Any, Any]] = list(getattr(given, "items", given.__iter__)())
        for name, value in pairs:
            first: Any = value
            if isinstance(value, (list, tuple)):
                first = next(iter(cast("list[Any]", value)), None)
            if isinstance(first, (str, bytes)):
                found.setdefault(_decoded(name).lower(), _decoded(first))
    except BaseException as error:  # what a peer sends must not fail the application
        if interrupts(error):
            raise
        warn_once("incoming", "the headers of a message are no pairs of name and value: %r", error)
    return found


def _decoded(value: object) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)


class _Carried(Generic[P, R]):
    """A function bound to the context it was made in.

    Between processes, the context travels as headers and is rebuilt on arrival.
    """

    def __init__(self, function: Callable[P, R], carried: Context) -> None:
        # First, because it copies the function's attributes, which may be named like ours.
        functools.update_wrapper(self, function)
        self._function = function
        self._context = carried

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        token = context.attach(self._context)
        try:
            return self._function(*args, **kwargs)
        finally:
            context.detach(token)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[Any, ...]]:
        headers: dict[str, str] = {}
        propagate.inject(headers, self._context)
        return _arrive, (self._function, headers)


def _arrive(function: Callable[P, R], headers: dict[str, str]) -> _Carried[P, R]:
    return _Carried(function, propagate.extract(headers))


def carry_context(function: Callable[P, R]) -> Callable[P, R]:
    """A function that runs in the trace context of this moment, wherever it is called.

    For `threading.Thread(target=carry_context(work))`, `loop.run_in_executor`, and, as it can be
    pickled whenever the function can, `multiprocessing.Pool`.

    Args:
        function: A function, or a coroutine function (which then cannot be pickled).

    Returns:
        A function with the same signature; a coroutine function for a coroutine function.
    """
    carried = context.get_current()
    if inspect.iscoroutinefunction(function):
        asynchronous = cast("Callable[P, Coroutine[Any, Any, object]]", function)

        @functools.wraps(function)
        async def run(*args: P.args, **kwargs: P.kwargs) -> object:
            token = context.attach(carried)
            try:
                return await asynchronous(*args, **kwargs)
            finally:
                context.detach(token)

        return cast("Callable[P, R]", run)
    return _Carried(function, carried)


class _ContextExecutor(Executor):
    """Carries the context of each `submit` and `map` to where the work runs."""

    def submit(self, fn: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> Future[R]:
        """Like the base's, in the context of this call."""
        return super().submit(carry_context(fn), *args, **kwargs)

    def map(self, fn: Callable[..., R], *iterables: Any, **options: Any) -> Iterator[R]:
        """Like the base's, in the context of this call."""
        return super().map(carry_context(fn), *iterables, **options)


class ContextThreadPoolExecutor(_ContextExecutor, ThreadPoolExecutor):
    """A ThreadPoolExecutor whose work continues the trace of whoever submitted it."""


class ContextProcessPoolExecutor(_ContextExecutor, ProcessPoolExecutor):
    """A ProcessPoolExecutor whose work continues the trace of whoever submitted it.

    Spans of the child are exported if the child has set up providers of its own, for example by
    `initializer=qudag_otel.configure`.
    """
