"""A finished call as processors of spans know it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import ReadableSpan

if TYPE_CHECKING:
    from opentelemetry.trace import SpanContext

    from qudag_otel.sdk.fast.call import FastSpan


class EndedSpan(ReadableSpan):
    """A span of the SDK's that is made when somebody reads more of it than ids and times.

    Who keeps many and looks at few, as a live view does, pays for these few: making one costs ten
    times what a call does.

    Args:
        call: The call, which has ended.
    """

    def __init__(self, call: FastSpan) -> None:
        # Without the SDK's own: what that would set is what `__getattr__` waits for.
        self._call = call
        wall = call.site.engine.wall
        self._times = wall(call.began), wall(call.ended)  # by the clock as it is now

    def get_span_context(self) -> SpanContext:
        """Its ids."""
        return self._call.get_span_context()

    @property
    def context(self) -> SpanContext:
        """Its ids."""
        return self._call.get_span_context()

    @property
    def parent(self) -> SpanContext | None:
        """The ids of its parent; None for a root."""
        return self._call.parent

    @property
    def start_time(self) -> int:
        """Nanoseconds since the epoch."""
        return self._times[0]

    @property
    def end_time(self) -> int:
        """Nanoseconds since the epoch."""
        return self._times[1]

    def __getattr__(self, name: str) -> Any:
        # A copy is asked for these before it has anything.
        if name.startswith("__") or name in {"_call", "_times"}:
            raise AttributeError(name)
        made = self._call.site.readable(self._call)
        vars(self).update(getattr(made, "__dict__", {}))
        return getattr(made, name)
