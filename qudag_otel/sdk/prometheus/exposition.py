"""Collected metrics as OpenMetrics 1.0 or as the classic text format 0.0.4.

A scrape renders the same series again and again; everything but the numbers is kept from one
scrape to the next. The SDK hands out the same attributes object for the same series each time,
which makes finding it one dictionary lookup by identity.
"""

from __future__ import annotations

import itertools
import math
from bisect import bisect_left
from operator import is_
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from opentelemetry.sdk.metrics.export import (
    ExponentialHistogram,
    Gauge,
    Histogram,
    Sum,
)

from qudag_otel._foreign import interrupts
from qudag_otel._redact import mask
from qudag_otel._series.values import number as exportable
from qudag_otel._series.values import shown
from qudag_otel.sdk.prometheus import names
from qudag_otel.sdk.prometheus.exponential import explicit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk.metrics.export import Metric, MetricsData
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

    from qudag_otel.sdk.prometheus.exponential import Exemplar

OPENMETRICS: Final = "application/openmetrics-text; version=1.0.0; charset=utf-8"
CLASSIC: Final = "text/plain; version=0.0.4; charset=utf-8"

_EXEMPLAR_CHARACTERS: Final = 128  # the most that OpenMetrics allows all names and values together
_NANO: Final = 1e9
_NOT_FINITE: Final = {"nan": "NaN", "inf": "+Inf", "-inf": "-Inf"}


class _Series:
    """What a scrape keeps of one series.

    `heads` are the lines up to the space before the value; for a histogram one for each bucket,
    then the count, then the sum. `exemplars` are rendered and stand behind the same lines.
    """

    __slots__ = ("exemplars", "heads", "labels")

    def __init__(self, labels: str, heads: tuple[str, ...]) -> None:
        self.labels = labels
        self.heads = heads
        self.exemplars: dict[int, str] = {}


class _Shape(NamedTuple):
    """The series of one metric as the last scrape had them, in the order of its points.

    Attributes are held, so that their identity stays their own.
    """

    attributes: list[object]
    bounds: list[Sequence[float]]
    series: list[_Series]

    def fits(self, attributes: list[object], bounds: list[Sequence[float]]) -> bool:
        """Whether these points are of the same series in the same order."""
        return (
            len(self.attributes) == len(attributes)
            and all(map(is_, self.attributes, attributes))
            and self.bounds == bounds
        )

    def find(self) -> dict[int, tuple[Sequence[float], _Series]]:
        """Each series by the identity of its attributes."""
        return {
            id(held): (bounds, series)
            for held, bounds, series in zip(self.attributes, self.bounds, self.series, strict=True)
        }


_SAMPLES: Final = {
    "counter": ("", "_total", "_created"),
    "gauge": ("",),
    "histogram": ("", "_bucket", "_count", "_sum", "_created"),
    "info": ("", "_info"),
}
"""What the samples of a family end in, by its kind; no two families may share one."""


class _Family:
    __slots__ = ("help", "kind", "lines", "name", "seen", "unit")

    def __init__(self, name: str, kind: str, unit: str, text: str) -> None:
        self.name = name
        self.kind = kind
        self.unit = unit
        self.help = text
        self.lines: list[str] = []
        self.seen: set[str] = set()

    @property
    def claims(self) -> set[str]:
        """The names that are its own."""
        return {f"{self.name}{ending}" for ending in _SAMPLES[self.kind]}


