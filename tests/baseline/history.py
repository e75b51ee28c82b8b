"""A real Prometheus whose storage holds a past that the test wrote."""

from __future__ import annotations

import bisect
from collections import Counter
from typing import TYPE_CHECKING, Final

from tests.servers.backends import Prometheus

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from qudag_otel.catalogue import Metric

SCRAPE: Final = 15
"""Seconds between two samples of a series."""

Points = list[tuple[int, float]]
"""(Unix seconds, value)."""


class History:
    """Series, collected as exposition lines.

    Args:
        start: Unix seconds of the first sample.
        end: Unix seconds of the last sample.
    """

    def __init__(self, start: int, end: int) -> None:
        self.times = range(start, end + 1, SCRAPE)
        self.series: Counter[str] = Counter()
        """How many series there are of each name."""
        self._lines: list[str] = []

    def raw(
        self, name: str, labels: Mapping[str, str], points: Iterable[tuple[int, float]]
    ) -> None:
        """A series of any name with these points."""
        text = ",".join(f'{key}="{value}"' for key, value in labels.items())
        self.series[name] += 1
        self._lines.extend(f"{name}{{{text}}} {value} {at}" for at, value in points)

    def add(
        self,
        metric: Metric,
        labels: Mapping[str, str],
        points: Iterable[tuple[int, float]],
        part: str = "",
    ) -> None:
        """A series of the metric with these points."""
        self.raw(f"{metric.prometheus_name}{part}", labels, points)

    def gauge(
        self, metric: Metric, labels: Mapping[str, str], value: Callable[[int], float] | float
    ) -> None:
        """A gauge, constant or a function of the time."""
        self.add(metric, labels, [(at, value(at) if callable(value) else value)
                                  for at in self.times])  # fmt: skip

    def counter(
        self,
        metric: Metric,
        labels: Mapping[str, str],
        rate: Callable[[int], float] | float,
        *,
        noise: random.Random | None = None,
        part: str = "",
    ) -> None:
        """A counter that rises by `rate` a second, give or take a tenth with `noise`."""
        points: Points = []
        total = 0.0
        for at in self.times:
            points.append((at, total))
            speed = rate(at) if callable(rate) else rate
            total += SCRAPE * speed * (noise.uniform(0.9, 1.1) if noise else 1)
        self.add(metric, labels, points, part)

    def durations(
        self,
        metric: Metric,
        labels: Mapping[str, str],
        observed: Callable[[int], Iterable[float]],
    ) -> None:
        """A histogram that observes what `observed` says between two samples."""
        counts = [0] * (len(metric.bounds) + 1)
        rows: list[tuple[int, list[int], float]] = []
        total = 0.0
        for at in self.times:
            rows.append((at, list(counts), total))
            for value in observed(at):
                counts[bisect.bisect_left(metric.bounds, value)] += 1
                total += value
        les = [*(str(bound) for bound in metric.bounds), "+Inf"]
        for index, le in enumerate(les):
            points = [(at, float(sum(row[: index + 1]))) for at, row, _ in rows]
            self.add(metric, {**labels, "le": le}, points, "_bucket")
        self.add(metric, labels, [(at, float(sum(row))) for at, row, _ in rows], "_count")
        self.add(metric, labels, [(at, seconds) for at, _, seconds in rows], "_sum")

    def server(self, folder: Path) -> Prometheus:
        """A Prometheus with this past and without rules, not started yet."""
        rules = folder / "rules"
        rules.mkdir(parents=True)
        server = Prometheus(folder, rules=rules)
        server.backfill("\n".join([*self._lines, ""]))
        return server
