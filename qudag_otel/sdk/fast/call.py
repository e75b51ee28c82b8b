"""Calls in their cheap form: what a finished call leaves behind is one object in one list.

A `FastSpan` is the current span while the function runs. What the body does to it is kept as
tuples and done to a span of the SDK when that is exported; all else about it stands in its call
site. A `FastTimer` is a call without a span, and leaves a tuple. `Engine` drains the list, the
site's records.
"""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanContext, TraceFlags

from qudag_otel._calls.outcome import Outcome
from qudag_otel._otel.context import CURRENT, SPAN_KEY
from qudag_otel.sdk.fast import operations as ops
from qudag_otel.sdk.fast.context import OwnContext, Steps

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextvars import Token

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace import Span as SdkSpan
    from opentelemetry.trace import Status, StatusCode
    from opentelemetry.util.types import Attributes as SpanAttributes
    from opentelemetry.util.types import AttributeValue

    from qudag_otel._calls.failure import Failure
    from qudag_otel._calls.site import Values
    from qudag_otel.sdk.fast.site import FastSite

SAMPLED: Final = int(TraceFlags.SAMPLED)
RANDOM: Final = int(TraceFlags.RANDOM_TRACE_ID)

_clock = time.perf_counter_ns
_get, _set, _reset = CURRENT.get, CURRENT.set, CURRENT.reset


