"""One driver for every wrapped call: a span around it, a clock, and a report of how it ended.

Plain and coroutine functions take the same route; what a wrapper counts is told to it once the
call has ended, and nothing that goes wrong in the counting reaches the application.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from opentelemetry import context
from opentelemetry.trace import INVALID_SPAN, SpanKind, Status, StatusCode, set_span_in_context

from qudag_otel import instruments
from qudag_otel._warnings import warn_once
from qudag_otel.catalogue.spans import ERROR_TYPE
from qudag_otel.errors import error_type

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.trace import Span

    from qudag_otel.catalogue import Span as SpanRecord

R = TypeVar("R")

_KINDS: Final = {kind.name.lower(): kind for kind in SpanKind}


@dataclass(frozen=True, slots=True)
class Ended:
    """How a wrapped call ended.

    Args:
        seconds: Its duration, in seconds.
        result: What it returned; None if it raised.
        error: What it raised; None if it returned.
        span: Its span, still recording; an invalid one if it had none.
    """

    seconds: float
    result: Any
    error: BaseException | None
    span: Span

    @property
    def failure(self) -> BaseException | None:
        """What it raised, if that is an error; being cancelled or closed is none."""
        return self.error if is_error(self.error) else None


@dataclass(frozen=True, slots=True)
class Observation:
    """What to observe of a call.

    Args:
        ended: Called with the end of the call; what it raises is logged once and dropped.
        span: The span to start; None where the work is too short to be worth one.
        attributes: What the span carries from its start.
        parent: The context to run in; None is the current one.
        during: Makes a context manager that is entered while the call runs, in its context.
    """

    ended: Callable[[Ended], None]
    span: SpanRecord | None = None
    attributes: Mapping[str, str | int] = field(default_factory=dict[str, "str | int"])
    parent: Context | None = None
    during: Callable[[], AbstractContextManager[object]] = nullcontext


def is_error(error: BaseException | None) -> bool:
    """Whether an exception tells of a failure, and not of a cancellation or a closed generator."""
    return error is not None and not isinstance(
        error, (asyncio.CancelledError, GeneratorExit, KeyboardInterrupt, SystemExit)
    )


def observed(
    observation: Observation, function: Callable[..., R], *arguments: Any, **keywords: Any
) -> R:
    """Call a function and report its end.

    A call of a coroutine function, or one that returns another awaitable, ends when that has been
    awaited.

    Args:
        observation: What to observe.
        function: What to call.
        arguments: Its positional arguments.
        keywords: Its keyword arguments.

    Returns:
        What the function returned, or an awaitable of it.
    """
    if inspect.iscoroutinefunction(function):
        return cast("R", _run(observation, function, arguments, keywords))
    call = _Call(observation)
    try:
        result = function(*arguments, **keywords)
    except BaseException as error:
        call.end(None, error)
        raise
    if inspect.isawaitable(result):
        call.leave()
        return cast("R", _resume(call, result))
    call.end(result, None)
    return result


async def _run(
    observation: Observation,
    function: Callable[..., Awaitable[object]],
    arguments: tuple[Any, ...],
    keywords: Mapping[str, Any],
) -> object:
    call = _Call(observation)
    return await _finish(call, function(*arguments, **keywords))


async def _resume(call: _Call, awaitable: Awaitable[object]) -> object:
    call.enter()
    return await _finish(call, awaitable)


async def _finish(call: _Call, awaitable: Awaitable[object]) -> object:
    try:
        result = await awaitable
    except BaseException as error:
        call.end(None, error)
        raise
    call.end(result, None)
    return result


class _Call:
    """A call under way: its context, which is current while the call runs, and its clock."""

    __slots__ = ("_context", "_during", "_observation", "_span", "_started", "_token")

    def __init__(self, observation: Observation) -> None:
        self._observation = observation
        self._context = observation.parent
        self._span: Span = INVALID_SPAN
        self._token: Token[Context] | None = None
        if observation.span is not None:
            self._span = instruments.tracer().start_span(
                observation.span.name,
                context=observation.parent,
                kind=_KINDS[observation.span.kind],
                attributes=observation.attributes,
            )
            self._context = set_span_in_context(self._span, observation.parent)
        self.enter()
        self._started = time.perf_counter()

    def enter(self) -> None:
        """Make the call's context current."""
        if self._context is not None:
            self._token = context.attach(self._context)
        self._during = self._observation.during()
        self._during.__enter__()

    def leave(self) -> None:
        """Make the former context current again."""
        self._during.__exit__(None, None, None)
        # A coroutine that the garbage collector closes ends in a context that is not its own.
        if self._token is not None and context.get_current() is self._context:
            context.detach(self._token)
        self._token = None

    def end(self, result: object, error: BaseException | None) -> None:
        """End the span and report."""
        ended = Ended(time.perf_counter() - self._started, result, error, self._span)
        # In the call's context, so that exemplars and log records name its span.
        for step in (_mark_failure, self._observation.ended):
            try:
                step(ended)
            except Exception as problem:  # noqa: BLE001 - measuring must not break the application
                kind = error_type(problem)
                warn_once(f"wrapper:{kind}", "a call was not fully measured: %s: %s", kind, problem)
        self.leave()
        self._span.end()


def _mark_failure(ended: Ended) -> None:
    failure = ended.failure
    if failure is not None:
        ended.span.set_attribute(ERROR_TYPE.key, error_type(failure))
        ended.span.set_status(Status(StatusCode.ERROR))
        ended.span.record_exception(failure)
        ended.span.set_status(Status(StatusCode.ERROR, str(failure)))
