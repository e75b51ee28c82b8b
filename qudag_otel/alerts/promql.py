"""PromQL at the levels that the rules speak of, over the ranges that they take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qudag_otel._query import promql

if TYPE_CHECKING:
    from qudag_otel.alerts._model import Level
    from qudag_otel.catalogue import Metric

WINDOW: Final = "5m"
"""The range of a rate: five exports at OpenTelemetry's default interval of 60 s."""

_LONG_WINDOW: Final = "15m"
"""The range of a rate where the shorter one holds a single sample: exports up to every 5 min."""

_PUSHED: Final = 'instance!~".+:[0-9]+"'
_SCRAPED: Final = 'instance=~".+:[0-9]+"'
"""A scraped target is host:port, a pushing process has an id."""

_LASTING: Final = "10m"


def series(metric: Metric, suffix: str = "", *matchers: str) -> str:
    """A selector of a metric's series, for example `x_bucket{le="0.5"}`."""
    return promql.select(f"{metric.prometheus_name}{suffix}", *matchers)


def total(level: Level, expression: str) -> str:
    """The sum of an expression at a level."""
    return promql.aggregate("sum", level.labels, expression)


def average(level: Level, expression: str) -> str:
    """The average of an expression at a level."""
    return promql.aggregate("avg", level.labels, expression)


def on(level: Level) -> str:
    """The matching of two sides on a level's labels."""
    return f"on ({', '.join(level.labels)})"


def rate(level: Level, metric: Metric, *matchers: str, suffix: str = "") -> str:
    """The per-second increase of a counter, at a level; resets of the counter do not show.

    A process that is both pushed and scraped counts once.
    """
    pushed, scraped = _roads(metric, suffix, *matchers)
    return f"{total(level, _rates(pushed))} or {total(level, promql.rate(scraped, WINDOW))}"


def gauge(level: Level, metric: Metric, *matchers: str) -> str:
    """The sum of a gauge at a level; NaN is left out.

    A process that is both pushed and scraped counts once.
    """
    return " or ".join(total(level, f"{each} >= 0") for each in _roads(metric, "", *matchers))


def quantile(level: Level, metric: Metric, share: float) -> str:
    """A quantile of a histogram, at a level; no sample while nothing is observed.

    A process that is both pushed and scraped counts once. Their buckets are never added: the two
    roads spell some bounds differently.
    """
    pushed, scraped = _roads(metric, "_bucket")
    return (
        f"{promql.quantile_of(share, level.labels, _rates(pushed))}"
        f" or {promql.quantile(share, level.labels, scraped, WINDOW)}"
    )


def buckets(level: Level, metric: Metric) -> str:
    """A histogram's observations a second in each bucket, at a level that keeps `le`.

    A process that is both pushed and scraped counts once, by its pushed buckets.
    """
    pushed, scraped = _roads(metric, "_bucket")
    other = ", ".join(label for label in level.labels if label != "le")
    return (
        f"{total(level, _rates(pushed))}"
        f" or {total(level, promql.rate(scraped, WINDOW))} unless on ({other}) {pushed}"
    )


def _roads(metric: Metric, suffix: str, *matchers: str) -> tuple[str, str]:
    """A metric's series that are pushed, and those that are scraped."""
    return (
        series(metric, suffix, *matchers, _PUSHED),
        series(metric, suffix, *matchers, _SCRAPED),
    )


def _rates(selector: str) -> str:
    """Rates, over a longer range where a living series is exported too seldom for the usual one."""
    long = promql.rate(selector, _LONG_WINDOW)
    return f"{promql.rate(selector, WINDOW)} or {long} and {selector}"


def mostly(expression: str, series: str, share: float) -> str:
    """A comparison that holds now, or held most of the last minutes, in spite of dips and gaps.

    Args:
        expression: The comparison, with `{}` where the series stands.
        series: The recorded series.
        share: Its quantile that stands for "most": low for what must not be high.
    """
    lasting = f"quantile_over_time({share:g}, {series}[{_LASTING}])"
    return f"({expression.format(series)} or {expression.format(lasting)})"
