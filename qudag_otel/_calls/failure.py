"""What is kept of an exception: enough to write its traceback later, and none of its objects.

A traceback is kept as code objects and positions, which cost little and hold no frame, no local
variable and no exception; its text is made when a span is exported. An exception that passes
several calls is written once, on the span where it was met first; the others refer to that one.
"""

from __future__ import annotations

import itertools
import linecache
import os
import sys
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from opentelemetry.trace import Status, StatusCode

from qudag_otel._calls.outcome import Outcome
from qudag_otel._calls.signal import SIGNALS
from qudag_otel._foreign import interrupts
from qudag_otel.errors import error_type

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import CodeType, TracebackType

    from opentelemetry.trace import Span

MESSAGE_LIMIT: Final = 4096
"""Characters that are kept of an exception's text."""
REFERENCE: Final = "qudag.exception.span_id"
"""On the event of an exception that was met before: the span whose event has the traceback."""

_REFERRING_LIMIT: Final = 256
_ARGUMENTS_LIMIT: Final = 1 << 16
_TEXTS: Final = (str, bytes, bytearray)
_BRACKETS: Final[dict[type, tuple[str, str]]] = {
    list: ("[", "]"), tuple: ("(", ")"), dict: ("{", "}"), set: ("{", "}"),
    frozenset: ("frozenset({", "})"),
}  # fmt: skip
_DEPTH: Final = 20
_SHOWING: Final = (BaseException.__str__, KeyError.__str__)
_FIRST_FRAMES, _LAST_FRAMES = 16, 48
_CHAIN_LIMIT: Final = 8
_TEXT_LIMIT: Final = 64 * 1024
_NEAR: Final = 64
_HERE: Final = os.path.dirname(__file__) + os.sep  # noqa: PTH120 - as code objects say it
_CAUSED: Final = "\nThe above exception was the direct cause of the following exception:\n\n"
_DURING: Final = "\nDuring handling of the above exception, another exception occurred:\n\n"
# Their text is more than a line with class and message; Python's own formatter writes them.
_SPECIAL: Final[tuple[type[BaseException], ...]] = (
    (BaseExceptionGroup, SyntaxError)
    if sys.version_info < (3, 12)
    else (BaseExceptionGroup, SyntaxError, NameError, AttributeError, ImportError)
)

Place = "tuple[CodeType, int, int]"


def text_of(error: BaseException, limit: int = MESSAGE_LIMIT) -> str:
    """An exception's text; never raises, whatever its `__str__` does."""
    try:
        text = _only(error)
        if text is None:
            text = _bounded(error, limit) if _is_huge(error) else str(error)
    except BaseException as odd:  # a __str__ of the application's own
        if interrupts(odd):
            raise
        return f"<unprintable {type(error).__name__} object>"
    return shortened(text, limit)


def _only(error: BaseException) -> str | None:
    """The text that an exception was given, if that is all that it shows: most are like this."""
    if type(error).__str__ is not BaseException.__str__ or len(error.args) != 1:
        return None
    (only,) = error.args
    return only if type(only) is str else None


def _is_huge(error: BaseException) -> bool:
    """Whether an exception's text would take long to make: it shows what it was given, whole."""
    if type(error).__str__ not in _SHOWING:
        return False
    left = _ARGUMENTS_LIMIT
    waiting: list[Any] = list(error.args)
    while waiting:
        one = waiting.pop()
        kind = one.__class__
        if kind in _TEXTS or kind in _BRACKETS:
            left -= len(one)
            if left < 0:
                return True
        if kind in _BRACKETS:
            waiting.extend(one.values() if kind is dict else one)
    return False


def _bounded(error: BaseException, limit: int) -> str:
    """How the text of such an exception begins."""
    one = error.args[0] if len(error.args) == 1 else error.args
    if isinstance(one, str) and not isinstance(error, KeyError):
        return one
    text = ""
    for piece in _pieces(one, limit, _DEPTH):
        text += piece
        if len(text) > limit:
            break
    return text


def _pieces(value: Any, limit: int, depth: int) -> Iterator[str]:
    kind = value.__class__
    if kind in _TEXTS:
        yield repr(value[: limit + 1])
    elif kind in _BRACKETS and value:
        opening, closing = _BRACKETS[kind]
        yield opening
        for number, one in enumerate(value if depth else ()):
            yield ", " if number else ""
            yield from _pieces(one, limit, depth - 1)
            if kind is dict:
                yield ": "
                yield from _pieces(value[one], limit, depth - 1)
        yield ",)" if kind is tuple and len(value) == 1 else closing
    else:
        yield repr(value)