class Exposition:
    """Renders collections and remembers what they have in common.

    Args:
        scope_labels: Whether each series carries `otel_scope_name` and its like. Without them,
            as by default, the labels are exactly the attributes, and the same series of two
            scopes is exposed once.
    """

    def __init__(self, *, scope_labels: bool = False) -> None:
        self._scope_labels = scope_labels
        self._shapes: dict[str, _Shape] = {}
        self._target: tuple[Resource, str] | None = None
        self._claimed: set[str] = set()
        self.problems: list[tuple[str, str]] = []
        """What the last rendering left out: a sentence, and details that vary."""

    def render(self, data: MetricsData | None, *, openmetrics: bool) -> bytes:
        """Render a collection.

        Args:
            data: The collection; None if nothing was ever recorded.
            openmetrics: Whether the format is OpenMetrics, which carries exemplars.
        """
        self.problems = []
        families: dict[str, _Family] = {}
        known = self._shapes
        self._shapes = {}
        self._claimed = {"target", "target_info"}
        head: list[str] = []
        for resource_metrics in data.resource_metrics if data else ():
            head = [self._target_info(resource_metrics.resource, openmetrics=openmetrics)]
            for scope_metrics in resource_metrics.scope_metrics:
                extra = _scope(scope_metrics.scope) if self._scope_labels else {}
                for metric in scope_metrics.metrics:
                    try:
                        self._add(families, known, metric, extra, openmetrics=openmetrics)
                    except BaseException as error:  # it must not cost its neighbours
                        if interrupts(error):
                            raise
                        self._left_out(metric.name, "cannot be rendered", shown(error))
        parts = list(
            itertools.chain(
                head,
                (
                    _header(family, openmetrics=openmetrics) + "".join(family.lines)
                    for family in families.values()
                    if family.lines
                ),
            )
        )
        if openmetrics:
            parts.append("# EOF\n")
        return "".join(parts).encode()

    def _left_out(self, name: str, problem: str, details: str) -> None:
        self.problems.append((f"{name} {problem}", details))

    def _target_info(self, resource: Resource, *, openmetrics: bool) -> str:
        if self._target is None or self._target[0] is not resource:
            self._target = resource, names.labels(resource.attributes)
        kind = "# TYPE target info\n" if openmetrics else "# TYPE target_info gauge\n"
        name = "target" if openmetrics else "target_info"
        return f"{kind}# HELP {name} Target metadata\ntarget_info{{{self._target[1]}}} 1\n"

    def _add(
        self,
        families: dict[str, _Family],
        known: Mapping[str, _Shape],
        metric: Metric,
        extra: Mapping[str, str],
        *,
        openmetrics: bool,
    ) -> None:
        data = metric.data
        if isinstance(data, ExponentialHistogram):
            points: Sequence[Any] = [*map(explicit, data.data_points)]
            kind = "histogram"
        else:
            points = data.data_points
            kind = _kind(data)
        unit = names.unit_name(metric.unit or "", gauge=isinstance(data, Gauge))
        name = names.family_name(metric.name, unit, monotonic=kind == "counter")
        family = families.get(name)
        if family is None or family.kind != kind:
            made = _Family(name, kind, unit, mask(metric.description or ""))
            if not made.claims.isdisjoint(self._claimed):
                self._left_out(
                    name, f"is exposed once: as what came first, not as {kind}", metric.name
                )
                return
            family = families[name] = made
            self._claimed |= made.claims
        key = f"{name}|{extra}|{metric.name}"
        attributes = [point.attributes for point in points]
        bounds: list[Sequence[float]] = [
            point.explicit_bounds if kind == "histogram" else () for point in points
        ]
        shape = known.get(key)
        if shape is None or family.seen or not shape.fits(attributes, bounds):
            count = len(points)
            points, shape = _reshape(family, shape, points, extra)
            if len(points) < count:
                self._left_out(name, "has series whose labels are the same in Prometheus", "")
        family.seen.update([series.labels for series in shape.series])
        self._shapes[key] = shape
        render = _histograms if kind == "histogram" else _numbers
        render(family.lines, points, shape.series, exemplars=openmetrics and family.kind != "gauge")


def _reshape(
    family: _Family, shape: _Shape | None, points: Sequence[Any], extra: Mapping[str, str]
) -> tuple[list[Any], _Shape]:
    """Find or make the series of points; leaves out those whose labels this scrape has already."""
    known = shape.find() if shape else {}
    kept: list[Any] = []
    made = _Shape([], [], [])
    for point in points:
        held = point.attributes
        bounds = point.explicit_bounds if family.kind == "histogram" else ()
        before, series = known.get(id(held), (None, None))
        if series is None or before != bounds:
            series = _series(family, held or {}, bounds, extra)
        if series.labels in family.seen:
            continue
        family.seen.add(series.labels)
        kept.append(point)
        made.attributes.append(held)
        made.bounds.append(bounds)
        made.series.append(series)
    return kept, made


def _series(
    family: _Family,
    attributes: Mapping[str, object],
    bounds: Sequence[float],
    extra: Mapping[str, str],
) -> _Series:
    labels = names.labels(attributes, extra)
    name = family.name
    braced = f"{{{labels}}}" if labels else ""
    if family.kind == "counter":
        return _Series(labels, (f"{name}_total{braced} ",))
    if family.kind == "gauge":
        return _Series(labels, (f"{name}{braced} ",))
    comma = f"{labels}," if labels else ""
    edges = [*map(number, map(float, bounds)), "+Inf"]
    buckets = [f'{name}_bucket{{{comma}le="{edge}"}} ' for edge in edges]
    return _Series(labels, (*buckets, f"{name}_count{braced} ", f"{name}_sum{braced} "))


