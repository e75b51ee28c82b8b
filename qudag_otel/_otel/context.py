"""The current span without a function call in between, where OpenTelemetry's API allows it.

These are private names of the API: `CURRENT` is None where they are not as they were tested, and
whoever uses it then goes through the public functions.
"""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry import context as context_api
from opentelemetry import trace as trace_api
from opentelemetry.context import Context

if TYPE_CHECKING:
    from collections.abc import Generator
    from contextlib import AbstractContextManager


def _variable() -> ContextVar[Context] | None:
    """The variable behind `get_current`, where contexts live in one."""
    runtime = getattr(context_api, "_RUNTIME_CONTEXT", None)
    variable: Any = getattr(runtime, "_current_context", None)
    return cast("ContextVar[Context]", variable) if isinstance(variable, ContextVar) else None


def _key() -> str | None:
    """The key under which `set_span_in_context` puts a span."""
    marker = trace_api.NonRecordingSpan(trace_api.INVALID_SPAN_CONTEXT)
    made = trace_api.set_span_in_context(marker, Context())
    keys = [key for key, value in made.items() if value is marker]
    return keys[0] if len(keys) == 1 else None


_found = _variable()
SUPPORTED: Final = _found is not None and _key() is not None
CURRENT: Final[ContextVar[Context]] = _found or ContextVar("unused", default=Context())  # noqa: B039 - a Context is immutable
SPAN_KEY: Final = _key() or ""
CALL_KEY: Final = "qudag.call"
"""Where a context names the call that it is inside of, whatever other spans were begun since."""
current: Final = CURRENT.get if SUPPORTED else context_api.get_current
"""The current context."""
SUPPRESSED: Final = tuple(
    key
    for key in (
        getattr(context_api, "_SUPPRESS_INSTRUMENTATION_KEY", None),
        "suppress_instrumentation",
    )
    if isinstance(key, str)
)
"""What the SDK's exporters and `suppress_instrumentation` of the instrumentations set."""


def suppressed() -> bool:
    """Whether somebody asked that nothing be observed in the current context."""
    here = context_api.get_current()
    return bool(here) and any(here.get(key) for key in SUPPRESSED)


def suppressing() -> AbstractContextManager[None]:
    """Ask that of the instrumentations during a block."""
    return running_in(Context({**context_api.get_current(), **dict.fromkeys(SUPPRESSED, True)}))


def call_in(context: Context) -> Any:
    """The call that a context is inside of, or None; on the fast path a call is a context."""
    return context if isinstance(context, trace_api.Span) else context.get(CALL_KEY)


def inside(call: Any, span: trace_api.Span | None, context: Context) -> Context:
    """A context inside of a call, and of its span if it has one."""
    values: dict[str, object] = {**context, CALL_KEY: call}
    return Context(values) if span is None else trace_api.set_span_in_context(span, Context(values))


def outside(ambient: Context, context: Context) -> Context:
    """A context with what was attached inside of a call, and the call and span around that."""
    values: dict[str, object] = {**context, CALL_KEY: call_in(ambient)}
    if values[CALL_KEY] is None:
        del values[CALL_KEY]
    around = ambient.get(SPAN_KEY)
    if around is None:
        values.pop(SPAN_KEY, None)
    else:
        values[SPAN_KEY] = around
    return Context(values)


@contextmanager
def running_in(context: Context) -> Generator[None]:
    """Make a context current during a block, whatever is attached there and not detached."""
    token = context_api.attach(context)
    try:
        yield
    finally:
        detach(token)


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
