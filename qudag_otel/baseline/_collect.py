"""Take a window out of Prometheus."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from qudag_otel._query import histogram, promql
from qudag_otel.baseline._errors import BaselineError
from qudag_otel.baseline._model import Recording, Row, Series, Window
from qudag_otel.baseline.measures import Column, Matchers, Measure, Shape
from qudag_otel.catalogue import attributes as a

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qudag_otel._query.prometheus import Prometheus
    from qudag_otel._query.prometheus import Series as Answer

ENOUGH: Final = 0.5
"""The share of its steps that a window must have data for, at least in its fullest series."""

_LE: Final = "le"
_IDENTITIES: Final = {a.NODE_ID.key, a.SWARM_ID.key}
_GAUGES: Final = (Shape.LEVEL, Shape.FILL)

Labels = tuple[tuple[str, str], ...]
Cells = dict[Labels, dict[int, float]]
"""A column's values: by series, by step."""


def collect(
    prometheus: Prometheus,
    window: Window,
    measures: Sequence[Measure],
    filters: Mapping[str, Sequence[str]] | None = None,
) -> Recording:
    """Ask for every measure, one query a column.

    Args:
        prometheus: Whom to ask.
        window: For which time.
        measures: What to ask for.
        filters: Label to the values wanted. `node_id` and `swarm_id` are left out for metrics
            that do not carry them; any other label is demanded of all metrics.

    Raises:
        BaselineError: Prometheus has nothing of this in the window, or too little.
        PrometheusError: Prometheus does not answer.
    """
    wanted = {key: tuple(values) for key, values in (filters or {}).items() if values}
    series: list[Series] = []
    dropped = 0
    for measure in measures:
        columns: list[Cells] = []
        for column in measure.columns:
            # What happened during a step is known at its end.
            answers = prometheus.range(
                query(measure, column, window.step, wanted),
                window.start + window.step,
                window.end,
                window.step,
            )
            dropped += sum(not math.isfinite(value) for one in answers for _, value in one.points)
            columns.append(_cells(answers, window))
        build = _histograms if measure.shape is Shape.HISTOGRAM else _plain
        series.extend(build(measure, columns, window.steps))
    fullest = max((one.coverage for one in series), default=0.0)
    if 0 < fullest < ENOUGH:
        raise BaselineError(
            f"{prometheus.url} has data for only {fullest:.0%} of the time between "
            f"{_clock(window.start)} and {_clock(window.end)}, {ENOUGH:.0%} are needed: choose a "
            "window in which the application ran and reported, with --window and --end"
        )
    if not fullest:
        raise BaselineError(
            f"{prometheus.url} has no value of any metric asked for between {_clock(window.start)} "
            f"and {_clock(window.end)}: check the window, the step (it must span at least two, "
            "better four, scrapes or exports), the filters, and with `qudag-otel doctor` whether "
            "the application reports at all"
        )
    return Recording(
        source=prometheus.url,
        window=window,
        filters=wanted,
        series=tuple(sorted(series, key=lambda one: one.key)),
        dropped=dropped,
    )


def query(
    measure: Measure, column: Column, step: int, filters: Mapping[str, tuple[str, ...]]
) -> str:
    """The PromQL of a column.

    Args:
        measure: The measure it belongs to.
        column: The column.
        step: Over how many seconds each value looks back.
        filters: Label to the values wanted.
    """
    if not column.prefer:
        return _grouped(measure, column, column.where, step, filters)
    preferred = _grouped(measure, column, (*column.where, *column.prefer), step, filters)
    return f"{preferred} or {_grouped(measure, column, column.where, step, filters)}"


def _grouped(
    measure: Measure,
    column: Column,
    where: Matchers,
    step: int,
    filters: Mapping[str, tuple[str, ...]],
) -> str:
    matchers = [
        *(
            f"{attribute.key}{operator}{promql.quoted(value)}"
            for attribute, operator, value in where
        ),
        *(
            promql.among(key, values)
            for key, values in filters.items()
            if key in column.metric.attribute_keys or key not in _IDENTITIES
        ),
    ]
    name = f"{column.metric.prometheus_name}{column.part}"
    selector = f"{promql.select(name, *matchers)}[{step}s]"
    over = "avg_over_time" if measure.shape in _GAUGES else "increase"
    by = [attribute.key for attribute in measure.by]
    if measure.shape is Shape.HISTOGRAM:
        by.append(_LE)
    how = "avg" if column.mean else "sum"
    return promql.aggregate(how, by, f"{over}({selector})")


def _cells(answers: Sequence[Answer], window: Window) -> Cells:
    return {
        tuple(sorted(one.labels.items())): {
            round((at - window.start) / window.step) - 1: value
            for at, value in one.points
            if math.isfinite(value)
        }
        for one in answers
    }


def _plain(measure: Measure, columns: Sequence[Cells], steps: int) -> list[Series]:
    keys = dict.fromkeys(key for column in columns for key in column)
    whole_needed = measure.shape is Shape.FILL
    return [
        Series(
            measure=measure.name,
            labels=dict(key),
            rows=tuple(
                _row([column.get(key, {}).get(step) for column in columns], whole_needed)
                for step in range(steps)
            ),
        )
        for key in keys
    ]


def _row(values: Sequence[float | None], whole_needed: bool) -> Row:  # noqa: FBT001 - internal
    """One step's numbers. A counter that nobody has incremented yet may be absent: that is 0."""
    if all(value is None for value in values) or (whole_needed and None in values):
        return None
    return tuple(_rounded(value or 0.0) for value in values)


def _histograms(measure: Measure, columns: Sequence[Cells], steps: int) -> list[Series]:
    """Per-bucket counts out of the cumulative ones that Prometheus keeps."""
    (cells,) = columns
    groups: dict[Labels, dict[float, dict[int, float]]] = {}
    for labels, values in cells.items():
        bound = float(dict(labels).get(_LE, "nan"))
        rest = tuple(pair for pair in labels if pair[0] != _LE)
        groups.setdefault(rest, {})[bound] = values
    return [
        Series(
            measure=measure.name,
            labels=dict(labels),
            bounds=tuple(sorted(bound for bound in buckets if math.isfinite(bound))),
            rows=tuple(_counts(buckets, step) for step in range(steps)),
        )
        for labels, buckets in groups.items()
        if math.inf in buckets
    ]


def _counts(buckets: Mapping[float, Mapping[int, float]], step: int) -> Row:
    if step not in buckets[math.inf]:
        return None
    ascending = sorted(buckets)
    # A bound that has no value at this step adds nothing to what is below it.
    known = {bound: buckets[bound][step] for bound in ascending if step in buckets[bound]}
    counts = histogram.separate([known.get(bound, 0.0) for bound in ascending])
    return tuple(map(_rounded, counts))


def _rounded(value: float) -> float:
    """Six significant digits: more would be noise, and the file is for reading, too."""
    return float(f"{value:.6g}")


def _clock(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
