"""What waited of one series, taken apart for the SDK's storage."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from opentelemetry import trace as trace_api
from opentelemetry.context import Context

from qudag_otel._series.values import number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from opentelemetry.trace import Span

_WHOLE: Final = 2**53


class Waiting:
    """Measurements of one attribute set: those that can be exported, and the rest.

    Args:
        plain: Numbers.
        marked: Numbers with the span that they were made in and their time.
    """

    __slots__ = ("_marked", "_now", "_plain", "bad", "values")

    def __init__(self, plain: list[float], marked: Sequence[tuple[float, Span, int]]) -> None:
        self._now = time.time_ns()
        self._marked = marked
        self.values = [*plain, *[one[0] for one in marked]] if marked else plain
        self.bad: list[float] = []
        total = sum(self.values)
        # Infinities fail the first, integers beyond 64 bits and overflows the second.
        if not (total - total == 0 and -_WHOLE < total < _WHOLE):
            self._sort_out(plain)
        self._plain = len(self.values) - len(self._marked)

    def _sort_out(self, plain: list[float]) -> None:
        def usable(value: float) -> bool:
            if number(value) is not None:
                return True
            self.bad.append(value)
            return False

        kept = [value for value in plain if usable(value)]
        self._marked = [one for one in self._marked if usable(one[0])]
        values = [*kept, *[one[0] for one in self._marked]]
        self.values = [number(value) or 0 for value in values]

    def time(self, index: int, /) -> int:
        """When one was made, or now, in nanoseconds since the epoch."""
        return self._now if index < self._plain else self._marked[index - self._plain][2]

    def context(self, index: int, /) -> Context:
        """A context with the span that one was made in."""
        if index < self._plain:
            return Context()
        return trace_api.set_span_in_context(self._marked[index - self._plain][1], Context())

    def sampled(self) -> Iterator[int]:
        """Those that were made in a sampled span, the last one first."""
        seen, is_sampled = None, False
        for index in range(len(self._marked) - 1, -1, -1):
            span = self._marked[index][1]
            if span is not seen:
                seen, is_sampled = span, span.get_span_context().trace_flags.sampled
            if is_sampled:
                yield self._plain + index
