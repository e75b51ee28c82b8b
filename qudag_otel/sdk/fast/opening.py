"""How a call on the fast path is opened: ids and sampling, written out for speed."""

from __future__ import annotations

import os
import random
import time
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import SpanContext

from qudag_otel._calls.plain import SILENT, PlainCall
from qudag_otel._calls.site import RELIEVE
from qudag_otel._otel.context import CURRENT, SPAN_KEY, SUPPRESSED
from qudag_otel.sdk.fast.call import RANDOM, SAMPLED, FastSpan, FastTimer

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.context import Context

    from qudag_otel._calls.site import Call, Values
    from qudag_otel.sdk.fast.site import FastSite

    FastOpener = Callable[[FastSite, Values], Call]

_LOW_64: Final = (1 << 64) - 1
_dict: Any = dict
_clock = time.perf_counter_ns
_get, _set = CURRENT.get, CURRENT.set

# Not the module's own generator: an application that seeds that one would repeat its trace ids.
_random = random.Random()  # noqa: S311 - ids have to be unique, not secret
_bits = _random.getrandbits
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_random.seed)


def _silenced(ambient: Context) -> bool:
    return any(map(ambient.get, SUPPRESSED))


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
    silenced, kind, fill, items = _silenced, FastSpan, _dict.update, _dict.items

    def foreign(span: FastSpan, parent: Any) -> bool:
        """Continue a span that is not ours; False if it carries what a fast span cannot."""
        context = parent.get_span_context()
        if not (isinstance(context, SpanContext) and context.is_valid):
            root(span)
            return True
        if context.trace_state:
            return False
        span.remote = context
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
        span.remote = None
        span.flags = always or (SAMPLED | RANDOM if trace_id & _LOW_64 < bound else RANDOM)

    def begin(fast: FastSite, values: Values) -> Call:
        ambient = get()
        if ambient and silenced(ambient):
            return SILENT
        span = kind()
        parent: Any = ambient.get(span_key)
        if parent is None:
            root(span)
        elif parent.__class__ is kind:
            span.trace_id = parent.trace_id
            span.parent_id = parent.span_id
            span.remote = None
            span.flags = parent.flags
        elif not foreign(span, parent):
            return PlainCall(fast.site, values)
        span.site = fast
        span.given = values
        span.more = span.outcome = span.steps = span.token = None
        span.filled = False
        span.ended = 0
        count = fast.count  # apart: CPython calls what a slot holds more slowly
        number = span.span_id = count()
        if not number & mask:
            fast.relieve()
        span.began = clock()
        return span

    def start(fast: FastSite, values: Values) -> Call:
        span = kind()
        ambient: Any = get()
        if ambient.__class__ is kind:
            # Inside another call, directly: its context is this one's but for the span.
            span.trace_id = ambient.trace_id
            span.parent_id = ambient.span_id
            span.remote = None
            span.flags = ambient.flags
            span.filled = filled = ambient.filled
            if filled:
                fill(span, items(ambient))
        elif not ambient:
            # `root` written out: most calls outside of a request are roots.
            trace_id = span.trace_id = bits(128) or 1
            span.parent_id = 0
            span.remote = None
            span.flags = always or (SAMPLED | RANDOM if trace_id & _LOW_64 < bound else RANDOM)
            span.filled = False
        else:
            if silenced(ambient):
                return SILENT
            parent = ambient.get(span_key)
            if parent is None:
                root(span)
            elif parent.__class__ is kind:
                span.trace_id = parent.trace_id
                span.parent_id = parent.span_id
                span.remote = None
                span.flags = parent.flags
            elif not foreign(span, parent):
                call = PlainCall(fast.site, values)
                call.resume()
                return call
            span.filled = True
            fill(span, ambient)
        span.site = fast
        span.given = values
        span.more = span.outcome = span.steps = None
        span.ended = 0
        # Last, and side by side: where the stack is used up, none of them happens.
        count = fast.count  # apart: CPython calls what a slot holds more slowly
        number = span.span_id = count()
        if not number & mask:
            fast.relieve()
        span.token = _set(span)
        span.began = clock()
        return span

    return begin, start


def open_timer(fast: FastSite, values: Values) -> Call:
    """`begin` and `start` of sites without spans."""
    del values
    ambient = _get()
    if ambient and _silenced(ambient):
        return SILENT
    if not fast.count() & RELIEVE:
        fast.relieve()
    return FastTimer(fast, ambient.get(SPAN_KEY), _clock())