def shortened(text: str, limit: int) -> str:
    """At most so many characters, with a mark where some are missing."""
    return text if len(text) <= limit else text[: limit - 1] + "\N{HORIZONTAL ELLIPSIS}"


class Failure:
    """An exception that ended a call, or that the application recorded.

    Args:
        error: The exception.
        reference: The id of the span that has its traceback; 0 if this one shall.
    """

    __slots__ = ("_chain", "_text", "message", "name", "reference", "type")

    def __init__(self, error: BaseException, reference: int = 0) -> None:
        kind = type(error)
        self.name = kind.__name__
        self.type = error_type(kind)
        self.reference = reference
        self.message = text_of(error, _REFERRING_LIMIT if reference else MESSAGE_LIMIT)
        self._chain: list[_Link] = []
        self._text: str | None = None
        if not reference:
            try:
                self._keep(error)
            except BaseException as trouble:  # notes, causes and attributes of any class
                if interrupts(trouble):
                    raise
                self._text = f"{self.description}\n<no traceback: {type(trouble).__name__}>\n"

    def _keep(self, error: BaseException) -> None:
        one: BaseException | None = error
        seen: set[int] = set()
        before = ""
        chain: list[_Link] = []
        while one is not None and id(one) not in seen and len(chain) < _CHAIN_LIMIT:
            if isinstance(one, _SPECIAL):
                whole = traceback.format_exception(error, limit=-_LAST_FRAMES)
                self._text = shortened("".join(whole), _TEXT_LIMIT)
                return
            seen.add(id(one))
            chain.append(_Link(one, before, self.message if one is error else text_of(one)))
            if one.__cause__ is not None:
                one, before = one.__cause__, _CAUSED
            elif one.__context__ is not None and not one.__suppress_context__:
                one, before = one.__context__, _DURING
            else:
                one = None
        self._chain = chain

    @property
    def stacktrace(self) -> str:
        """The traceback as Python writes it; long ones with a gap."""
        if self._text is None:
            try:
                text = "".join([link.text() for link in reversed(self._chain)])
            except BaseException as trouble:  # loaders of any kind read source
                if interrupts(trouble):
                    raise
                text = f"{self.description}\n<no traceback: {type(trouble).__name__}>\n"
            self._text = shortened(text, _TEXT_LIMIT)
            self._chain = []
        return self._text

    def attributes(self) -> dict[str, str]:
        """What its event carries.

        Source: OpenTelemetry semantic conventions, exceptions.
        """
        found = {"exception.type": self.type, "exception.message": self.message}
        if self.reference:
            found[REFERENCE] = f"{self.reference:016x}"
        else:
            found["exception.stacktrace"] = self.stacktrace
        found["exception.escaped"] = "False"
        return found

    @property
    def description(self) -> str:
        """The description of the span's status."""
        return f"{self.name}: {self.message}"


class _Link:
    """One exception of a chain, and how the one that it led to continues."""

    __slots__ = ("_after", "_line", "_places", "_skipped", "_traced")

    def __init__(self, error: BaseException, after: str, text: str) -> None:
        kind = type(error)
        name = kind.__qualname__
        if kind.__module__ not in ("__main__", "builtins"):
            name = f"{kind.__module__}.{name}"
        line = f"{name}: {text}\n" if text else f"{name}\n"
        notes: object = getattr(error, "__notes__", None)
        self._line = line if notes is None else line + "".join(_notes(notes))
        self._after = after
        places = _places(error.__traceback__)
        self._traced = bool(places)
        self._skipped = max(0, len(places) - _FIRST_FRAMES - _LAST_FRAMES)
        self._places = places
        if self._skipped:
            self._places = places[:_FIRST_FRAMES] + places[-_LAST_FRAMES:]

    def text(self) -> str:
        """As `traceback.format_exception` writes it."""
        lines = ["Traceback (most recent call last):\n"] if self._traced else []
        if self._skipped:
            lines += _format(self._places[:_FIRST_FRAMES])
            lines.append(f"  [{self._skipped} frames left out]\n")
            lines += _format(self._places[_FIRST_FRAMES:])
        else:
            lines += _format(self._places)
        return "".join([*lines, self._line, self._after])


def _notes(notes: object) -> Iterator[str]:
    if isinstance(notes, list):
        for note in cast("list[object]", notes)[:_LAST_FRAMES]:
            text = note if isinstance(note, str) else repr(note)
            yield from (f"{line}\n" for line in text.split("\n"))


