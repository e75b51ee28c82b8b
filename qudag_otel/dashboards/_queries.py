"""Queries that several views ask in the same way."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qudag_otel.dashboards._promql import aggregate, recorded, select
from qudag_otel.dashboards._view import Query, Shape

if TYPE_CHECKING:
    from qudag_otel.alerts._model import Recorded
    from qudag_otel.catalogue import Metric


def heatmap(buckets: Recorded, metric: Metric, *where: str) -> tuple[Query, Query]:
    """A heatmap's queries: recorded buckets, which are few, and the metric for its exemplars alone.

    The second is for one moment and finds no sample, so that it costs next to nothing: Grafana asks
    for the exemplars of the series that it names over all the time shown.

    Args:
        buckets: Observations a second by bucket.
        metric: The histogram.
        where: Further matchers.
    """
    rates = aggregate("sum", ("le",), recorded(buckets, *where))
    exemplars = f"{select(metric, *where, suffix='_bucket')} < 0"
    return (
        Query(expression=rates, shape=Shape.HEATMAP),
        Query(expression=exemplars, shape=Shape.HEATMAP, instant=True),
    )
