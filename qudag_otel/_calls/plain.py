"""A call observed through the OpenTelemetry API, with whatever providers the application has."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any, cast

from opentelemetry import context as context_api
from opentelemetry import trace as trace_api
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, Status, StatusCode

from qudag_otel._calls.failure import describe, failure_of, text_of
from qudag_otel._calls.outcome import Outcome, outcome_of
from qudag_otel._calls.signal import SIGNALS, emit
from qudag_otel._otel.context import detach, suppressed
from qudag_otel._warnings import warn_once
from qudag_otel.catalogue import metrics as m
from qudag_otel.errors import error_type
from qudag_otel.instruments import instrument, tracer

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.metrics import Histogram
    from opentelemetry.trace import Span

    from qudag_otel._calls.site import Call, Site, Values


class PlainCall:
    """One call: a span of the application's tracer provider, a record in its meter provider."""

    __slots__ = (
        "_ambient", "_began", "_context", "_ended", "_shown", "_site", "_token", "span",
    )  # fmt: skip

    span: Span

    def __init__(self, site: Site, values: Values) -> None:
        self._site = site
        self.span = INVALID_SPAN
        self._ambient: Context | None = None
        self._context: Context | None = None
        self._shown: Context | None = None
        self._token: Token[Context] | None = None
        if site.options.spans:
            guarded(site, self._open, values)
        self._ended = site.ended
        self._began = time.perf_counter_ns()
        next(site.started)

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return (time.perf_counter_ns() - self._began) * 1e-9

    def _open(self, values: Values) -> None:
        options = self._site.options
        span = tracer().start_span(
            options.operation,
            kind=options.kind,
            attributes=self._site.attributes(values),
            links=options.links,
        )
        self.span = _Unsampled(span) if type(span) is NonRecordingSpan else span
        self._context = trace_api.set_span_in_context(self.span)

    def resume(self) -> None:
        """Make the call's span current."""
        if self._context is None:
            return
        ambient = context_api.get_current()
        if ambient is not self._shown:  # a generator may be resumed where other values are
            self._ambient = ambient
            self._context = trace_api.set_span_in_context(self.span, ambient)
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
            around = trace_api.get_current_span(self._ambient)
            self._shown = trace_api.set_span_in_context(around, current)
            context_api.attach(self._shown)

    def leave(self) -> None:
        """Give the context back, and record that the call ended well."""
        self._end(None)

    def fail(self, error: BaseException) -> None:
        """Give the context back, and record that the call ended with an exception."""
        self._end(error)

    def _end(self, error: BaseException | None) -> None:
        elapsed = time.perf_counter_ns() - self._began
        token, self._token = self._token, None
        if token is not None:
            detach(token)
        site = self._site
        if self._ended is not site.ended:
            return  # the parent of this forked process ends the call, too, and tells of it
        next(site.ended)
        outcome = guarded(site, outcome_of, error, site.options.expected, site.options.ends)
        outcome = outcome or Outcome.ERROR
        failure = None
        if error is not None and outcome is Outcome.ERROR:
            own = self.span.get_span_context()
            failure = guarded(site, failure_of, error, own.span_id, self._began)
            if SIGNALS.logs and failure is not None and self._context is not None:
                guarded(site, emit, failure, own)
        if outcome is Outcome.OK and guarded(site, _says_error, self.span):
            outcome = Outcome.ERROR
        if site.options.metrics:
            guarded(site, self._measure, outcome, elapsed * 1e-9, error if failure else None)
        if self._context is not None:
            guarded(site, describe, self.span, outcome, failure)
            guarded(site, self.span.end)

    def _measure(self, outcome: Outcome, seconds: float, error: BaseException | None) -> None:
        histogram = cast("Histogram", instrument(m.OPERATION_DURATION))
        histogram.record(seconds, self._site.labels(outcome), context=self._context)
        if error is not None:
            self._site.count_error(error_type(error), self._context)


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
    span = INVALID_SPAN

    def resume(self) -> None:
        """Nothing becomes current."""

    def fail(self, error: BaseException) -> None:
        """Record nothing."""

    pause = leave = resume


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
    except Exception as error:  # noqa: BLE001 - samplers, processors, reservoirs, str() of others
        complain(site, error)
        return None


def complain(site: Site, error: Exception) -> None:
    """Say once for each operation and kind of trouble that a call was not fully observed."""
    name = type(error).__name__
    operation = site.options.operation
    with contextlib.suppress(Exception):  # a logging handler of somebody else
        warn_once(
            f"call:{operation}:{name}",
            "observing %s failed, and the call went on without it: %s: %s",
            operation,
            name,
            text_of(error),
        )


def _says_error(span: Span) -> bool:
    """Whether the body set the span's status to an error; only the SDK's spans can tell."""
    status = getattr(span, "status", None)
    return status is not None and status.status_code is StatusCode.ERROR
