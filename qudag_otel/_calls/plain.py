"""A call observed through the OpenTelemetry API, with whatever providers the application has."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, cast

from opentelemetry import context as context_api
from opentelemetry import trace as trace_api
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, Status, StatusCode

from qudag_otel._calls.failure import describe, failure_of, text_of
from qudag_otel._calls.outcome import Outcome, outcome_of
from qudag_otel._calls.signal import SIGNALS, emit
from qudag_otel._foreign import interrupts
from qudag_otel._otel.context import detach, inside, outside, suppressed
from qudag_otel._warnings import warn_once
from qudag_otel.catalogue import metrics as m
from qudag_otel.errors import error_type
from qudag_otel.instruments import instrument, tracer

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Token

    from opentelemetry.metrics import Histogram
    from opentelemetry.trace import Span

    from qudag_otel._calls.site import Call, Site, Values


class PlainCall:
    """One call: a span of the application's tracer provider, a record in its meter provider."""

    __slots__ = (
        "_ambient", "_context", "_ended", "_given", "_said", "_shown", "_site", "_token", "began",
        "ended", "outcome", "span",
    )  # fmt: skip

    span: Span

    def __init__(self, site: Site, values: Values) -> None:
        self._site = site
        self._given = values
        self.span = INVALID_SPAN
        self.outcome: Outcome | None = None
        self.ended = 0
        self._ambient: Context | None = None
        self._context: Context | None = None
        self._shown: Context | None = None
        self._token: Token[Context] | None = None
        if site.options.spans:
            guarded(site, self._open, values)
        self._said: tuple[Outcome, str] | None = None
        self._ended: object = site.ended
        self.began = time.perf_counter_ns()
        next(site.started)

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return (time.perf_counter_ns() - self.began) * 1e-9

    @property
    def given(self) -> Values:
        """What it tells of itself."""
        return self._given

    @given.setter
    def given(self, values: Values) -> None:
        self._given = values
        for key, value in self._site.late(values):
            guarded(self._site, self.span.set_attribute, key, value)

    @property
    def flags(self) -> int:
        """The flags of its trace."""
        return int(self.span.get_span_context().trace_flags)

    def _open(self, values: Values) -> None:
        options = self._site.options
        span = tracer().start_span(
            options.operation,
            kind=options.kind,
            attributes=self._site.attributes(values),
            links=options.links,
        )
        self.span = _Unsampled(span) if type(span) is NonRecordingSpan else span
        self._context = inside(self, self.span, context_api.get_current())

    def resume(self) -> None:
        """Make the call's span current."""
        if self._context is None:
            return
        ambient = context_api.get_current()
        if ambient is not self._shown:  # a generator may be resumed where other values are
            self._ambient = ambient
            self._context = inside(self, self.span, ambient)
            self._shown = None
        self._token = context_api.attach(self._context)

    def pause(self) -> None:
        """Give the context back as it was at `resume`, with what the body attached since."""
        token, self._token = self._token, None
        if token is None:
            return
        current = context_api.get_current()
        if current is self._context:
            detach(token)
            return
        self._context = self._shown = current  # of the next step, if that is taken from here
        if trace_api.get_current_span(current) is self.span:
            self._shown = outside(self._ambient or Context(), current)
            context_api.attach(self._shown)

    def leave(self) -> None:
        """Give the context back, and record that the call ended well."""
        self._end(None)

    def fail(self, error: BaseException) -> None:
        """Give the context back, and record that the call ended with an exception."""
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        self.ended = time.perf_counter_ns()
        token, self._token = self._token, None
        if token is not None:
            detach(token)
        site = self._site
        if self._ended is not site.ended:
            return  # the parent of this forked process ends the call, too, and tells of it
        next(site.ended)
        self._ended = None
        said, failed = self._said or (None, "")
        outcome = said or guarded(site, outcome_of, error, site.options.expected, site.options.ends)
        outcome = outcome or Outcome.ERROR
        failure = None
        if error is not None and outcome is Outcome.ERROR and not failed:
            own = self.span.get_span_context()
            failure = guarded(site, failure_of, error, own.span_id, self.began)
            failed = error_type(error) if failure else ""
            if SIGNALS.logs and failure is not None and self._context is not None:
                guarded(site, emit, failure, own)
        if outcome is Outcome.OK and said is None and guarded(site, _says_error, self.span):
            outcome = Outcome.ERROR
        if site.options.metrics:
            seconds = (self.ended - self.began) * 1e-9
            guarded(site, self._measure, outcome, seconds, failed)
        if site.tally is not None:
            self.outcome = None if error is None else outcome
            guarded(site, site.tally, (self,), time.time_ns() - time.perf_counter_ns())
        if self._context is not None:
            guarded(site, describe, self.span, outcome, failure)
            guarded(site, self.span.end)

    def _measure(self, outcome: Outcome, seconds: float, error: str) -> None:
        histogram = cast("Histogram", instrument(m.OPERATION_DURATION))
        histogram.record(seconds, self._site.labels(outcome), context=self._context)
        if error and outcome is Outcome.ERROR:
            self._site.count_error(error, self._context)

    @property
    def origin(self) -> Site:
        """The site that it is a call of."""
        return self._site

    def say(self, outcome: Outcome, error: str) -> None:
        """Keep how the body says that the call ends."""
        self._said = outcome, error

    def move(self, site: Site) -> None:
        """Make it a call of another site."""
        if self._ended is not self._site.ended:
            return  # it has ended, or is the parent's of this forked process
        next(self._site.ended)
        next(site.started)
        self._site, self._ended = site, site.ended
        self.span.update_name(site.options.operation)


