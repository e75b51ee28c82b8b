"""What several scrapes say together: rates, quantiles and gauges of catalogue metrics."""

from __future__ import annotations

import math
from collections import deque
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeAlias

from qudag_otel._query import histogram

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from qudag_otel.catalogue import Metric
    from qudag_otel.cli._scrape import Labels, Snapshot

WINDOW_SECONDS: Final = 10.0
"""Over how long rates and quantiles are taken."""

Group: TypeAlias = tuple[str, ...]


class History:
    """The scrapes of the last seconds, of any number of endpoints.

    Args:
        window_seconds: Over how long rates and quantiles are taken.
    """

    def __init__(self, window_seconds: float = WINDOW_SECONDS) -> None:
        self._window = window_seconds
        self._scrapes: dict[str, deque[Snapshot]] = {}

    def add(self, snapshots: Iterable[Snapshot]) -> None:
        """Remember one round of scrapes; those that found nothing are left out."""
        for snapshot in snapshots:
            if snapshot.problem:
                continue
            kept = self._scrapes.setdefault(snapshot.url, deque())
            kept.append(snapshot)
            # One scrape from before the window stays, so that the window is covered whole.
            while len(kept) > 2 and snapshot.taken - kept[1].taken >= self._window:  # noqa: PLR2004
                kept.popleft()

    def values(self, metric: Metric, by: Sequence[str], **where: str) -> dict[Group, float]:
        """The latest values, summed by labels.

        Args:
            metric: A counter or gauge.
            by: The labels to keep.
            where: Label values that the series must have.
        """
        latest = (
            (labels, value)
            for kept in self._scrapes.values()
            for labels, value in kept[-1].samples.get(metric.prometheus_name, {}).items()
        )
        return _summed(latest, by, where)

    def rates(self, metric: Metric, by: Sequence[str], **where: str) -> dict[Group, float]:
        """Per-second increases of a counter within the window, summed by labels."""
        return _summed(self._increases(metric.prometheus_name, per_second=True), by, where)

    def quantile(
        self, metric: Metric, share: float, by: Sequence[str], **where: str
    ) -> dict[Group, float]:
        """Quantiles of what a histogram recorded within the window, by labels, in its unit.

        What lies above the last bound counts as that bound. A group without any record is left
        out.

        Args:
            metric: A histogram.
            share: Which quantile, 0 to 1.
            by: The labels to keep.
            where: Label values that the series must have.
        """
        name = f"{metric.prometheus_name}_bucket"
        found = _summed(self._increases(name, per_second=False), (*by, "le"), where)
        groups: dict[Group, dict[float, float]] = {}
        for (*group, bound), count in found.items():
            groups.setdefault(tuple(group), {})[float(bound)] = count
        return {
            group: quantile_of(buckets, share)
            for group, buckets in groups.items()
            if max(buckets.values()) > 0
        }

    @property
    def several(self) -> bool:
        """Whether there is more than one endpoint."""
        return len(self._scrapes) > 1

    @property
    def one_host(self) -> bool:
        """Whether all endpoints are ports of one host."""
        hosts = {
            url.partition("://")[2].partition("/")[0].rpartition(":")[0] for url in self._scrapes
        }
        return len(hosts) == 1

    def kinds(self) -> dict[str, str]:
        """What each sample is, by its name."""
        return {k: v for kept in self._scrapes.values() for k, v in kept[-1].kinds.items()}

    def series(self, name: str) -> Iterator[tuple[str, Labels, float]]:
        """Endpoint, labels and latest value of all series of a name."""
        for url, kept in self._scrapes.items():
            for labels, value in kept[-1].samples.get(name, {}).items():
                yield url, labels, value

    def changes(self, name: str) -> Iterator[tuple[str, Labels, float, float]]:
        """Endpoint, labels, first and latest value of all series of a name within the window."""
        for url, kept in self._scrapes.items():
            before = kept[0].samples.get(name, {})
            for labels, value in kept[-1].samples.get(name, {}).items():
                yield url, labels, before.get(labels, value), value

    def _increases(self, name: str, *, per_second: bool) -> Iterator[tuple[Labels, float]]:
        for _, labels, increase, seconds in self.increases(name):
            yield labels, increase / seconds if per_second else increase

    def increases(self, name: str) -> Iterator[tuple[str, Labels, float, float]]:
        """Endpoint, labels, increase and its seconds, of all counts of a name."""
        for url, kept in self._scrapes.items():
            seconds = kept[-1].taken - kept[0].taken
            if seconds <= 0:
                continue
            for labels in kept[-1].samples.get(name, {}):
                # A series that appears within the window began at 0, as a counter does.
                counts = [snapshot.samples.get(name, {}).get(labels, 0.0) for snapshot in kept]
                increase = sum(
                    now - before if now >= before else now for before, now in pairwise(counts)
                )
                yield url, labels, increase, seconds


def _summed(
    series: Iterable[tuple[Labels, float]], by: Sequence[str], where: Mapping[str, str]
) -> dict[Group, float]:
    found: dict[Group, float] = {}
    for labels, value in series:
        known = dict(labels)
        if all(known.get(key) == wanted for key, wanted in where.items()):
            group = tuple(known.get(key, "") for key in by)
            found[group] = found.get(group, 0.0) + value
    return found


def quantile_of(buckets: Mapping[float, float], share: float) -> float:
    """A quantile of what was recorded, given the number up to each bound."""
    bounds = sorted(buckets)
    counts = histogram.separate([buckets[bound] for bound in bounds])
    return histogram.quantile(counts, [bound for bound in bounds if bound < math.inf], share)


def ratio(hits: dict[Group, float], misses: dict[Group, float]) -> dict[Group, float]:
    """The share of hits, by group; groups without any are left out."""
    return {
        group: hits.get(group, 0.0) / total
        for group in sorted(hits.keys() | misses.keys())
        if (total := hits.get(group, 0.0) + misses.get(group, 0.0))
    }
