"""Prometheus as an explanation asks it: at one time, about one subject."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from qudag_otel._query.promql import scaled

if TYPE_CHECKING:
    from qudag_otel._query.native import Turn
    from qudag_otel._query.prometheus import Prometheus


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Whom to ask, and about when.

    Args:
        prometheus: The client.
        at: The time that is explained, in seconds since 1970.
        turn: What becomes of each query, for example its form for native histograms.
        scale: What every duration is divided by, where the rules are, too: tests do not wait.
    """

    prometheus: Prometheus
    at: float
    turn: Turn = str
    scale: float = 1.0

    def seconds(self, length: float) -> float:
        """A length in seconds, as long as it is there."""
        return length / self.scale

    def spelled(self, query: str) -> str:
        """A query with the names, histograms and durations that there are there."""
        return self.turn(scaled(query, self.scale))

    def instant(self, query: str, at: float | None = None) -> list[tuple[dict[str, str], float]]:
        """What a query gives, without values that are no number.

        Raises:
            PrometheusError: No answer.
        """
        found = self.prometheus.instant(self.spelled(query), self.at if at is None else at)
        return [(labels, value) for labels, value in found if value == value]  # noqa: PLR0124
