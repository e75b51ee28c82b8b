"""What waited of one series, taken apart for the SDK's storage."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace as trace_api
from opentelemetry.context import Context

from qudag_otel._series.values import PLAIN, number

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_WHOLE: Final = 2**53


class Waiting:
    """Measurements of one attribute set: values that can be exported, those with a span, the rest.

    Args:
        records: Values, or tuples of value, span and time.
        least: The least value that the metric takes; None if it takes any.
    """

    __slots__ = ("_marks", "_now", "bad", "values")

    def __init__(self, records: list[Any], *, least: float | None) -> None:
        self._now = time.time_ns()
        values: list[Any] = [one[0] if type(one) is tuple else one for one in records]
        self.values: Sequence[float] = values
        self.bad: list[float] = []
        if not _usable(values, least):
            kept: list[tuple[float, Any]] = []
            for given, record in zip(values, records, strict=True):
                value = number(given)
                if value is None or (least is not None and value < least):
                    self.bad.append(given)
                else:
                    kept.append((value, record))
            self.values = [value for value, _ in kept]
            records = [record for _, record in kept]
        self._marks: dict[int, Any] = {
            index: one for index, one in enumerate(records) if type(one) is tuple
        }

    def time(self, index: int, /) -> int:
        """When one was made, or now, in nanoseconds since the epoch."""
        mark = self._marks.get(index)
        return self._now if mark is None else mark[2]

    def context(self, index: int, /) -> Context:
        """A context with the span that one was made in."""
        mark = self._marks.get(index)
        return Context() if mark is None else trace_api.set_span_in_context(mark[1], Context())

    def sampled(self) -> Iterator[int]:
        """Those that were made in a sampled span, the last one first."""
        for index in reversed(self._marks):
            if self._marks[index][1].get_span_context().trace_flags.sampled:
                yield index


def _usable(values: Sequence[float], least: float | None) -> bool:
    """Whether all values can be exported as they are."""
    if not PLAIN.issuperset(map(type, values)):
        return False
    total = sum(values)
    # NaN and infinities fail the first, integers beyond 64 bits and overflows the second.
    return (
        total - total == 0 and -_WHOLE < total < _WHOLE and (least is None or min(values) >= least)
    )
