"""Collected metrics as OpenMetrics 1.0 or as the classic text format 0.0.4.

A scrape renders the same series again and again; everything but the numbers is kept from one
scrape to the next. The SDK hands out the same attributes object for the same series each time,
which makes finding it one dictionary lookup by identity.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.metrics.export import (
    ExponentialHistogram,
    Gauge,
    Histogram,
    HistogramDataPoint,
    NumberDataPoint,
    Sum,
)

from qudag_otel._warnings import warn_once
from qudag_otel.sdk._prometheus import names
from qudag_otel.sdk._prometheus.exponential import explicit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from opentelemetry.sdk.metrics.export import Metric, MetricsData
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    from qudag_otel.sdk._prometheus.exponential import Exemplar

OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
CLASSIC: Final = "text/plain; version=0.0.4; charset=utf-8"

_EXEMPLAR_CHARACTERS: Final = 128  # the most that OpenMetrics allows all names and values together
_NANO: Final = 1e9


class _Series:
    """What a scrape keeps of one series.

    `heads` are the lines up to the space before the value; for a histogram one for each bucket,
    then the count, then the sum. `exemplars` are rendered and stand behind the same lines.
    """

    __slots__ = ("attributes", "bounds", "exemplars", "heads", "labels")

    def __init__(
        self, attributes: object, labels: str, heads: tuple[str, ...], bounds: Sequence[float]
    ) -> None:
        self.attributes = attributes  # held, so that its identity stays its own
        self.labels = labels
        self.heads = heads
        self.bounds = bounds
        self.exemplars: dict[int, str] = {}


class _Family:
    __slots__ = ("help", "kind", "lines", "name", "seen", "unit")

    def __init__(self, name: str, kind: str, unit: str, text: str) -> None:
        self.name = name
        self.kind = kind
        self.unit = unit
        self.help = text
        self.lines: list[str] = []
        self.seen: set[str] = set()


class Exposition:
    """Renders collections and remembers what they have in common.

    Args:
        scope_labels: Whether each series carries `otel_scope_name` and its like. Without them,
            as by default, the labels are exactly the attributes, and the same series of two
            scopes is exposed once.
    """

    def __init__(self, *, scope_labels: bool = False) -> None:
        self._scope_labels = scope_labels
        self._known: dict[tuple[str, int], _Series] = {}
        self._target: tuple[Resource, str] | None = None

    def render(self, data: MetricsData | None, *, openmetrics: bool) -> bytes:
        """Render a collection.

        Args:
            data: The collection; None if nothing was ever recorded.
            openmetrics: Whether the format is OpenMetrics, which carries exemplars.
        """
        families: dict[str, _Family] = {}
        known = self._known
        self._known = {}
        head: list[str] = []
        for resource_metrics in data.resource_metrics if data else ():
            head = [self._target_info(resource_metrics.resource, openmetrics=openmetrics)]
            for scope_metrics in resource_metrics.scope_metrics:
                extra = _scope(scope_metrics.scope) if self._scope_labels else ""
                for metric in scope_metrics.metrics:
                    self._add(families, known, metric, extra, openmetrics=openmetrics)
        parts = list(
            itertools.chain(
                head,
                (
                    _header(family, openmetrics=openmetrics) + "".join(family.lines)
                    for family in families.values()
                ),
            )
        )
        if openmetrics:
            parts.append("# EOF\n")
        return "".join(parts).encode()

    def _target_info(self, resource: Resource, *, openmetrics: bool) -> str:
        if self._target is None or self._target[0] is not resource:
            self._target = resource, names.labels(resource.attributes)
        kind = "# TYPE target info\n" if openmetrics else "# TYPE target_info gauge\n"
        name = "target" if openmetrics else "target_info"
        return f"{kind}# HELP {name} Target metadata\ntarget_info{{{self._target[1]}}} 1\n"

    def _add(
        self,
        families: dict[str, _Family],
        known: dict[tuple[str, int], _Series],
        metric: Metric,
        extra: str,
        *,
        openmetrics: bool,
    ) -> None:
        data = metric.data
        if isinstance(data, ExponentialHistogram):
            points: Iterable[NumberDataPoint | HistogramDataPoint] = map(explicit, data.data_points)
            kind = "histogram"
        else:
            points = data.data_points
            kind = _kind(data)
        unit = names.unit_name(metric.unit or "", gauge=isinstance(data, Gauge))
        name = names.family_name(metric.name, unit, monotonic=kind == "counter")
        family = families.get(name)
        if family is None:
            family = families[name] = _Family(name, kind, unit, metric.description or "")
        elif family.kind != kind:
            warn_once(
                f"exposition:{name}",
                "the metrics named %s are of different kinds, %s and %s; only the first is exposed",
                name,
                family.kind,
                kind,
            )
            return
        scrape = _Scrape(self._known, known, family, extra, openmetrics=openmetrics)
        if kind == "histogram":
            scrape.histograms(points)
        else:
            scrape.numbers(points)


class _Scrape:
    """The points of one metric on their way into its family."""

    def __init__(
        self,
        kept: dict[tuple[str, int], _Series],
        known: Mapping[tuple[str, int], _Series],
        family: _Family,
        extra: str,
        *,
        openmetrics: bool,
    ) -> None:
        self._kept = kept
        self._known = known
        self._family = family
        self._extra = extra
        self._openmetrics = openmetrics
        self._with_exemplars = openmetrics and family.kind != "gauge"

    def _series(
        self, attributes: Mapping[str, object] | None, bounds: Sequence[float]
    ) -> _Series | None:
        """Find or make what is kept of a series; None if this scrape has its labels already."""
        key = (f"{self._family.name}|{self._extra}", id(attributes))
        series = self._known.get(key)
        if (
            series is None
            or series.attributes is not attributes
            or (series.bounds is not bounds and series.bounds != bounds)
        ):
            series = self._make(attributes or {}, attributes, bounds)
        if series.labels in self._family.seen:
            return None
        self._family.seen.add(series.labels)
        self._kept[key] = series
        return series

    def _make(
        self, attributes: Mapping[str, object], held: object, bounds: Sequence[float]
    ) -> _Series:
        labels = ",".join(filter(None, (names.labels(attributes), self._extra)))
        name = self._family.name
        braced = f"{{{labels}}}" if labels else ""
        if self._family.kind == "counter":
            heads: tuple[str, ...] = (f"{name}_total{braced} ",)
        elif self._family.kind == "gauge":
            heads = (f"{name}{braced} ",)
        else:
            comma = f"{labels}," if labels else ""
            edges = [*map(number, map(float, bounds)), "+Inf"]
            heads = (
                *(f'{name}_bucket{{{comma}le="{edge}"}} ' for edge in edges),
                f"{name}_count{braced} ",
                f"{name}_sum{braced} ",
            )
        return _Series(held, labels, heads, bounds)

    def numbers(self, points: Iterable[object]) -> None:
        """Add the points of a counter or gauge."""
        lines = self._family.lines
        for point in points:
            assert isinstance(point, NumberDataPoint)  # noqa: S101 - narrows the type
            series = self._series(point.attributes, ())
            if series is None:
                continue
            mark = ""
            if self._with_exemplars:
                for exemplar in point.exemplars:
                    series.exemplars[0] = _exemplar(exemplar)
                mark = series.exemplars.get(0, "")
            lines.append(f"{series.heads[0]}{number(point.value)}{mark}\n")

    def histograms(self, points: Iterable[object]) -> None:
        """Add the points of a histogram."""
        lines = self._family.lines
        for point in points:
            assert isinstance(point, HistogramDataPoint)  # noqa: S101 - narrows the type
            bounds = point.explicit_bounds
            series = self._series(point.attributes, bounds)
            if series is None:
                continue
            counts = list(itertools.accumulate(point.bucket_counts))
            if self._with_exemplars:
                for exemplar in point.exemplars:
                    series.exemplars[bisect_left(bounds, exemplar.value)] = _exemplar(exemplar)
            if self._with_exemplars and series.exemplars:
                marks = series.exemplars
                for index, count in enumerate(counts):
                    lines.append(f"{series.heads[index]}{count}{marks.get(index, '')}\n")
            else:
                lines.extend([f"{head}{count}\n" for head, count in zip(series.heads, counts)])  # noqa: B905 - heads hold two more
            lines.append(
                f"{series.heads[-2]}{point.count}\n{series.heads[-1]}{number(point.sum)}\n"
            )


def _kind(data: object) -> str:
    if isinstance(data, Sum):
        return "counter" if data.is_monotonic else "gauge"
    return "histogram" if isinstance(data, Histogram) else "gauge"


def _scope(scope: InstrumentationScope) -> str:
    attributes: dict[str, object] = {
        f"otel_scope_{key}": value for key, value in (scope.attributes or {}).items()
    }
    attributes["otel_scope_name"] = scope.name
    attributes["otel_scope_version"] = scope.version or ""
    attributes["otel_scope_schema_url"] = scope.schema_url or ""
    return names.labels(attributes)


def _header(family: _Family, *, openmetrics: bool) -> str:
    name = family.name
    if family.kind == "counter" and not openmetrics:
        name = f"{name}_total"
    header = f"# TYPE {name} {family.kind}\n"
    if openmetrics and family.unit:
        header += f"# UNIT {name} {family.unit}\n"
    if family.help:
        header += f"# HELP {name} {names.escaped_help(family.help, quotes=openmetrics)}\n"
    return header


def number(value: float) -> str:
    """Render a number as both formats read it."""
    if isinstance(value, int) or math.isfinite(value):
        return repr(value)
    if math.isnan(value):
        return "NaN"
    return "+Inf" if value > 0 else "-Inf"


def _exemplar(exemplar: Exemplar) -> str:
    """Render what stands behind a sample: labels, value and time in seconds."""
    labels: dict[str, str] = {}
    if exemplar.trace_id:
        labels["trace_id"] = f"{exemplar.trace_id:032x}"
        labels["span_id"] = f"{exemplar.span_id or 0:016x}"
    left = _EXEMPLAR_CHARACTERS - sum(len(key) + len(labels[key]) for key in labels)
    for key, value in (exemplar.filtered_attributes or {}).items():
        label, text = names.label_name(key), names.label_value(value)
        left -= len(label) + len(text)
        if left < 0:
            break
        labels.setdefault(label, text)
    inside = ",".join(f'{key}="{names.escaped(labels[key])}"' for key in labels)
    when = exemplar.time_unix_nano / _NANO
    return f" # {{{inside}}} {number(exemplar.value)} {when:.3f}"
