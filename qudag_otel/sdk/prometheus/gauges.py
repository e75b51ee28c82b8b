"""How a gauge that several workers show becomes one on the page of all of them.

What a sum of the SDK counts up and down adds up. Another gauge means what its owner means: for one
of the catalogue that stands there, for one of the application `configure(prometheus_gauges=...)`
says so, and otherwise each worker's stands for itself with the label `pid`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.metrics.export import Gauge, Sum

from qudag_otel.catalogue.metrics import METRICS
from qudag_otel.sdk.prometheus import names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.metrics.export import MetricsData

EACH: Final = "each"
MODES: Final = ("sum", "min", "max", EACH)
_CATALOGUE: Final = {metric.name: metric.workers for metric in METRICS}


def gauge_modes(data: MetricsData | None, declared: Mapping[str, str]) -> dict[str, str]:
    """Tell the mode of each gauge, by the name of its family in Prometheus.

    Args:
        data: A collection.
        declared: Modes by the instrument's name; they win over the catalogue's.
    """
    found: dict[str, str] = {}
    for resource in data.resource_metrics if data else ():
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                gauge = isinstance(metric.data, Gauge)
                if not gauge and not (
                    isinstance(metric.data, Sum) and not metric.data.is_monotonic
                ):
                    continue
                unit = names.unit_name(metric.unit or "", gauge=gauge)
                usual = _CATALOGUE.get(metric.name, EACH) if gauge else "sum"
                found[names.family_name(metric.name, unit, monotonic=False)] = declared.get(
                    metric.name, usual
                )
    return found
