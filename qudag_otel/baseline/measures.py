"""What a baseline holds: every metric of the catalogue, as something that can be compared."""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass, replace
from typing import Final

from qudag_otel.catalogue import Attribute, Instrument, Metric, thresholds
from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue import metrics as m


class Shape(enum.Enum):
    """How a measure's columns become a value."""

    RATE = "rate"  # one counter: events per second
    PROPORTION = "proportion"  # counters: the first, as a share of all
    LEVEL = "level"  # one gauge: its mean
    FILL = "fill"  # two gauges: the first, as a share of the second
    HISTOGRAM = "histogram"  # a counter a bucket: quantiles, and shares above a bound


class Worse(enum.Enum):
    """The direction in which a change is a regression."""

    LOWER = "lower"
    HIGHER = "higher"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class Limit:
    """How far a value may move before it counts: a share of the baseline, plus an amount."""

    relative: float = 0.0
    absolute: float = 0.0


Matchers = tuple[tuple[Attribute, str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One query of a measure.

    Args:
        metric: The metric it reads.
        where: What it selects: label, `=` or `!=`, value.
        prefer: Like `where`, for groups that have such a series; the others are taken whole.
        mean: Average a group's series, instead of adding them up.
        part: What follows the metric's name, such as `_bucket`.
    """

    metric: Metric
    where: Matchers = ()
    prefer: Matchers = ()
    mean: bool = False
    part: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """One thing to compare.

    Args:
        name: A short identifier, stable: files hold it.
        title: What people call it.
        unit: The unit of its value: `/s`, `s`, `By`, `%`, `1` for a share, or nothing.
        by: One series a combination of these; the first is the identity.
        columns: What is asked of Prometheus.
        shape: How the columns become a value.
        worse: Which direction is a regression.
        tolerance: A change within it is never a regression.
        quantiles: Of a histogram, 0 to 1.
        edges: Of a histogram: values whose exceedance is compared; bucket bounds, so exact.
    """

    name: str
    title: str
    unit: str
    by: tuple[Attribute, ...]
    columns: tuple[Column, ...]
    shape: Shape
    worse: Worse
    tolerance: Limit
    quantiles: tuple[float, ...] = ()
    edges: tuple[float, ...] = ()

    @property
    def identity(self) -> str:
        """The label that says whose series it is."""
        return self.by[0].key if self.by else ""


_THRESHOLD: Final = {alert.name: alert.threshold for alert in thresholds.CONTRACT_ALERTS}

SERIOUS: Final = 4.0
"""A change of this many tolerances is what must not be missed; if it cannot be excluded, the
verdict is "unsure" instead of "same"."""

# A quarter of what the regression alerts wake people for: 5% of a rate, 7.5% of a duration.
RATE_TOLERANCE: Final = Limit(round(1 - _THRESHOLD["MessageThroughputRegression"], 9) / SERIOUS)
LATENCY_TOLERANCE: Final = Limit(round(_THRESHOLD["LatencyRegression"] - 1, 9) / SERIOUS)
_POINTS: Final = Limit(absolute=0.02)
_SHOWN: Final = {"s", "By", "1", "%"}
_LOWER, _HIGHER, _NEITHER = Worse.LOWER, Worse.HIGHER, Worse.NEITHER

_POOL, _CACHE = (a.NODE_ID, a.POOL_TYPE), (a.NODE_ID, a.CACHE_TYPE)
_TASK, _OPERATION = (a.SWARM_ID, a.TASK_TYPE), (a.NODE_ID, a.COMPONENT, a.OPERATION)
_NODE, _SWARM = (a.NODE_ID,), (a.SWARM_ID,)
_SUCCESS, _ERROR = a.TASK_STATUS.values[0], a.OUTCOME.values[1]


def _rate(
    name: str,
    title: str,
    column: Column,
    by: tuple[Attribute, ...],
    worse: Worse,
    tolerance: Limit = RATE_TOLERANCE,
) -> Measure:
    return Measure(
        name=name,
        title=title,
        unit="/s",
        by=by,
        columns=(column,),
        shape=Shape.RATE,
        worse=worse,
        tolerance=tolerance,
    )


def _proportion(
    name: str, title: str, by: tuple[Attribute, ...], worse: Worse, *columns: Column
) -> Measure:
    return Measure(
        name=name,
        title=title,
        unit="1",
        by=by,
        columns=columns,
        shape=Shape.PROPORTION,
        worse=worse,
        tolerance=_POINTS,
    )


def _level(
    name: str,
    title: str,
    unit: str,
    column: Column,
    by: tuple[Attribute, ...],
    worse: Worse,
    tolerance: Limit,
) -> Measure:
    return Measure(
        name=name,
        title=title,
        unit=unit,
        by=by,
        columns=(column,),
        shape=Shape.LEVEL,
        worse=worse,
        tolerance=tolerance,
    )


def _durations(
    name: str, title: str, metric: Metric, by: tuple[Attribute, ...], *edges: float
) -> Measure:
    return Measure(
        name=name,
        title=title,
        unit="s",
        by=by,
        columns=(Column(metric=metric, part="_bucket"),),
        shape=Shape.HISTOGRAM,
        worse=_HIGHER,
        tolerance=LATENCY_TOLERANCE,
        quantiles=(0.5, 0.95),
        edges=edges,
    )


def _plain(metric: Metric) -> Measure:
    """The measure of a metric that nobody says more about: no direction is worse."""
    words = metric.name.removeprefix("qudag.")
    name, title = words.replace(".", "_"), re.sub(r"[._]", " ", words).capitalize()
    by, unit = metric.attributes, metric.unit if metric.unit in _SHOWN else ""
    if metric.bounds:
        return replace(_durations(name, title, metric, by), unit=unit, worse=_NEITHER)
    column = Column(metric=metric)
    if metric.instrument is Instrument.COUNTER:
        return _rate(name, title, column, by, _NEITHER)
    return _level(name, title, unit, column, by, _NEITHER, RATE_TOLERANCE)


TOLD: Final = (
    _rate("messages", "Messages", Column(metric=m.MESSAGE_THROUGHPUT), _NODE, _LOWER),
    _rate("chunks", "Chunks", Column(metric=m.CHUNKS_PROCESSED), _NODE, _LOWER),
    _level(
        "compression",
        "Compression ratio",
        "1",
        Column(metric=m.COMPRESSION_RATIO, mean=True),
        (a.NODE_ID, a.COMPRESSION_TYPE),
        _LOWER,
        _POINTS,
    ),
    _durations(
        "chunking",
        "Chunking duration",
        m.CHUNKING_DURATION,
        (a.NODE_ID, a.MESSAGE_SIZE_BUCKET),
        _THRESHOLD["HighChunkingLatency"],
    ),
    _proportion(
        "pool_hits",
        "Pool hit rate",
        _POOL,
        _LOWER,
        Column(metric=m.POOL_HITS),
        Column(metric=m.POOL_MISSES),
    ),
    _durations(
        "pool_wait",
        "Wait for a connection",
        m.CONNECTION_WAIT_TIME,
        _POOL,
        thresholds.POOL_WAIT_WARNING_SECONDS,
    ),
    _level(
        "connections",
        "Connections in use",
        "",
        Column(metric=m.ACTIVE_CONNECTIONS, where=((a.CONNECTION_STATE, "=", "active"),)),
        _POOL,
        _NEITHER,
        RATE_TOLERANCE,
    ),
    _proportion(
        "cache_hits",
        "Cache hit rate",
        (a.NODE_ID, a.VALIDATION_TYPE),
        _LOWER,
        Column(metric=m.CACHE_HITS),
        Column(metric=m.CACHE_MISSES),
    ),
    _level(
        "cache_memory",
        "Cache memory",
        "By",
        Column(metric=m.CACHE_MEMORY),
        _CACHE,
        _HIGHER,
        RATE_TOLERANCE,
    ),
    _rate(
        "evictions",
        "Cache evictions",
        Column(metric=m.CACHE_EVICTIONS),
        _CACHE,
        _HIGHER,
        Limit(RATE_TOLERANCE.relative, _THRESHOLD["FrequentCacheEvictions"] / 100),
    ),
    _rate("tasks_created", "Tasks created", Column(metric=m.TASKS_CREATED), _SWARM, _NEITHER),
    _rate("tasks", "Tasks completed", Column(metric=m.TASKS_COMPLETED), _SWARM, _LOWER),
    _proportion(
        "task_success",
        "Task success rate",
        _TASK,
        _LOWER,
        Column(metric=m.TASKS_COMPLETED, where=((a.TASK_STATUS, "=", _SUCCESS),)),
        Column(metric=m.TASKS_COMPLETED, where=((a.TASK_STATUS, "!=", _SUCCESS),)),
    ),
    _durations(
        "task_latency",
        "Task latency",
        m.TASK_LATENCY,
        _TASK,
        thresholds.TASK_EXPECTED_SECONDS,
        thresholds.TASK_ANOMALY_SECONDS,
    ),
    _level(
        "utilization",
        "Agent utilization",
        "1",
        Column(metric=m.AGENT_UTILIZATION, mean=True),
        _SWARM,
        _NEITHER,
        _POINTS,
    ),
    _level(
        "queue",
        "Queue depth",
        "",
        Column(metric=m.QUEUE_DEPTH),
        (a.SWARM_ID, a.QUEUE_TYPE),
        _HIGHER,
        Limit(RATE_TOLERANCE.relative, 1.0),
    ),
    _rate(
        "errors",
        "Errors",
        Column(metric=m.ERRORS),
        (a.NODE_ID, a.COMPONENT),
        _HIGHER,
        Limit(RATE_TOLERANCE.relative, _THRESHOLD["HighErrorRate"] / 10),
    ),
    Measure(
        name="memory",
        title="Memory in use",
        unit="1",
        by=_NODE,
        columns=(
            Column(metric=m.SYSTEM_MEMORY, where=((a.MEMORY_TYPE, "=", "used"),)),
            Column(metric=m.SYSTEM_MEMORY, where=((a.MEMORY_TYPE, "=", "total"),)),
        ),
        shape=Shape.FILL,
        worse=_HIGHER,
        tolerance=_POINTS,
    ),
    _level(
        "cpu",
        "CPU in use",
        "%",
        Column(metric=m.CPU_USAGE, prefer=((a.CPU_CORE, "=", "average"),), mean=True),
        _NODE,
        _HIGHER,
        Limit(absolute=2.0),
    ),
    _durations("operation", "Operation duration", m.OPERATION_DURATION, _OPERATION),
    _proportion(
        "operation_errors",
        "Operations with an error",
        _OPERATION,
        _HIGHER,
        Column(metric=m.OPERATION_DURATION, part="_count", where=((a.OUTCOME, "=", _ERROR),)),
        Column(metric=m.OPERATION_DURATION, part="_count", where=((a.OUTCOME, "!=", _ERROR),)),
    ),
    _level(
        "operations_active",
        "Operations in flight",
        "",
        Column(metric=m.OPERATION_ACTIVE),
        _OPERATION,
        _NEITHER,
        RATE_TOLERANCE,
    ),
    _level(
        "component_up",
        "Component healthy",
        "1",
        Column(metric=m.COMPONENT_UP, mean=True),
        (a.NODE_ID, a.COMPONENT),
        _LOWER,
        _POINTS,
    ),
    _level(
        "resource",
        "Resource in use",
        "1",
        Column(metric=m.RESOURCE_USED, mean=True),
        (a.NODE_ID, a.RESOURCE),
        _HIGHER,
        _POINTS,
    ),
)
"""Of what it is known which way is worse, in the order of the catalogue."""

_TAKEN: Final = {column.metric for measure in TOLD for column in measure.columns}
MEASURES: Final = (
    *TOLD,
    *(_plain(metric) for metric in m.METRICS if metric not in _TAKEN),
)
"""Every metric of the catalogue."""

BY_NAME: Final = {measure.name: measure for measure in MEASURES}
"""The measures, by name."""