def _numbers(
    lines: list[str], points: Sequence[Any], series: Sequence[_Series], *, exemplars: bool
) -> None:
    """Add the points of a counter or gauge."""
    if not exemplars:
        lines.extend(
            [f"{of.heads[0]}{number(point.value)}\n" for point, of in zip(points, series)]  # noqa: B905 - of one length
        )
        return
    for point, of in zip(points, series):  # noqa: B905 - of one length
        for exemplar in point.exemplars:
            of.exemplars[0] = _exemplar(exemplar)
        lines.append(f"{of.heads[0]}{number(point.value)}{of.exemplars.get(0, '')}\n")


def _histograms(
    lines: list[str], points: Sequence[Any], series: Sequence[_Series], *, exemplars: bool
) -> None:
    """Add the points of a histogram."""
    for point, of in zip(points, series):  # noqa: B905 - of one length
        counts = itertools.accumulate(point.bucket_counts)
        if exemplars:
            for exemplar in point.exemplars:
                bucket = bisect_left(point.explicit_bounds, exemplar.value)
                of.exemplars[bucket] = _exemplar(exemplar)
        marks = of.exemplars if exemplars else None
        if marks:
            lines.extend(
                f"{of.heads[index]}{count}{marks.get(index, '')}\n"
                for index, count in enumerate(counts)
            )
        else:
            lines.extend([f"{head}{count}\n" for head, count in zip(of.heads, counts)])  # noqa: B905 - heads hold two more
        lines.append(f"{of.heads[-2]}{point.count}\n{of.heads[-1]}{number(point.sum)}\n")


def _kind(data: object) -> str:
    if isinstance(data, Sum):
        return "counter" if data.is_monotonic else "gauge"
    return "histogram" if isinstance(data, Histogram) else "gauge"


def _scope(scope: InstrumentationScope) -> dict[str, str]:
    attributes: dict[str, object] = {
        f"otel_scope_{key}": value for key, value in (scope.attributes or {}).items()
    }
    attributes["otel_scope_name"] = scope.name
    attributes["otel_scope_version"] = scope.version or ""
    attributes["otel_scope_schema_url"] = scope.schema_url or ""
    return {
        names.label_name(key): names.label_value(key, attributes[key]) for key in sorted(attributes)
    }


def _header(family: _Family, *, openmetrics: bool) -> str:
    name = family.name
    if family.kind == "counter" and not openmetrics:
        name = f"{name}_total"
    header = f"# TYPE {name} {family.kind}\n"
    if openmetrics and family.unit and name.endswith(f"_{family.unit}"):
        header += f"# UNIT {name} {family.unit}\n"
    if family.help:
        header += f"# HELP {name} {names.escaped_help(family.help, quotes=openmetrics)}\n"
    return header


def number(value: object) -> str:
    """Render a number as both formats read it; what is none is NaN."""
    if value.__class__ is not float:
        found = exportable(value)
        if found is None:
            try:
                found = float(value)  # type: ignore[arg-type]  # sums may have become infinite
            except BaseException as odd:  # the conversion is somebody else's code
                if interrupts(odd):
                    raise
                found = math.nan
        value = found
    text = repr(value)
    return _NOT_FINITE.get(text, text)


def _exemplar(exemplar: Exemplar) -> str:
    """Render what stands behind a sample: labels, value and time in seconds."""
    labels: dict[str, str] = {}
    if exemplar.trace_id:
        labels["trace_id"] = f"{exemplar.trace_id:032x}"
        labels["span_id"] = f"{exemplar.span_id or 0:016x}"
    left = _EXEMPLAR_CHARACTERS - sum(len(key) + len(labels[key]) for key in labels)
    for key, value in (exemplar.filtered_attributes or {}).items():
        label, text = names.label_name(key), names.label_value(key, value)
        left -= len(label) + len(text)
        if left < 0:
            break
        labels.setdefault(label, text)
    inside = ",".join(f'{key}="{names.escaped(labels[key])}"' for key in labels)
    when = exemplar.time_unix_nano / _NANO
    return f" # {{{inside}}} {number(exemplar.value)} {when:.3f}"
