"""The finished calls of a site as measurements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qudag_otel.sdk.fast.site import context_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.context import Context

    from qudag_otel.sdk.fast.call import FastSpan


class SpanBatch:
    """Calls with spans of their own.

    Args:
        calls: The calls.
        offset: What turns their clock into nanoseconds since the epoch.
    """

    def __init__(self, calls: list[FastSpan], offset: int) -> None:
        self._calls = calls
        self._offset = offset
        self.values = [(call.ended - call.began) * 1e-9 for call in calls]

    def time(self, index: int) -> int:
        """When one ended."""
        return self._calls[index].ended + self._offset

    def context(self, index: int) -> Context:
        """A context with its span."""
        return context_of(self._calls[index])

    def sampled(self) -> Iterator[int]:
        """Those whose span is sampled, the last one first."""
        calls = self._calls
        return (index for index in reversed(range(len(calls))) if calls[index].flags & 1)


class TimerBatch:
    """Calls without spans: begin, end, and the span around.

    Args:
        calls: The calls.
        offset: What turns their clock into nanoseconds since the epoch.
    """

    def __init__(self, calls: list[tuple[Any, ...]], offset: int) -> None:
        self._calls = calls
        self._offset = offset
        self.values = [(ended - began) * 1e-9 for began, ended, *_ in calls]

    def time(self, index: int) -> int:
        """When one ended."""
        ended: int = self._calls[index][1]
        return ended + self._offset

    def context(self, index: int) -> Context:
        """A context with the span around it."""
        return context_of(self._calls[index][2])

    def sampled(self) -> Iterator[int]:
        """Those inside a sampled span, the last one first."""
        calls = self._calls
        for index in reversed(range(len(calls))):
            around = calls[index][2]
            if around is not None and around.get_span_context().trace_flags.sampled:
                yield index
