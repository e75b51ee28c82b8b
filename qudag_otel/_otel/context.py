"""The current span without a function call in between, where OpenTelemetry's API allows it.

These are private names of the API: `CURRENT` is None where they are not as they were tested, and
whoever uses it then goes through the public functions.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any, Final, cast

from opentelemetry import context as context_api
from opentelemetry import trace as trace_api
from opentelemetry.context import Context


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