def _places(trace: TracebackType | None) -> list[tuple[CodeType, int, int]]:
    found: list[tuple[CodeType, int, int]] = []
    known = linecache.cache
    while trace is not None:
        code = trace.tb_frame.f_code
        if code.co_filename not in known:
            # Where the source comes from a loader, only the module's globals tell.
            linecache.lazycache(code.co_filename, trace.tb_frame.f_globals)
        found.append((code, trace.tb_lasti, trace.tb_lineno))
        trace = trace.tb_next
    return found


def _format(places: list[tuple[CodeType, int, int]]) -> list[str]:
    # By address, as code is hashed by its content, which is slow; what is kept keeps it alive.
    key = tuple([one for code, instruction, _ in places for one in (id(code), instruction)])
    found = _formatted.get(key)
    if found is None:
        summary = traceback.StackSummary.from_list([_frame(place) for place in places])
        found = places, summary.format()
        if len(_formatted) >= _FORMATTED_LIMIT:
            _formatted.clear()
        _formatted[key] = found
    return found[1]


_formatted: dict[tuple[int, ...], tuple[list[tuple[CodeType, int, int]], list[str]]] = {}
_FORMATTED_LIMIT: Final = 256
_frames: dict[tuple[CodeType, int, int], traceback.FrameSummary] = {}
_FRAMES_LIMIT: Final = 1000


def _frame(place: tuple[CodeType, int, int]) -> traceback.FrameSummary:
    found = _frames.get(place)
    if found is None:
        code, instruction, line = place
        at = next(itertools.islice(code.co_positions(), max(0, instruction // 2), None), None)
        first, last, start, end = at or (None, None, None, None)
        found = traceback.FrameSummary(
            code.co_filename, line if first is None else first, code.co_name,
            end_lineno=last, colno=start, end_colno=end,
        )  # fmt: skip
        if len(_frames) >= _FRAMES_LIMIT:
            _frames.clear()
        _frames[place] = found
    return found


class _Met(NamedTuple):
    """An exception that a failed call met: addresses only, when that was, and its span."""

    at: int
    error: int
    trace: int
    place: tuple[CodeType | None, int, int]
    span: int


class _Last(threading.local):
    """What this thread's latest failed call met."""

    met = _Met(0, 0, 0, (None, 0, 0), 0)


_last = _Last()


def failure_of(error: BaseException, span: int, began: int) -> Failure:
    """What is kept of the exception that ends a call.

    Args:
        error: The exception.
        span: The id of the call's span.
        began: When the call began, by `time.perf_counter_ns`.
    """
    trace, last = error.__traceback__, _last.met
    reference = _same(last, trace) if last.error == id(error) and last.at > began else 0
    failure = Failure(error, reference)
    at = time.perf_counter_ns()
    _last.met = _Met(at, id(error), id(trace), _place(trace), reference or span)
    return failure


def _place(trace: TracebackType | None) -> tuple[CodeType | None, int, int]:
    if trace is None:
        return None, 0, 0
    frame = trace.tb_frame
    return frame.f_code, trace.tb_lasti, id(frame)


def _same(last: _Met, trace: TracebackType | None) -> int:
    """The span on which this exception was written during this call; 0 if it was not.

    It was if its traceback passes the place where it was then. Addresses may have been taken
    again by a later exception; it does not pass the same place below the frames of this call. Of a
    function with a block that calls itself the place is the same, but the frame is another: `block`
    looks at its caller's, which is an object at an address of its own from then on.
    """
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_HERE):
        trace = trace.tb_next
    for _ in range(_NEAR):
        if trace is None:
            break
        if id(trace) == last.trace and _place(trace) == last.place:
            return last.span
        trace = trace.tb_next
    return 0


def describe(span: Span, outcome: Outcome, failure: Failure | None, at: int | None = None) -> None:
    """Put a call's end on its span: status, exception event, `error.type` or `qudag.outcome`.

    Args:
        span: The span, still recording.
        outcome: How the call ended.
        failure: The exception, if it ended with an error.
        at: When, in nanoseconds since the epoch; now by default.
    """
    if failure is not None:
        if SIGNALS.events:
            span.add_event("exception", failure.attributes(), at)
        span.set_attribute("error.type", failure.type)
        span.set_status(Status(StatusCode.ERROR, failure.description))
    elif outcome not in (Outcome.OK, Outcome.ERROR):
        span.set_attribute("qudag.outcome", outcome.value)
