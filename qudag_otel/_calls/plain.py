"""A call observed through the OpenTelemetry API, with whatever providers the application has."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

from opentelemetry import context as context_api
from opentelemetry import trace as trace_api
from opentelemetry.trace import Status, StatusCode

from qudag_otel._calls.outcome import Outcome, outcome_of
from qudag_otel._warnings import warn_once
from qudag_otel.catalogue import metrics as m
from qudag_otel.errors import error_type
from qudag_otel.instruments import instrument, tracer

if TYPE_CHECKING:
    from contextvars import Token

    from opentelemetry.context import Context
    from opentelemetry.metrics import Histogram
    from opentelemetry.trace import Span

    from qudag_otel._calls.site import Attributes, Site


class PlainCall:
    """One call: a span of the application's tracer provider, a record in its meter provider."""

    __slots__ = ("_began", "_context", "_site", "_span", "_token")

    def __init__(self, site: Site, captured: Attributes | None) -> None:
        self._site = site
        self._span: Span | None = None
        self._context: Context | None = None
        self._token: Token[Context] | None = None
        if site.options.spans:
            try:
                self._open(site, captured)
            except Exception as error:  # noqa: BLE001 - a sampler or processor of somebody else
                _complain(site, error)
        next(site.started)
        self._began = time.perf_counter_ns()

    def _open(self, site: Site, captured: Attributes | None) -> None:
        options = site.options
        attributes = {**site.span_attributes, **captured} if captured else site.span_attributes
        self._span = tracer().start_span(
            options.operation, kind=options.kind, attributes=attributes, links=options.links
        )
        self._context = trace_api.set_span_in_context(self._span)

    def resume(self) -> None:
        """Make the call's span current."""
        if self._span is not None:
            current = context_api.get_current()
            # A generator may be resumed where other values are in the context.
            self._context = trace_api.set_span_in_context(self._span, current)
            self._token = context_api.attach(self._context)

    def pause(self) -> None:
        """Give the context back as it was at `resume`."""
        token, self._token = self._token, None
        if token is not None:
            detach(token)

    def _end(self, error: BaseException | None) -> None:
        elapsed = time.perf_counter_ns() - self._began
        site = self._site
        next(site.ended)
        try:
            outcome = outcome_of(error, site.options.expected)
            if site.options.metrics:
                self._measure(outcome, elapsed * 1e-9, error)
            if self._span is not None:
                _finish(self._span, outcome, error)
        except Exception as trouble:  # noqa: BLE001 - see __init__
            _complain(site, trouble)

    def _measure(self, outcome: Outcome, seconds: float, error: BaseException | None) -> None:
        histogram = cast("Histogram", instrument(m.OPERATION_DURATION))
        histogram.record(seconds, self._site.labels(outcome), context=self._context)
        if error is not None and outcome is Outcome.ERROR:
            self._site.count_error(error_type(error), self._context)

    def leave(self) -> None:
        """Pause, and record that the call ended well."""
        self.pause()
        self._end(None)

    def fail(self, error: BaseException) -> None:
        """Pause, and record that the call ended with an exception."""
        self.pause()
        self._end(error)


def bind(site: Site) -> None:
    """Open the site's calls as plain calls."""

    def begin(captured: Attributes | None) -> PlainCall:
        return PlainCall(site, captured)

    def start(captured: Attributes | None) -> PlainCall:
        call = PlainCall(site, captured)
        call.resume()
        return call

    site.begin, site.start, site.timed = begin, start, None


def detach(token: Token[Context]) -> None:
    """Undo an attach; a token of another task or thread is left alone, without a log line.

    A coroutine that is closed by the garbage collector ends in a context that is not its own.
    """
    try:
        token.var.reset(token)
    except ValueError:
        return
    except AttributeError:  # a context implementation of the application's own
        context_api.detach(token)


def describe(span: Span, outcome: Outcome, error: BaseException | None) -> None:
    """Put a call's end on its span: status, exception event, `error.type` or `qudag.outcome`."""
    if error is None:
        return
    if outcome is not Outcome.ERROR:
        span.set_attribute("qudag.outcome", outcome.value)
        return
    span.record_exception(error)
    span.set_attribute("error.type", error_type(error))
    span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {error}"))


def _finish(span: Span, outcome: Outcome, error: BaseException | None) -> None:
    try:
        describe(span, outcome, error)
    finally:
        span.end()


def _complain(site: Site, error: Exception) -> None:
    warn_once(
        f"call:{site.options.operation}:{type(error).__name__}",
        "observing %s failed, and the call went on without it: %r",
        site.options.operation,
        error,
    )
