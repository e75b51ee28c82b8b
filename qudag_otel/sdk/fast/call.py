"""Calls in their cheap form: what a finished call leaves behind is one object in one list.

A `FastSpan` is the current span while the function runs. What the body does to it is kept as
tuples and done to a span of the SDK when that is exported; all else about it stands in its call
site. A `FastTimer` is a call without a span, and leaves a tuple. `Engine` drains the list, the
site's records.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanContext, TraceFlags

from qudag_otel._calls.outcome import Outcome
from qudag_otel._otel.context import CALL_KEY, CURRENT, SPAN_KEY, outside
from qudag_otel.sdk.fast import operations as ops
from qudag_otel.sdk.fast.context import OwnContext, Steps
from qudag_otel.sdk.fast.operations import ATTRIBUTE, SCALARS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextvars import Token

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace import Span as SdkSpan
    from opentelemetry.trace import Status, StatusCode
    from opentelemetry.util.types import Attributes as SpanAttributes
    from opentelemetry.util.types import AttributeValue

    from qudag_otel._calls.failure import Failure
    from qudag_otel._calls.site import Site, Values
    from qudag_otel.sdk.fast.site import FastSite

SAMPLED: Final = int(TraceFlags.SAMPLED)
RANDOM: Final = int(TraceFlags.RANDOM_TRACE_ID)

_clock, _now = time.perf_counter_ns, time.time_ns
_get, _set, _reset = CURRENT.get, CURRENT.set, CURRENT.reset


class FastSpan(OwnContext, Span):
    """A call with a span, which is its own context while the call runs.

    A context of its own for each call would cost more than all else: so the span is the context,
    with what else was in the caller's, and itself as the current span.

    `more` is what the body did to the span, in order: see `operations`. `outcome` is None as long
    as the call ended well, or did not end, and there is no `failure` before. `steps` is there for
    calls that pause.
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
            steps.context = Context({**ambient, SPAN_KEY: self, CALL_KEY: self})
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
            try:  # noqa: SIM105 - see leave
                _reset(token)
            except ValueError:  # closed by the garbage collector, in another context
                pass
            return
        if steps is None:
            steps = self.steps = Steps()
            steps.ambient = cast("Context", token.old_value)
        steps.context = steps.shown = current  # of the next step, if that is taken from here
        if current.get(SPAN_KEY) is self:
            steps.shown = outside(cast("Context", steps.ambient), current)
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
        if self.steps is not None:
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
        self.failure = None
        self.outcome = Outcome.ERROR
        try:
            self.site.explain(self, error)
        finally:
            self.site.records.append(self)

    # What the body says of the call.

    @property
    def origin(self) -> Site:
        """The site that it is a call of."""
        return self.site.site

    def say(self, outcome: Outcome, error: str) -> None:
        """Keep how the body says that the call ends."""
        self._do((ops.SAID, outcome, error))

    def move(self, site: Site) -> None:
        """Make it a call of another site."""
        if not self.ended:
            self.site = self.site.moved(site)

    def __repr__(self) -> str:
        return (
            f"FastSpan(name={self.origin.options.operation!r}, context={self.get_span_context()!r})"
        )

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
        if type(value) not in SCALARS:
            value = ops.frozen(value)
        if self.more is None and self.flags & SAMPLED and not self.ended:
            self.more = [(ATTRIBUTE, key, value)]
        else:
            self._do((ATTRIBUTE, key, value))

    def set_attributes(self, attributes: Mapping[str, AttributeValue]) -> None:
        """Set attributes."""
        for key, value in attributes.items():
            self.set_attribute(key, value)

    def add_event(
        self, name: str, attributes: SpanAttributes = None, timestamp: int | None = None
    ) -> None:
        """Add an event."""
        if self.ended or not self.flags & SAMPLED:
            return
        if attributes is not None:
            attributes = ops.copied(attributes)
        one = (ops.EVENT, name, attributes, _now() if timestamp is None else timestamp)
        if self.more is None:
            self.more = [one]
        else:
            self._do(one)

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
        if not self.flags & SAMPLED and operation[0] not in ops.OUTCOMES:
            return  # nobody will see it, but the call has an outcome all the same
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


def _answer(name: str) -> property:
    def read(self: FastSpan) -> Any:
        found: ReadableSpan | SdkSpan = self.site.readable(self)
        return getattr(found, name)

    return property(read)


# One by one: CPython reads the slots of a class with a `__getattr__` ten times slower, which was a
# quarter of a call.
for _name in ops.READABLE - vars(FastSpan).keys():
    setattr(FastSpan, _name, _answer(_name))


class FastTimer:
    """A call without a span; it remembers the span around it, for exemplars."""

    __slots__ = ("_around", "_fast", "_over", "_records", "_said", "began", "given")

    span = INVALID_SPAN
    _said: tuple[Outcome, str] | None

    def __init__(self, fast: FastSite, around: Any, began: int) -> None:
        self._fast = fast
        self._records = fast.records
        self._around = around
        self._said = None
        self._over = False
        self.began = began
        self.given: Values = None

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return (_clock() - self.began) * 1e-9

    def resume(self) -> None:
        """Nothing becomes current."""

    pause = resume

    def leave(self) -> None:
        """Record that the call ended well."""
        self._over = True
        said = self._said
        if said is None:
            self._records.append((self.began, _clock(), self._around))
        else:
            self._records.append((self.began, _clock(), self._around, *said))

    def fail(self, error: BaseException) -> None:
        """Record that the call ended with an exception."""
        self._over = True
        self._fast.time_failed(self.began, _clock(), self._around, error, self._said)

    @property
    def origin(self) -> Site:
        """The site that it is a call of."""
        return self._fast.site

    def say(self, outcome: Outcome, error: str) -> None:
        """Keep how the body says that the call ends."""
        self._said = outcome, error

    def move(self, site: Site) -> None:
        """Make it a call of another site."""
        if not self._over:
            self._fast = self._fast.moved(site)
            self._records = self._fast.records
