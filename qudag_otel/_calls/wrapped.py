"""Calls that a wrapper watches: a call as any other, whose end is reported to the wrapper.

What a wrapper counts of a call waits with the call and is counted with others, each in its own
context, so that exemplars name its span. What it does at once, it does inside of the span, so that
log records name that; and nothing that goes wrong in it reaches the application.
"""

from __future__ import annotations

import functools
import inspect
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from opentelemetry.trace import SpanKind

from qudag_otel._calls import awaiting
from qudag_otel._calls.failure import text_of
from qudag_otel._calls.outcome import Outcome, outcome_of
from qudag_otel._calls.pending import has
from qudag_otel._calls.plain import SILENT
from qudag_otel._calls.registry import disabled, site_for
from qudag_otel._calls.site import Options
from qudag_otel._foreign import interrupts
from qudag_otel._series.values import text
from qudag_otel._warnings import warn_once
from qudag_otel.errors import error_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qudag_otel._calls.site import Call, Ended, Site, Tally, Value, Values
    from qudag_otel.catalogue import Span

_KINDS: Final = {kind.name.lower(): kind for kind in SpanKind}


Left: TypeAlias = "Callable[[Call, Any], None]"
Failed: TypeAlias = "Callable[[Call, BaseException], None]"


def site_of(
    span: Span,
    constant: Mapping[str, Value],
    *,
    varying: Sequence[str] = (),
    late: Sequence[str] = (),
    identity: Mapping[str, str | None] | None = None,
    tally: Tally | None = None,
    weight: float = 1.0,
) -> Site:
    """The site of a wrapper's calls; equal wrappers share one.

    Args:
        span: The span of each call, as the catalogue has it.
        constant: Attributes that all calls of this wrapper share.
        varying: Attributes whose values each call brings.
        late: Attributes whose values each call brings when it ends.
        identity: Attributes that name a node or swarm; None is the process's own.
        tally: Counts what the calls have measured. It refers to no wrapper: sites live for ever.
        weight: What a watched call costs its caller, in empty decorated ones; it only tells how
            much telemetry costs. Source: docs/performance.md, "A watched part" by "call".
    """
    owners = identity or {}
    given = {key: value for key, value in owners.items() if value is not None}
    site = site_for(
        Options(
            operation=span.name,
            kind=_KINDS[span.kind],
            attributes=tuple({**given, **constant}.items()),
            identity=tuple(key for key, value in owners.items() if value is None),
            varying=tuple(varying),
            late=tuple(late),
            metrics=False,
        )
    )
    site.tally = tally
    site.weight = weight
    return site


def failure(error: BaseException | None) -> BaseException | None:
    """An exception if it tells of a failure, and not of a cancellation or a closed generator."""
    return error if outcome_of(error) is Outcome.ERROR else None


def pass_through(wrapper: object, wrapped: object, *methods: str) -> None:
    """With OTEL_SDK_DISABLED=true, have a wrapper's methods be those of what it wraps."""
    if disabled():
        for method in methods:
            setattr(wrapper, method, getattr(wrapped, method))


def by_type(calls: Sequence[Ended]) -> dict[str, list[Ended]]:
    """Calls that ended well, by the first of their values, which is what they were about."""
    found: dict[str, list[Ended]] = {}
    for call in calls:
        if call.outcome is None and call.given:
            kind = call.given[0]
            found.setdefault(kind if type(kind) is str else text(kind), []).append(call)
    return found


def is_coroutine(function: object) -> bool:
    """Whether a function or method is a coroutine function, by its code."""
    code = getattr(function, "__code__", None)
    return code is not None and bool(code.co_flags & inspect.CO_COROUTINE)


class Ends:
    """What a wrapper does, in its span, before a call ends.

    Made for each call that needs it: a wrapper that kept its own methods would refer to itself.

    A wrapper opens its calls with `site.start`, makes the call itself, and ends it: with `leave`
    or, if the result's class is not in `awaiting.plain`, with `returned`, or with `failed`. What
    is counted of calls that have ended is the business of the site's `tally`.

    Args:
        error: Given the call and the exception of one that raised.
        result: Given the call and what it returned.
        hands_over: Whether a future that a function returns is its result: the call has ended
            with it, and what becomes of the future is another matter.
    """

    __slots__ = ("error", "hands_over", "result")

    def __init__(self, error: Failed, result: Left | None = None, hands_over: bool = False) -> None:  # noqa: FBT001, FBT002
        self.error = error
        self.result = result
        self.hands_over = hands_over

    def left(self, call: Call, result: Any) -> None:
        """End a call that returned."""
        if self.result is not None:
            tell(self.result, call, result)
        call.leave()

    def failed(self, call: Call, error: BaseException) -> None:
        """End a call that raised."""
        tell(self.error, call, error)
        call.fail(error)

    def ended(self, call: Call, result: Any, error: BaseException | None) -> None:
        """End a call either way."""
        if error is None:
            self.left(call, result)
        else:
            self.failed(call, error)

    def returned(self, call: Call, result: Any) -> Any:
        """What to return for a result that may be awaited later; the call ends when it has been.

        Returns:
            The result; if that is awaited later, an awaitable of the same form.
        """
        if call is SILENT and type(result) is CoroutineType:
            return self._followed(result)
        if not awaiting.waits(result) or (
            self.hands_over and has(result.__class__, "add_done_callback")
        ):
            self.left(call, result)
            return result
        return awaiting.later(call, result, functools.partial(self.ended, call))

    async def _followed(self, work: Any) -> Any:
        try:
            result = await work
        except BaseException as error:
            self.failed(SILENT, error)
            raise
        self.left(SILENT, result)
        return result


async def awaited(
    site: Site,
    values: Values,
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    keywords: Mapping[str, Any],
    failed: Failed,
    left: Left | None = None,
) -> Any:
    """A call of a coroutine function.

    Args:
        site: The call's site.
        values: What the call tells of itself, for the site's varying attributes.
        function: The function.
        arguments: Its positional arguments.
        keywords: Its keyword arguments.
        failed: Given the call and the exception, if it raises.
        left: Given the call and the result, if it returns.
    """
    start = site.start
    call = start(values)
    try:
        # Passing on no keywords costs a tenth.
        result = await (function(*arguments, **keywords) if keywords else function(*arguments))
    except BaseException as error:
        tell(failed, call, error)
        call.fail(error)
        raise
    if left is not None:
        tell(left, call, result)
    call.leave()
    return result


def tell(step: Callable[[Call, Any], None], call: Call, end: Any) -> None:
    """Tell a wrapper of the end of a call, by a step that may fail, which is logged once."""
    try:
        step(call, end)
    except BaseException as problem:  # measuring must not break the application
        if interrupts(problem):
            raise
        kind = error_type(problem)
        warn_once(
            f"wrapper:{kind}", "a call was not fully measured: %s: %s", kind, text_of(problem)
        )
