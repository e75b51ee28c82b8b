"""What a recording is: a window of time, and per series one row of numbers a step."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from qudag_otel.baseline._errors import BaselineError
from qudag_otel.catalogue import attributes as a

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_OWNERS: Final = {a.NODE_ID.key, a.SWARM_ID.key}

Row = tuple[float, ...] | None
"""The numbers of one step, in the order of the measure's columns; None where there was no data."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """A stretch of time, cut into steps of equal length.

    Args:
        end: Its end, in Unix seconds.
        steps: How many steps it has.
        step: The length of one, in seconds.
    """

    end: int
    steps: int
    step: int

    @property
    def start(self) -> int:
        """Its begin, in Unix seconds."""
        return self.end - self.steps * self.step


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One measure of one node, pool, task type, ...

    Args:
        measure: The measure's name.
        labels: What tells it from the measure's other series.
        bounds: The finite upper bucket bounds, ascending; empty if it is no histogram.
        rows: One a step. A histogram's row counts the observations of each bucket, the last
            above all bounds.
    """

    measure: str
    labels: Mapping[str, str]
    bounds: tuple[float, ...] = ()
    rows: tuple[Row, ...]

    @property
    def key(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """What the same series has in another recording."""
        return self.measure, tuple(sorted(self.labels.items()))

    @property
    def coverage(self) -> float:
        """The share of its steps that have data, 0 to 1."""
        return sum(row is not None for row in self.rows) / max(len(self.rows), 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """All series of one window.

    Args:
        source: The Prometheus they came from, without credentials.
        window: When.
        filters: The labels that were asked for, empty for all.
        series: Sorted by `Series.key`.
        dropped: How many values were NaN or infinite, and are left out.
    """

    source: str
    window: Window
    filters: Mapping[str, tuple[str, ...]]
    series: tuple[Series, ...]
    dropped: int = 0


def narrowed(
    recording: Recording, measures: Collection[str], filters: Mapping[str, tuple[str, ...]]
) -> Recording:
    """What a recording of only these measures and labels would have held.

    Args:
        recording: The whole.
        measures: Names of the measures to keep.
        filters: Label to the values to keep; an owner's label does not concern other owners.

    Raises:
        BaselineError: a label is asked for that the series do not tell apart.
    """
    for label, values in filters.items():
        told_apart = label in _OWNERS or any(label in one.labels for one in recording.series)
        if not told_apart and recording.filters.get(label) != values:
            raise BaselineError(
                f"the baseline was not recorded with --match {label}={values[0]}, and its series "
                "do not tell: record it again with the same filter"
            )
    kept = tuple(
        one
        for one in recording.series
        if one.measure in measures
        and all(one.labels.get(label, values[0]) in values for label, values in filters.items())
    )
    if not kept:
        raise BaselineError("nothing in the baseline matches the filters: look with `show`")
    return replace(recording, series=kept)
