"""Calls that a wrapper watches: a call as any other, whose end is reported to the wrapper.

What a wrapper counts is told to it in the call's own context, so that exemplars and log records
name its span, and nothing that goes wrong in the counting reaches the application.
"""

from __future__ import annotations

import inspect
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, Protocol

from opentelemetry.trace import SpanKind

from qudag_otel._calls import awaiting
from qudag_otel._calls.failure import text_of
from qudag_otel._calls.outcome import Outcome, outcome_of
from qudag_otel._calls.plain import SILENT
from qudag_otel._calls.registry import disabled, site_for
from qudag_otel._calls.site import Options
from qudag_otel._warnings import warn_once
from qudag_otel.errors import error_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qudag_otel._calls.site import Call, Site, Value, Values
    from qudag_otel.catalogue import Span

_KINDS: Final = {kind.name.lower(): kind for kind in SpanKind}


class Report(Protocol):
    """How a wrapper is told of the end of a call; what it raises is logged once and dropped."""

    def __call__(
        self, call: Call, values: Any, result: Any, error: BaseException | None, /
    ) -> None:
        """Count.

        Args:
            call: The call, its span still recording.
            values: What the call was begun with.
            result: What it returned; None if it raised.
            error: What it raised; None if it returned.
        """


def site_of(
    span: Span,
    constant: Mapping[str, Value],
    *,
    varying: Sequence[str] = (),
    identity: Mapping[str, str | None] | None = None,
) -> Site:
    """The site of a wrapper's calls.

    Args:
        span: The span of each call, as the catalogue has it.
        constant: Attributes that all calls of this wrapper share.
        varying: Attributes whose values each call brings.
        identity: Attributes that name a node or swarm; None is the process's own.
    """
    owners = identity or {}
    given = {key: value for key, value in owners.items() if value is not None}
    return site_for(
        Options(
            operation=span.name,
            kind=_KINDS[span.kind],
            attributes=tuple({**given, **constant}.items()),
            identity=tuple(key for key, value in owners.items() if value is None),
            varying=tuple(varying),
            metrics=False,
        )
    )


def failure(error: BaseException | None) -> BaseException | None:
    """An exception if it tells of a failure, and not of a cancellation or a closed generator."""
    return error if outcome_of(error) is Outcome.ERROR else None


def pass_through(wrapper: object, wrapped: object, *methods: str) -> None:
    """With OTEL_SDK_DISABLED=true, have a wrapper's methods be those of what it wraps."""
    if disabled():
        for method in methods:
            setattr(wrapper, method, getattr(wrapped, method))


class Watch:
    """Calls functions of one kind, in a span each, and reports their ends.

    A call of a coroutine function, or one that returns another awaitable, ends when that has been
    awaited.

    Args:
        site: The calls' site; None where the work is too short to be worth a span.
        hands_over: Whether a future that a function returns is its result: the call has ended
            with it, and what becomes of the future is another matter.
    """

    __slots__ = ("_hands_over", "_site")

    def __init__(self, site: Site | None = None, *, hands_over: bool = False) -> None:
        self._site = site
        self._hands_over = hands_over

    def __call__(
        self,
        function: Callable[..., Any],
        report: Report,
        values: Values,
        arguments: tuple[Any, ...],
        keywords: Mapping[str, Any],
    ) -> Any:
        """Call a function.

        Args:
            function: The function.
            report: Told of the end.
            values: What the call tells of itself, for the site's varying attributes and the report.
            arguments: Its positional arguments.
            keywords: Its keyword arguments.

        Returns:
            What the function returned; if that is awaited later, an awaitable of the same form.
        """
        code = getattr(function, "__code__", None)
        if code is not None and code.co_flags & inspect.CO_COROUTINE:
            return self._awaited(function, report, values, arguments, keywords)
        call = SILENT if self._site is None else self._site.start(values)
        try:
            result = function(*arguments, **keywords)
        except BaseException as error:
            tell(report, call, values, None, error)
            call.fail(error)
            raise
        return self._returned(call, result, report, values)

    def returned(self, result: Any, report: Report, values: Values) -> Any:
        """What to return for a result, of a call that has no span and was made by the wrapper."""
        if type(result) is CoroutineType:
            return _followed(result, report, values)
        return self._returned(SILENT, result, report, values)

    def _returned(self, call: Call, result: Any, report: Report, values: Values) -> Any:
        try:
            waits = type(result) not in awaiting.plain and self._waits(result)
        except Exception:  # noqa: BLE001 - a class whose own class or attributes are odd
            waits = False
        if waits:
            return awaiting.later(call, result, _end(report, call, values))
        tell(report, call, values, result, None)
        call.leave()
        return result

    async def _awaited(
        self,
        function: Callable[..., Any],
        report: Report,
        values: Values,
        arguments: tuple[Any, ...],
        keywords: Mapping[str, Any],
    ) -> Any:
        call = SILENT if self._site is None else self._site.start(values)
        try:
            result = await function(*arguments, **keywords)
        except BaseException as error:
            tell(report, call, values, None, error)
            call.fail(error)
            raise
        tell(report, call, values, result, None)
        call.leave()
        return result

    def _waits(self, result: Any) -> bool:
        if self._hands_over and awaiting.has(result.__class__, "add_done_callback"):
            return False
        return awaiting.awaits(result)


async def _followed(work: Any, report: Report, values: Values) -> Any:
    try:
        result = await work
    except BaseException as error:
        tell(report, SILENT, values, None, error)
        raise
    tell(report, SILENT, values, result, None)
    return result


def _end(report: Report, call: Call, values: Values) -> awaiting.End:
    ends = awaiting.ending(call)

    def end(result: Any, error: BaseException | None) -> None:
        tell(report, call, values, result, error)
        ends(result, error)

    return end


def tell(
    report: Report, call: Call, values: Values, result: Any, error: BaseException | None
) -> None:
    """Tell a wrapper of the end of a call."""
    try:
        report(call, values, result, error)
    except Exception as problem:  # noqa: BLE001 - measuring must not break the application
        kind = error_type(problem)
        warn_once(
            f"wrapper:{kind}", "a call was not fully measured: %s: %s", kind, text_of(problem)
        )
