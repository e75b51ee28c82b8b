"""A call site's half of the fast path: where its finished calls wait, and what they become."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import set_span_in_context

from qudag_otel import identity
from qudag_otel._calls.failure import describe, failure_of
from qudag_otel._calls.outcome import Outcome, outcome_of
from qudag_otel._calls.plain import complain
from qudag_otel._calls.signal import SIGNALS, emit
from qudag_otel._otel.spans import readable, sdk_span
from qudag_otel.errors import error_type
from qudag_otel.sdk.export import redacting
from qudag_otel.sdk.fast import operations as ops
from qudag_otel.sdk.fast.call import FastTimer
from qudag_otel.sdk.fast.encode import Template, encoded

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace import Span as SdkSpan
    from opentelemetry.trace import Span

    from qudag_otel._calls.site import Call, Site, Values
    from qudag_otel.sdk.fast.call import FastSpan
    from qudag_otel.sdk.fast.engine import Engine

_RECORDS_MANY: Final = 128  # so many are worth a look by the thread that exports
_VALUES_LIMIT: Final = 32  # together with a site's own still below any ordinary limit of a span
_RECORDS_LIMIT: Final = 512  # a site whose records nobody drained by then does so itself


class FastSite:
    """What the fast calls of a site share.

    Args:
        site: The site.
        engine: The set-up they belong to.
    """

    __slots__ = ("_epoch", "_template", "count", "engine", "records", "site")

    def __init__(self, site: Site, engine: Engine) -> None:
        self.site = site
        self.engine = engine
        self.records = site.records
        self.count: Callable[[], int] = site.started.__next__
        self._template: Template | None = None
        self._epoch = -1

    def relieve(self) -> None:
        """Drain the records on the caller's time if there are too many: memory stays bounded."""
        self.engine.sample(spans=self.site.options.spans)
        waiting = len(self.records)
        if waiting >= _RECORDS_LIMIT:
            self.engine.relieve(self)
        elif waiting >= _RECORDS_MANY:
            self.engine.wake()

    def rest(self) -> None:
        """Have the next call tell that there are calls again."""
        self.count = self._roused

    def _roused(self) -> int:
        self.count = self.site.started.__next__
        self.engine.rouse()
        return self.count()

    def explain(self, call: FastSpan, error: BaseException) -> None:
        """Note how a call ended that raised."""
        try:
            options = self.site.options
            outcome = outcome_of(error, options.expected, options.ends)
            if outcome is Outcome.ERROR:
                call.failure = failure_of(error, call.span_id, call.began)
                if SIGNALS.logs:
                    emit(call.failure, call.get_span_context())
            call.outcome = outcome
        except Exception as trouble:  # noqa: BLE001 - the application meets its own exception
            complain(self.site, trouble)

    def time_failed(
        self, began: int, ended: int, around: Span | None, error: BaseException
    ) -> None:
        """Record a call without a span that ended with an exception."""
        outcome, name = Outcome.ERROR, ""
        try:
            options = self.site.options
            outcome = outcome_of(error, options.expected, options.ends)
            name = error_type(error)
        except Exception as trouble:  # noqa: BLE001 - the application meets its own exception
            complain(self.site, trouble)
        finally:
            self.records.append((began, ended, around, outcome, name))

    def resumed(self, began: int, around: Span | None) -> Call:
        """A call that has begun already."""
        return FastTimer(self, around, began)

    def settle(self, call: FastSpan) -> None:
        """Make a call's span the SDK's, which bounds it by its limits."""
        operations = call.more or []
        if operations[0][0] is not ops.FULL:
            full = self._span(call, _Catch(), call.given)
            call.more = [(ops.FULL, full)]
            ops.perform(full, operations)
        else:
            full = operations[0][1]
            late = operations[1:]
            del operations[1:]
            ops.perform(full, late)

    def readable(self, call: FastSpan) -> ReadableSpan:
        """A call as processors and exporters know spans: as it is now, ended if it has ended."""
        operations = call.more or []
        span: SdkSpan
        if operations and operations[0][0] is ops.FULL:
            self.settle(call)
            span = operations[0][1]
        else:
            span = self._span(call, _Catch(), call.given)
            ops.perform(span, operations)
        if call.ended and span.end_time is None:
            at = self.engine.wall(call.ended)
            describe(span, call.outcome or Outcome.OK, call.failure, at)
            span.end(end_time=at)
        return readable(span)

    def template(self, call: FastSpan) -> Template:
        """The constant bytes of this site's spans."""
        if self._template is None or self._epoch != identity.STATE.epoch:
            self._epoch = identity.STATE.epoch
            span = self._span(call, _Catch(), None)
            span.end(end_time=self.engine.wall(call.ended))
            self._template = Template(redacting.span(readable(span)))
        return self._template

    def values(self, call: FastSpan) -> bytes | None:
        """The bytes of what a call adds to the constant ones; None if it is more than values."""
        given, more = call.given, call.more
        if call.outcome is not None or not self.engine.unlimited:
            return None
        if given is None and more is None:
            return b""
        found = [
            (key, value)
            for key, value in zip(self.site.options.varying, given or (), strict=False)
            if value is not None
        ]
        for operation in more or ():
            if operation[0] is not ops.ATTRIBUTE:
                return None
            found.append(operation[1:])
        if len(found) > _VALUES_LIMIT:
            return None
        if more is not None:
            keys = {key for key, _ in found}
            if len(keys) < len(found) or not keys.isdisjoint(self.site.span_attributes):
                return None  # one takes another's place
        return encoded(found)

    def _span(self, call: FastSpan, processor: SpanProcessor | None, given: Values) -> SdkSpan:
        options = self.site.options
        span = sdk_span(
            self.engine.tracer,
            name=options.operation,
            context=call.get_span_context(),
            parent=call.parent,
            kind=options.kind,
            attributes=self.site.attributes(given),
            links=options.links,
            processor=processor,
        )
        span.start(start_time=self.engine.wall(call.began))
        return span


def context_of(span: Span | None) -> Context:
    """A context with a span, or an empty one."""
    return Context() if span is None else set_span_in_context(span, Context())


class _Catch(SpanProcessor):
    """Tells nobody."""
