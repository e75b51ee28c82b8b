"""A call site's half of the fast path: where its finished calls wait, and what they become."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import set_span_in_context

from qudag_otel._calls.outcome import Outcome, outcome_of
from qudag_otel._otel.spans import sdk_span
from qudag_otel.catalogue import metrics as m
from qudag_otel.errors import error_type
from qudag_otel.instruments import instrument
from qudag_otel.sdk.fast.encode import Template

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace import Span as SdkSpan
    from opentelemetry.trace import Span

    from qudag_otel._calls.site import Site
    from qudag_otel.sdk.fast.call import FastSpan
    from qudag_otel.sdk.fast.engine import Engine

_RECORDS_MANY: Final = 128  # so many are worth a look by the thread that exports
_RECORDS_LIMIT: Final = 512  # a site whose records nobody drained by then does so itself


class FastSite:
    """What the fast calls of a site share.

    Args:
        site: The site.
        engine: The set-up they belong to.
    """

    __slots__ = ("_template", "count", "engine", "expected", "records", "site")

    def __init__(self, site: Site, engine: Engine) -> None:
        self.site = site
        self.engine = engine
        self.expected = site.options.expected
        self.records = site.records
        self.count: Callable[[], int] = site.started.__next__
        self._template: Template | None = None

    def relieve(self) -> None:
        """Drain the records on the caller's time if there are too many: memory stays bounded."""
        waiting = len(self.records)
        if waiting >= _RECORDS_LIMIT:
            self.engine.drain(self)
        elif waiting >= _RECORDS_MANY:
            self.engine.wake()

    def rest(self) -> None:
        """Have the next call tell that there are calls again."""
        self.count = self._roused

    def _roused(self) -> int:
        self.count = self.site.started.__next__
        self.engine.rouse()
        return self.count()

    def time_failed(
        self, began: int, ended: int, around: Span | None, error: BaseException
    ) -> None:
        """Record a call without a span that ended with an exception."""
        self.close(ended - began, around, outcome_of(error, self.expected), error)

    def close(
        self, nanoseconds: int, span: Span | None, outcome: Outcome, error: BaseException
    ) -> None:
        """Record a call that did not end well; rare enough for the public API."""
        site = self.site
        next(site.ended)
        if not site.options.metrics:
            return
        histogram: Any = instrument(m.OPERATION_DURATION)
        labels = site.labels(outcome)
        context = context_of(span)
        histogram.record(nanoseconds * 1e-9, labels, context=context)
        if outcome is Outcome.ERROR:
            site.count_error(error_type(error), context)

    def promote(self, call: FastSpan) -> None:
        """Make a call's span one of the SDK's."""
        call.full = self._span(call, None)

    def end_full(self, call: FastSpan) -> None:
        """End the SDK's span of a call, unless the application did."""
        full = call.full
        if full is not None and full.end_time is None:
            full.end(end_time=self.engine.wall(call.ended))

    def readable(self, call: FastSpan) -> ReadableSpan:
        """A finished call as processors and exporters know spans."""
        catch = _Catch()
        self._span(call, catch).end(end_time=self.engine.wall(call.ended))
        return catch.span

    def template(self, call: FastSpan) -> Template:
        """The constant bytes of this site's spans."""
        if self._template is None:
            self._template = Template(self.readable(call))
        return self._template

    def forget(self) -> None:
        """Forget what belongs to the parent of a forked process: records, resource."""
        self.records.clear()
        self._template = None

    def _span(self, call: FastSpan, processor: SpanProcessor | None) -> SdkSpan:
        options = self.site.options
        span = sdk_span(
            self.engine.tracer,
            name=options.operation,
            context=call.get_span_context(),
            parent=call.parent_context(),
            kind=options.kind,
            attributes=self.site.span_attributes,
            links=options.links,
            processor=processor,
        )
        span.start(start_time=self.engine.wall(call.began))
        return span


def context_of(span: Span | None) -> Context:
    """A context with a span, or an empty one."""
    return Context() if span is None else set_span_in_context(span, Context())


class _Catch(SpanProcessor):
    """Keeps the one span that ends."""

    span: ReadableSpan

    def on_end(self, span: ReadableSpan) -> None:
        self.span = span
