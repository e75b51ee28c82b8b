"""PromQL at the levels that the rules speak of, over the range that they take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qudag_otel._query import promql

if TYPE_CHECKING:
    from qudag_otel.alerts._model import Level
    from qudag_otel.catalogue import Metric

WINDOW: Final = "5m"
"""The range of a rate: five exports at OpenTelemetry's default interval of 60 s."""


def series(metric: Metric, suffix: str = "", *matchers: str) -> str:
    """A selector of a metric's series, for example `x_bucket{le="0.5"}`."""
    return promql.select(f"{metric.prometheus_name}{suffix}", *matchers)


def total(level: Level, expression: str) -> str:
    """The sum of an expression at a level."""
    return promql.aggregate("sum", level.labels, expression)


def average(level: Level, expression: str) -> str:
    """The average of an expression at a level."""
    return promql.aggregate("avg", level.labels, expression)


def rate(level: Level, metric: Metric, *matchers: str, suffix: str = "") -> str:
    """The per-second increase of a counter, at a level; resets of the counter do not show."""
    return total(level, promql.rate(series(metric, suffix, *matchers), WINDOW))


def quantile(level: Level, metric: Metric, share: float, window: str = WINDOW) -> str:
    """A quantile of a histogram, at a level; no sample while nothing is observed."""
    return promql.quantile(share, level.labels, series(metric, "_bucket"), window)