class _Unsampled(NonRecordingSpan):
    """A span that nobody will see; its status is the outcome of a call all the same."""

    def __init__(self, span: Span) -> None:
        super().__init__(span.get_span_context())
        self.status = Status()

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Keep the status as a sampled span would: what is OK stays OK."""
        del description
        code = status.status_code if isinstance(status, Status) else status
        if self.status.status_code is not StatusCode.OK and code is not StatusCode.UNSET:
            self.status = Status(code)


class SilentCall:
    """A call that leaves nothing: somebody asked for quiet, as exporters do while they send."""

    seconds = 0.0
    origin = None
    span = INVALID_SPAN
    began = 1 << 63  # so that it has not lasted long

    @property
    def given(self) -> Values:
        """Nothing."""
        return None

    @given.setter
    def given(self, values: Values) -> None:
        """Forget it."""

    def resume(self) -> None:
        """Nothing becomes current."""

    def fail(self, error: BaseException) -> None:
        """Record nothing."""

    pause = leave = resume

    def say(self, outcome: Outcome, error: str) -> None:
        """Keep nothing."""

    def move(self, site: Site) -> None:
        """Keep no site."""


SILENT = SilentCall()


def bind(site: Site) -> None:
    """Open the site's calls as plain calls."""

    def begin(values: Values) -> Call:
        return SILENT if suppressed() else PlainCall(site, values)

    def start(values: Values) -> Call:
        if suppressed():
            return SILENT
        call = PlainCall(site, values)
        call.resume()
        return call

    site.begin, site.start, site.timed = begin, start, None


def guarded(site: Site, step: Callable[..., Any], *arguments: Any) -> Any:
    """Take a step that may meet somebody else's code; if it fails, the call goes on without it.

    Returns:
        What the step returned; None if it failed.
    """
    try:
        return step(*arguments)
    except BaseException as error:  # samplers, processors, reservoirs, str() of others
        if interrupts(error):
            raise
        complain(site, error)
        return None


def complain(site: Site, error: BaseException) -> None:
    """Say once for each operation and kind of trouble that a call was not fully observed."""
    name = type(error).__name__
    operation = site.options.operation
    try:
        warn_once(
            f"call:{operation}:{name}",
            "observing %s failed, and the call went on without it: %s: %s",
            operation,
            name,
            text_of(error),
        )
    except BaseException as trouble:  # no depth is left
        if interrupts(trouble):
            raise


def _says_error(span: Span) -> bool:
    """Whether the body set the span's status to an error; only the SDK's spans can tell."""
    status = getattr(span, "status", None)
    return status is not None and status.status_code is StatusCode.ERROR
