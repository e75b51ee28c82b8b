"""A call as its own code sees it: `block(...) as op` and `current()`.

A call with a span is found in the current context, and so are blocks. That of a decorated function
without a span is found on the stack, in the frame of its driver: to be found costs such a call
nothing, and to look for one is the price of whoever asks.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any, Final, Literal

from opentelemetry import context as context_api
from opentelemetry.trace import INVALID_SPAN, Status, StatusCode

from qudag_otel._calls import awaiting, drivers
from qudag_otel._calls.failure import Failure, text_of
from qudag_otel._calls.outcome import Outcome
from qudag_otel._calls.plain import SILENT
from qudag_otel._calls.registry import SPANLESS, renamed
from qudag_otel._calls.signal import SIGNALS, emit
from qudag_otel._foreign import interrupts
from qudag_otel._otel.context import call_in
from qudag_otel._warnings import warn_once
from qudag_otel.errors import error_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from types import FrameType

    from opentelemetry.trace import Span, SpanContext
    from opentelemetry.util.types import AttributeValue

    from qudag_otel._calls.site import Call, Site, Timed

Ending = Literal["ok", "error", "expected", "cancelled", "closed"]
"""The values of `qudag.outcome`, as text."""


class Operation:
    """The call that code is inside of, to say more about it than its decorator knows.

    All methods may be used whether or not the call has a span, is sampled, or is recorded at all;
    then they do nothing. None raises: what means nothing is left out, with one warning. What is
    said after the end of the call is left out, too.
    """

    __slots__ = ("_call",)

    _call: Call

    @property
    def name(self) -> str:
        """The name of the operation; empty outside of any."""
        site = self._call.origin
        return "" if site is None else site.options.operation

    @property
    def span(self) -> Span:
        """Its span, for all else that OpenTelemetry can do; one that ignores all if it has none."""
        return self._call.span

    @property
    def seconds(self) -> float:
        """How long it has run, or did, in seconds."""
        return self._call.seconds

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Set an attribute of the span. Metrics do not get it: each value would be a series.

        Args:
            key: Its name.
            value: A string, number, boolean, or a sequence of one of these.
        """
        _try(self._call.span.set_attribute, key, value)

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Set several attributes of the span."""
        _try(self._call.span.set_attributes, attributes)

    def add_event(self, name: str, attributes: Mapping[str, AttributeValue] | None = None) -> None:
        """Add an event to the span, at this moment."""
        _try(self._call.span.add_event, name, attributes)

    def add_link(
        self,
        to: Span | SpanContext | Operation,
        attributes: Mapping[str, AttributeValue] | None = None,
    ) -> None:
        """Link the span to another one, as to that of a message of a batch.

        Args:
            to: The other span, its context, or the operation that it is of.
            attributes: Of the link.
        """
        _try(_link, self._call, to, attributes)

    def set_outcome(self, outcome: Ending) -> None:
        """Say how the call ends, whatever it returns or raises; the last word counts.

        Args:
            outcome: `ok`, `error`, `expected`, `cancelled` or `closed`.
        """
        _try(_end, self._call, outcome)

    def set_error(self, error: BaseException | str) -> None:
        """Say that the call fails, though no exception leaves it.

        It is counted in `qudag.errors`, and stands on the span.

        Args:
            error: The exception, or the type of an error that is none: a word such as `timeout` or
                `503`. Each is a series.
        """
        _try(_fail, self._call, error)

    def rename(self, name: str) -> None:
        """Make it a call of another operation, as soon as it is known of which.

        Span and metrics have the new name. Calls of one operation are renamed to at most 100 names;
        with more they keep their own.

        Args:
            name: The operation, named after code, not after data: each name is a series.
        """
        _try(_rename, self._call, name)


def _operation(call: Call) -> Operation:
    made = Operation()  # without an `__init__`, which blocks would pay for, too
    made._call = call  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - its maker
    return made


def _try(step: Callable[..., None], *arguments: Any) -> None:
    try:
        step(*arguments)
    except BaseException as error:  # arguments and spans of somebody else
        if interrupts(error):
            raise
        kind = type(error).__name__
        warn_once(f"operation:{kind}", "left out what was said of a call: %s", text_of(error))


def _link(call: Call, to: Any, attributes: Any) -> None:
    one: Any = to.span if isinstance(to, Operation) else to
    call.span.add_link(
        one.get_span_context() if hasattr(one, "get_span_context") else one, attributes
    )


def _end(call: Call, outcome: str) -> None:
    found = Outcome(outcome)
    if found is Outcome.ERROR:
        call.span.set_status(StatusCode.ERROR)
    call.say(found, "")


def _fail(call: Call, error: BaseException | str) -> None:
    span = call.span
    if isinstance(error, BaseException):
        kind, text = error_type(error), f"{type(error).__name__}: {text_of(error)}"
        if SIGNALS.events:
            span.record_exception(error)
        if SIGNALS.logs:
            emit(Failure(error), span.get_span_context())
    elif isinstance(error, str) and error:
        kind = text = error
    else:
        raise TypeError(f"set_error() takes an exception or a word, not {error!r}")
    span.set_attribute("error.type", kind)
    span.set_status(Status(StatusCode.ERROR, text))
    call.say(Outcome.ERROR, kind)


def _rename(call: Call, name: str) -> None:
    if not (isinstance(name, str) and name):
        raise TypeError(f"rename() takes a text that is not empty, not {name!r}")
    site = call.origin
    if site is not None:
        other = renamed(site, name)
        if other is not site:
            call.move(other)


class _Running:
    """A call of a decorated function without a span, which left nothing yet but when it began."""

    span = INVALID_SPAN

    def __init__(self, timed: Timed, began: int) -> None:
        self._timed = timed
        self.began = began

    @property
    def origin(self) -> Site:
        """The site that it is a call of."""
        note = self._timed.notes.get(self.began)
        return self._timed.site if note is None else note.site

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return (time.perf_counter_ns() - self.began) * 1e-9

    def say(self, outcome: Outcome, error: str) -> None:
        """Note how the body says that the call ends."""
        self._timed.note(self.began).said = outcome, error

    def move(self, site: Site) -> None:
        """Note of which site it is."""
        self._timed.note(self.began).site = site


def current() -> Operation:
    """The innermost call that the caller is inside of; one that ignores all if there is none."""
    around = call_in(context_api.get_current())
    if around is not None and not SPANLESS:
        return _operation(around)
    found = _on_stack(sys._getframe(1))  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - as logging does
    nearest = next(found, None)
    if around is None or around is nearest:
        return _operation(SILENT if nearest is None else nearest)
    if nearest is None:
        return _operation(around)
    # Both are under way. The later one is the inner one, unless a generator that began before is
    # resumed inside the other: then the other stands further up on the stack.
    inner = nearest.began > around.began or any(call is around for call in found)
    return _operation(nearest if inner else around)


def _on_stack(frame: FrameType | None) -> Iterator[Call]:
    """The calls of decorated functions on a stack, the innermost first."""
    while frame is not None:
        read = _FRAMES.get(frame.f_code.co_filename)
        call = None if read is None else read(frame.f_locals)
        if call is not None:
            yield call
        frame = frame.f_back


def _of_driver(names: Mapping[str, Any]) -> Any:
    timed = names.get("timed")
    if timed is None:
        return names.get("call")
    began = names.get("began")
    return SILENT if began is None else _Running(timed, began)


def _of_awaited(names: Mapping[str, Any]) -> Any:
    pending = names.get("pending")
    return None if pending is None else pending.call


_FRAMES: Final[dict[str, Callable[[Mapping[str, Any]], Any]]] = {
    drivers.drive.__code__.co_filename: _of_driver,
    awaiting.later.__code__.co_filename: _of_awaited,
}
