"""Calls in their cheap form: what a finished call leaves behind is one object in one list.

A `FastSpan` is the current span while the function runs. Only when somebody asks more of it than
its ids does it become a span of the SDK; all else about it stands in its call site. A `FastTimer`
is a call without a span, and leaves a tuple. `Engine` drains the list, the site's records.
"""

from __future__ import annotations

import os
import random
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, TraceFlags

from qudag_otel._calls.outcome import outcome_of
from qudag_otel._calls.plain import PlainCall, describe
from qudag_otel._calls.site import RELIEVE
from qudag_otel._otel.context import CURRENT, SPAN_KEY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from contextvars import Token

    from opentelemetry.sdk.trace import Span as SdkSpan
    from opentelemetry.trace import Status, StatusCode
    from opentelemetry.util.types import Attributes as SpanAttributes
    from opentelemetry.util.types import AttributeValue

    from qudag_otel._calls.site import Attributes, Call
    from qudag_otel.sdk.fast.site import FastSite

    FastOpener = Callable[[FastSite, Attributes | None], Call]

SAMPLED: Final = int(TraceFlags.SAMPLED)
RANDOM: Final = int(TraceFlags.RANDOM_TRACE_ID)
_LOW_64: Final = (1 << 64) - 1

_clock = time.perf_counter_ns
_get, _set, _reset = CURRENT.get, CURRENT.set, CURRENT.reset

# Not the module's own generator: an application that seeds that one would repeat its trace ids.
_random = random.Random()  # noqa: S311 - ids have to be unique, not secret
_bits = _random.getrandbits
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)


