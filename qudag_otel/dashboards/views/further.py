"""A view of any metric, by what its kind says: for those that no other view shows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from qudag_otel.catalogue import Instrument
from qudag_otel.catalogue import metrics as m
from qudag_otel.dashboards._promql import gauge, quantile, rate
from qudag_otel.dashboards._view import Placed, Query, Section, View

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qudag_otel.catalogue import Metric
    from qudag_otel.dashboards._view import Board

_GRAFANA: Final = {"s": "s", "By": "bytes", "1": "percentunit", "%": "percent"}
_PANEL_ID: Final = 900


def view(metric: Metric) -> View:
    """The increase a second of a counter, the p95 of a histogram, the value of anything else."""
    unit = _GRAFANA.get(metric.unit, "short")
    if metric.bounds:
        title, expression = ", p95", quantile(0.95, metric, *metric.attributes)
    elif metric.instrument is Instrument.COUNTER:
        title, unit, expression = ", a second", "cps", rate(metric, *metric.attributes)
    else:
        title, expression = "", gauge("sum", metric, *metric.attributes)
    words = re.sub(r"[._]", " ", metric.name.removeprefix("qudag.")).capitalize()
    return View(
        title=f"{words}{title}",
        description=metric.description,
        queries=(
            Query(
                expression=expression,
                legend=" ".join(f"{{{{{one.key}}}}}" for one in metric.attributes),
            ),
        ),
        empty="Nothing was measured in this window.",
        unit=unit,
    )


def sections(boards: Iterable[Board]) -> tuple[Section, ...]:
    """A folded row of the metrics that no board has a query of; none if there are none."""
    asked = " ".join(
        str(query)
        for board in boards
        for section in board.sections
        for placed in section.panels
        for query in placed.view.queries
    )
    names = set(re.findall(r"\w+", asked))
    missing = [
        metric
        for metric in m.METRICS
        if not any(metric.prometheus_name + end in names for end in ("", "_bucket", "_count"))
    ]
    if not missing:
        return ()
    panels = (Placed(_PANEL_ID + n, view(metric)) for n, metric in enumerate(missing, start=1))
    return (Section("Further metrics", tuple(panels), panel_id=_PANEL_ID, folded=True),)