class FastSpan(OwnContext, Span):
    """A call with a span, which is its own context while the call runs.

    A context of its own for each call would cost more than all else: so the span is the context,
    with what else was in the caller's, and itself as the current span.

    `more` is what the body did to the span, in order: see `operations`. `outcome` is None as long
    as the call ended well, or did not end. `steps` is there for calls that pause.
    """

    __slots__ = (
        "began", "ended", "failure", "filled", "flags", "given", "more", "outcome", "parent_id",
        "remote", "site", "span_id", "steps", "token", "trace_id",
    )  # fmt: skip

    began: int
    ended: int
    failure: Failure | None
    filled: bool
    flags: int
    given: Values
    more: list[tuple[Any, ...]] | None
    outcome: Outcome | None
    parent_id: int
    remote: SpanContext | None
    site: FastSite
    span_id: int
    steps: Steps | None
    token: Token[Context] | None
    trace_id: int

    @property
    def seconds(self) -> float:
        """How long the call has run, or did."""
        return ((self.ended or _clock()) - self.began) * 1e-9

    @property
    def span(self) -> Span:
        """Itself."""
        return self

    def resume(self) -> None:
        """Make this span current; cheap where the context is the one of the last step."""
        ambient = _get()
        steps = self.steps
        if steps is None:
            steps = self.steps = Steps()
        shown = steps.shown
        if ambient is not shown and (ambient is not steps.ambient or shown is not None):
            steps.ambient = ambient
            steps.context = Context({**ambient, SPAN_KEY: self})
            steps.shown = None
        self.token = _set(cast("Context", steps.context))

    def pause(self) -> None:
        """Give the context back as it was at `resume`, with what the body attached since."""
        token, self.token = self.token, None
        if token is None:
            return
        current = _get()
        steps = self.steps
        if current is (self if steps is None else steps.context):
            with suppress(ValueError):  # closed by the garbage collector, in another context
                _reset(token)
            return
        if steps is None:
            steps = self.steps = Steps()
            steps.ambient = cast("Context", token.old_value)
        steps.context = steps.shown = current  # of the next step, if that is taken from here
        if current.get(SPAN_KEY) is self:
            around = {**current}
            del around[SPAN_KEY]
            former = cast("Context", steps.ambient).get(SPAN_KEY)
            steps.shown = Context(around if former is None else {**around, SPAN_KEY: former})
            _set(steps.shown)

    def leave(self) -> None:
        """Give the context back, and record that the call ended well."""
        self.ended = _clock()
        token = self.token
        if token is not None:
            self.token = None
            try:  # noqa: SIM105 - suppress() costs what a whole call may
                _reset(token)
            except ValueError:  # see pause
                pass
        self.steps = None  # its context refers to this span: no cycles in the queue
        self.site.records.append(self)

    def fail(self, error: BaseException) -> None:
        """Give the context back, and record that the call ended with an exception."""
        self.ended = _clock()
        token = self.token
        if token is not None:
            self.token = None
            try:  # noqa: SIM105 - see leave
                _reset(token)
            except ValueError:  # see pause
                pass
        self.steps = None
        # First: where the stack is used up, this is all that still works.
        self.outcome = Outcome.ERROR
        try:
            self.site.explain(self, error)
        finally:
            self.site.records.append(self)

    def __repr__(self) -> str:
        name = self.site.site.options.operation
        return f"FastSpan(name={name!r}, context={self.get_span_context()!r})"

    # As the API's span: what is done to it is kept, as tuples, and done at export.

    def get_span_context(self) -> SpanContext:
        """Its ids, as the API gives them."""
        return SpanContext(self.trace_id, self.span_id, False, TraceFlags(self.flags))  # noqa: FBT003

    def is_recording(self) -> bool:
        """Whether it is sampled and has not ended."""
        if not self.flags & SAMPLED or self.ended:
            return False
        return self.more is None or not ops.ended(self.more)

    def end(self, end_time: int | None = None) -> None:
        """End the span before the call does."""
        self._do(ops.end(end_time))

    def set_attribute(self, key: str, value: AttributeValue) -> None:
        """Set an attribute."""
        self._do((ops.ATTRIBUTE, key, value if type(value) in ops.SCALARS else ops.frozen(value)))

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Set attributes."""
        for key, value in attributes.items():
            self.set_attribute(key, value)

    def add_event(
        self, name: str, attributes: SpanAttributes = None, timestamp: int | None = None
    ) -> None:
        """Add an event."""
        self._do(ops.event(name, attributes, timestamp))

    def add_link(self, context: SpanContext, attributes: SpanAttributes = None) -> None:
        """Add a link."""
        self._do(ops.link(context, attributes))

    def update_name(self, name: str) -> None:
        """Rename it."""
        self._do((ops.NAME, name))

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Set its status."""
        self._do((ops.STATUS, status, description))

    def record_exception(
        self,
        exception: BaseException,
        attributes: SpanAttributes = None,
        timestamp: int | None = None,
        escaped: bool = False,  # noqa: FBT001, FBT002 - the API's signature
    ) -> None:
        """Add the event of an exception."""
        if self.flags & SAMPLED:
            self._do(ops.exception(exception, attributes, timestamp, escaped=escaped))

    def _do(self, operation: tuple[Any, ...]) -> None:
        if not self.flags & SAMPLED and operation[0] is not ops.STATUS:
            return  # nobody will see it, but the status is the call's outcome as well
        more = self.more
        if more is None:
            if not self.ended:
                self.more = [operation]
        elif not self.ended:
            more.append(operation)
            if len(more) > ops.LIMIT:
                self.site.settle(self)

    # As the SDK's span, for whoever reads the current span: log processors, bridges, tests.

    @property
    def parent(self) -> SpanContext | None:
        """The ids of its parent; None for a root."""
        if self.remote is not None or not self.parent_id:
            return self.remote
        return SpanContext(self.trace_id, self.parent_id, False, TraceFlags(self.flags))  # noqa: FBT003

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in ops.READABLE:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        read: ReadableSpan | SdkSpan = self.site.readable(self)
        return getattr(read, name)


class FastTimer:
    """A call without a span; it remembers the span around it, for exemplars."""

    __slots__ = ("_around", "_began", "_fast", "_records")

    span = INVALID_SPAN

    def __init__(self, fast: FastSite, around: Any, began: int) -> None:
        self._fast = fast
        self._records = fast.records
        self._around = around
        self._began = began

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return (_clock() - self._began) * 1e-9

    def resume(self) -> None:
        """Nothing becomes current."""

    pause = resume

    def leave(self) -> None:
        """Record that the call ended well."""
        self._records.append((self._began, _clock(), self._around))

    def fail(self, error: BaseException) -> None:
        """Record that the call ended with an exception."""
        self._fast.time_failed(self._began, _clock(), self._around, error)