class FastSpan(Span):
    """A call with a span."""

    __slots__ = (
        "ambient",
        "began",
        "context",
        "ended",
        "flags",
        "full",
        "parent",
        "parent_id",
        "site",
        "span_id",
        "token",
        "trace_id",
    )

    ambient: Context | None
    began: int
    context: Context | None
    ended: int
    flags: int
    full: SdkSpan | None
    parent: SpanContext | None
    parent_id: int
    site: FastSite
    span_id: int
    token: Token[Context] | None
    trace_id: int

    def resume(self) -> None:
        """Make this span current; cheap where the context is the one of the last step."""
        ambient = _get()
        if ambient is not self.ambient:
            self.ambient = ambient
            self.context = Context({**ambient, SPAN_KEY: self})
        self.token = _set(cast("Context", self.context))

    def pause(self) -> None:
        """Give the context back as it was at `resume`."""
        token, self.token = self.token, None
        if token is not None:
            with suppress(ValueError):  # closed by the garbage collector, in another context
                _reset(token)

    def leave(self) -> None:
        """Pause, and record that the call ended well."""
        self.ended = _clock()
        token = self.token
        self.token = None
        try:  # noqa: SIM105 - suppress() costs what a whole call may
            _reset(cast("Any", token))
        except ValueError:  # see pause
            pass
        self.ambient = self.context = None  # a context refers to its span: no cycles in the queue
        if self.full is not None:
            self.site.end_full(self)
        self.site.records.append(self)

    def fail(self, error: BaseException) -> None:
        """Pause, and record that the call ended with an exception."""
        self.ended = _clock()
        self.pause()
        self.ambient = self.context = None
        site = self.site
        outcome = outcome_of(error, site.expected)
        site.close(self.ended - self.began, self, outcome, error)
        if self.flags & SAMPLED:
            if self.full is None:
                site.promote(self)
            try:
                describe(cast("SdkSpan", self.full), outcome, error)
            finally:
                site.end_full(self)

    # As the API's span: ids from here, everything else from the SDK's span that it becomes.

    def get_span_context(self) -> SpanContext:
        """Its ids, as the API gives them."""
        return SpanContext(self.trace_id, self.span_id, False, TraceFlags(self.flags))  # noqa: FBT003

    def parent_context(self) -> SpanContext | None:
        """The ids of its parent; None for a root."""
        if self.parent is not None or not self.parent_id:
            return self.parent
        return SpanContext(self.trace_id, self.parent_id, False, TraceFlags(self.flags))  # noqa: FBT003

    def end(self, end_time: int | None = None) -> None:
        """End the span before the call does."""
        self._promoted().end(end_time)

    def is_recording(self) -> bool:
        """Whether it is sampled and has not ended."""
        if self.full is not None:
            return self.full.is_recording()
        return bool(self.flags & SAMPLED) and not hasattr(self, "ended")

    def _promoted(self) -> Span:
        """The SDK's span behind this one; one that ignores everything if it is not sampled."""
        if self.full is None and self.is_recording():
            self.site.promote(self)
        return self.full or NonRecordingSpan(self.get_span_context())

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Set attributes."""
        self._promoted().set_attributes(attributes)

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Set an attribute."""
        self._promoted().set_attribute(key, value)

    def add_event(
        self, name: str, attributes: SpanAttributes = None, timestamp: int | None = None
    ) -> None:
        """Add an event."""
        self._promoted().add_event(name, attributes, timestamp)

    def add_link(self, context: SpanContext, attributes: SpanAttributes = None) -> None:
        """Add a link."""
        self._promoted().add_link(context, attributes)

    def update_name(self, name: str) -> None:
        """Rename it."""
        self._promoted().update_name(name)

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Set its status."""
        self._promoted().set_status(status, description)

    def record_exception(
        self,
        exception: BaseException,
        attributes: SpanAttributes = None,
        timestamp: int | None = None,
        escaped: bool = False,  # noqa: FBT001, FBT002 - the API's signature
    ) -> None:
        """Add the event of an exception."""
        self._promoted().record_exception(exception, attributes, timestamp, escaped)


class FastTimer:
    """A call without a span; it remembers the span around it, for exemplars."""

    __slots__ = ("_around", "_began", "_fast")

    def __init__(self, fast: FastSite) -> None:
        self._fast = fast
        self._around: Any = _get().get(SPAN_KEY)
        self._began = _clock()

    def resume(self) -> None:
        """Nothing becomes current."""

    pause = resume

    def leave(self) -> None:
        """Record that the call ended well."""
        self._fast.records.append((self._began, _clock(), self._around))

    def fail(self, error: BaseException) -> None:
        """Record that the call ended with an exception."""
        self._fast.time_failed(self._began, _clock(), self._around, error)


def span_openers(  # noqa: C901, PLR0915 - two openers, written out for speed
    bound: int, *, follows: bool
) -> tuple[FastOpener, FastOpener]:
    """`begin` and `start` of sites with spans; a site's own are these with the site bound.

    Args:
        bound: Sample a root if the low 64 bits of its trace id are below this.
        follows: Whether the decision of a parent that is not ours takes precedence.
    """
    always = SAMPLED | RANDOM if bound > _LOW_64 else 0
    span_key, mask, get, bits, clock = SPAN_KEY, RELIEVE, _get, _bits, _clock

    def foreign(span: FastSpan, parent: Any) -> bool:
        """Continue a span that is not ours; False if it carries what a fast span cannot."""
        context = parent.get_span_context()
        if not (isinstance(context, SpanContext) and context.is_valid):
            root(span)
            return True
        if context.trace_state:
            return False
        span.parent = context
        span.parent_id = context.span_id
        span.trace_id = context.trace_id
        if follows:
            sampled = int(context.trace_flags) & SAMPLED
        else:
            sampled = SAMPLED if context.trace_id & _LOW_64 < bound else 0
        span.flags = sampled | int(context.trace_flags) & RANDOM
        return True

    def root(span: FastSpan) -> None:
        trace_id = span.trace_id = _bits(128) or 1
        span.parent_id = 0
        span.parent = None
        span.flags = always or (SAMPLED | RANDOM if trace_id & _LOW_64 < bound else RANDOM)

    def begin(fast: FastSite, captured: Attributes | None) -> Call:
        if not fast.count() & mask:
            fast.relieve()
        span = FastSpan()
        parent: Any = get().get(span_key)
        if parent is None:
            root(span)
        elif parent.__class__ is FastSpan:
            ours = parent
            span.trace_id = ours.trace_id
            span.parent_id = ours.span_id
            span.parent = None
            span.flags = ours.flags
        elif not foreign(span, parent):
            next(fast.site.ended)  # the plain call counts itself
            return PlainCall(fast.site, captured)
        span.site = fast
        span.span_id = bits(64) or 1
        span.full = span.ambient = span.token = None
        span.began = clock()
        if captured:
            span.set_attributes(captured)
        return span

    def start(fast: FastSite, captured: Attributes | None) -> Call:
        if not fast.count() & mask:
            fast.relieve()
        span = FastSpan()
        ambient = get()
        parent: Any = ambient.get(span_key)
        if parent.__class__ is FastSpan:
            ours = parent
            span.trace_id = ours.trace_id
            span.parent_id = ours.span_id
            span.parent = None
            span.flags = ours.flags
        elif parent is None:
            # `root` written out: most calls outside of a request are roots.
            trace_id = span.trace_id = bits(128) or 1
            span.parent_id = 0
            span.parent = None
            span.flags = always or (SAMPLED | RANDOM if trace_id & _LOW_64 < bound else RANDOM)
        elif not foreign(span, parent):
            next(fast.site.ended)
            call = PlainCall(fast.site, captured)
            call.resume()
            return call
        span.site = fast
        span.span_id = bits(64) or 1
        span.full = None
        span.token = _set(Context({**ambient, span_key: span}))
        span.began = clock()
        if captured:
            span.set_attributes(captured)
        return span

    return begin, start


def open_timer(fast: FastSite, captured: Attributes | None) -> Call:
    """`begin` and `start` of sites without spans."""
    del captured
    if not fast.count() & RELIEVE:
        fast.relieve()
    return FastTimer(fast)
