"""A call site's half of the fast path: where its finished calls wait, and what they become."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import set_span_in_context

from qudag_otel import identity
from qudag_otel._calls.failure import describe, failure_of
from qudag_otel._calls.outcome import Outcome, outcome_of
from qudag_otel._calls.plain import complain
from qudag_otel._calls.signal import SIGNALS, emit
from qudag_otel._foreign import interrupts
from qudag_otel._otel.spans import readable, sdk_span
from qudag_otel._redact import texts
from qudag_otel.errors import error_type
from qudag_otel.sdk import _redacting as redacting
from qudag_otel.sdk.fast import operations as ops
from qudag_otel.sdk.fast.call import FastTimer
from qudag_otel.sdk.fast.encode import Template, encoded, failed

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
_UNTOLD: Final = (Outcome.OK, Outcome.ERROR)
RECORDS_LIMIT: Final = 2048  # a site whose records nobody drained by then does so itself
_NOTES_LIMIT: Final = 1000


class FastSite:
    """What the fast calls of a site share.

    Args:
        site: The site.
        engine: The set-up they belong to.
    """

    __slots__ = ("_constant", "_epoch", "_template", "count", "engine", "notes", "records", "site")

    def __init__(self, site: Site, engine: Engine) -> None:
        self.site = site
        self.engine = engine
        self.records = site.records
        self.count: Callable[[], int] = site.started.__next__
        self.notes: dict[int, Note] = {}
        self._constant: frozenset[str] | None = None
        self._template: Template | None = None
        self._epoch = -1

    def relieve(self) -> None:
        """Drain the records on the caller's time if there are too many: memory stays bounded."""
        self.engine.sample(spans=self.site.options.spans)
        waiting = len(self.records)
        if waiting >= self.engine.most:
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
            said = ops.said(call.more)
            outcome = said[1] if said else outcome_of(error, options.expected, options.ends)
            if outcome is Outcome.ERROR and not (said and said[2]):
                call.failure = failure_of(error, call.span_id, call.began)
                if SIGNALS.logs:
                    emit(call.failure, call.get_span_context())
            call.outcome = outcome
        except BaseException as trouble:  # the application meets its own exception
            if interrupts(trouble):
                raise
            complain(self.site, trouble)

    def time_failed(
        self,
        began: int,
        ended: int,
        around: Span | None,
        error: BaseException,
        said: tuple[Outcome, str] | None = None,
    ) -> None:
        """Record a call without a span that ended with an exception."""
        outcome, name = Outcome.ERROR, ""
        try:
            options = self.site.options
            outcome, name = said or (outcome_of(error, options.expected, options.ends), "")
            name = name or error_type(error)
        except BaseException as trouble:  # the application meets its own exception
            if interrupts(trouble):
                raise
            complain(self.site, trouble)
        finally:
            self.records.append((began, ended, around, outcome, name))

    def resumed(self, began: int, around: Span | None) -> Call:
        """A call that has begun already."""
        return FastTimer(self, around, began)

    def moved(self, site: Site) -> FastSite:
        """Where a call in flight goes that is one of another site from now on."""
        if site is self.site or self.records is not self.site.records:
            return self  # the latter is a call of the parent of this forked process
        other = self.engine.half(site)
        next(self.site.ended)
        other.count()
        return other

    def note(self, began: int) -> Note:
        """What is said of a call without a span that began then, and left nothing but that."""
        found = self.notes.get(began)
        if found is None:
            while len(self.notes) >= _NOTES_LIMIT:  # of calls that ended before
                del self.notes[next(iter(self.notes))]
            found = self.notes[began] = Note(self.site)
        return found

    def noted(self, calls: list[Any]) -> dict[Site, list[Any]]:
        """Calls without spans by their operation, each with what was said of it."""
        found: dict[Site, list[Any]] = {}
        for call in calls:
            note = self.notes.pop(call[0], None)
            one, site = call, self.site
            if note is not None:
                site = note.site
                if note.said is not None:
                    outcome, error = note.said
                    one = (*call[:3], outcome, error or (call[4] if call[4:] else ""))
            found.setdefault(site, []).append(one)
        return found

    def settle(self, call: FastSpan) -> None:
        """Make a call's span the SDK's, which bounds it by its limits."""
        operations = call.more or []
        said = ops.said(operations)
        if operations[0][0] is not ops.FULL:
            full = self._span(call, _Catch(), call.given)
            ops.perform(full, operations)
            operations = call.more = [(ops.FULL, full)]
        else:
            full = operations[0][1]
            late = operations[1:]
            del operations[1:]
            ops.perform(full, late)
        if said is not None:
            operations.append(said)

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
            for key, value in self.site.late(call.given):
                span.set_attribute(key, value)
            said = ops.said(operations)
            failure = call.failure if call.outcome else None
            describe(span, call.outcome or (said[1] if said else Outcome.OK), failure, at)
            span.end(end_time=at)
        return readable(span)

    def template(self, call: FastSpan) -> Template:
        """The constant bytes of this site's spans."""
        # Both only grow: their sum changes with either.
        epoch = identity.STATE.epoch + texts.epoch()
        if self._template is None or self._epoch != epoch:
            self._epoch = epoch
            span = self._span(call, _Catch(), None)
            span.end(end_time=self.engine.wall(call.ended))
            self._template = Template(redacting.span(readable(span)))
        return self._template

    def values(self, call: FastSpan) -> bytes | None:
        """The bytes of what a call adds to the constant ones; None if it is more than these."""
        if call.given is None and call.more is None and call.outcome is None:
            return b"" if self.engine.unlimited else None
        found = self._added(call) if self.engine.unlimited else None
        values = None if found is None else encoded(found)
        failure = call.failure if call.outcome is not None else None
        if values is None or failure is None:
            return values
        return values + failed(failure, self.engine.wall(call.ended) if SIGNALS.events else 0)

    def _added(self, call: FastSpan) -> list[tuple[str, Any]] | None:
        """The attributes that a call adds to those of its site; None if it does more than that."""
        given, more, outcome = call.given, call.more, call.outcome
        found = [
            (key, value)
            for key, value in zip(self.site.options.varying, given or (), strict=False)
            if value is not None
        ]
        for operation in more or ():
            if operation[0] is not ops.ATTRIBUTE:
                return None
            found.append(operation[1:])
        if self.site.options.late:
            found += self.site.late(given)
        if outcome is not None:
            if call.failure is not None:
                found.append(("error.type", call.failure.type))
            elif outcome not in _UNTOLD:
                found.append(("qudag.outcome", outcome.value))
        if len(found) > _VALUES_LIMIT:
            return None
        if more is not None:
            keys = {key for key, _ in found}
            if len(keys) < len(found) or not keys.isdisjoint(self._keys()):
                return None  # one takes another's place
        return found

    def _keys(self) -> frozenset[str]:
        """The attributes that every span of this site has."""
        found = self._constant
        if found is None:
            found = self._constant = frozenset(self.site.span_attributes)
        return found

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


class Note:
    """What is said of a call without a span while it runs.

    Args:
        site: The operation that it is a call of.
    """

    __slots__ = ("said", "site")

    said: tuple[Outcome, str] | None

    def __init__(self, site: Site) -> None:
        self.site = site
        self.said = None


def context_of(span: Span | None) -> Context:
    """A context with a span, or an empty one."""
    return Context() if span is None else set_span_in_context(span, Context())


class _Catch(SpanProcessor):
    """Tells nobody."""
