"""The fleet: nodes, swarms and Collectors as processes that export what the catalogue names.

Every counter is a rate times the time since its process began, so that a run is the same each time.
"""

from __future__ import annotations

import itertools
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest as Request,
)
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality, ResourceMetrics

from qudag_otel.catalogue import Instrument, Metric
from qudag_otel.catalogue import metrics as m

if TYPE_CHECKING:
    from opentelemetry.proto.common.v1.common_pb2 import KeyValue

SCOPE: Final = {"deployment.environment.name": "prod", "cluster": "c1", "group": "g1"}
"""The fleet that all are of, as resource attributes."""

_NANO: Final = 1_000_000_000
_CUMULATIVE: Final = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE

KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "message_type": ("file", "chat", "control"),
    "compression_type": ("zstd",),
    "pool_type": ("peer", "storage"),
    "validation_type": ("signature", "vertex"),
    "cache_type": ("validation",),
    "reason": ("capacity", "expired"),
    "task_type": ("verify", "route"),
    "agent_type": ("worker",),
    "agent_id": tuple(f"agent-{number}" for number in range(10)),
    "queue_type": ("tasks",),
    "error_type": ("TimeoutError",),
    "cpu_core": ("average", "0", "1", "2", "3"),
    "operation": ("put", "get", "send", "verify"),
    "component": ("store", "network"),
    "outcome": ("ok", "error"),
}
"""Values of the labels, where they are not those that the catalogue allows."""

_NODE_METRICS: Final = (
    m.MESSAGE_THROUGHPUT, m.CHUNKS_PROCESSED, m.COMPRESSION_RATIO, m.CHUNKING_DURATION,
    m.POOL_HITS, m.POOL_MISSES, m.ACTIVE_CONNECTIONS, m.CONNECTION_WAIT_TIME, m.CACHE_HITS,
    m.CACHE_MISSES, m.CACHE_MEMORY, m.CACHE_EVICTIONS, m.ERRORS, m.SYSTEM_MEMORY, m.CPU_USAGE,
    m.OPERATION_DURATION, m.OPERATION_ACTIVE, m.COMPONENT_UP,
)  # fmt: skip
_SWARM_METRICS: Final = (
    m.TASKS_CREATED, m.TASKS_COMPLETED, m.TASK_LATENCY, m.AGENT_UTILIZATION, m.QUEUE_DEPTH,
)  # fmt: skip

MESSAGES: Final = 120.0
"""Messages a second of a node, of all types and both directions."""
TASKS: Final = 2.0
"""Tasks a second of a swarm."""

_TOTALS: Final[Mapping[Metric, float]] = {
    m.MESSAGE_THROUGHPUT: MESSAGES,
    m.CHUNKS_PROCESSED: 60.0,
    m.POOL_HITS: 45.0,
    m.POOL_MISSES: 5.0,
    m.CACHE_HITS: 90.0,
    m.CACHE_MISSES: 10.0,
    m.CACHE_EVICTIONS: 2.0,
    m.ERRORS: 0.01,
    m.TASKS_CREATED: TASKS,
    m.TASKS_COMPLETED: TASKS,
    m.CHUNKING_DURATION: 20.0,
    m.CONNECTION_WAIT_TIME: 50.0,
    m.TASK_LATENCY: TASKS,
    m.OPERATION_DURATION: 300.0,
}
"""What happens a second, over all labels."""
_SECONDS: Final[Mapping[Metric, float]] = {
    m.CHUNKING_DURATION: 0.02,
    m.CONNECTION_WAIT_TIME: 0.002,
    m.TASK_LATENCY: 8.0,
    m.OPERATION_DURATION: 0.004,
}
"""How long what is measured lasts."""
_VALUES: Final[Mapping[Metric, float]] = {
    m.COMPRESSION_RATIO: 0.7,
    m.ACTIVE_CONNECTIONS: 8.0,
    m.CACHE_MEMORY: 2e8,
    m.CPU_USAGE: 40.0,
    m.OPERATION_ACTIVE: 3.0,
    m.COMPONENT_UP: 1.0,
    m.AGENT_UTILIZATION: 0.6,
    m.QUEUE_DEPTH: 2.0,
    m.PROCESS_ENDED: 1.0,
}
_BY_LABEL: Final[Mapping[str, float]] = {"used": 8e9, "total": 16e9}
_SHARES: Final[Mapping[str, float]] = {"error": 0.001, "failure": 0.01, "timeout": 0.0}
"""Of what happens, what ends in this way; the first of the others has the rest."""
_REST: Final = ("success", "ok")


Alter = Callable[[float, Mapping[str, str], float], float]


@dataclass(slots=True)
class _Point:
    """A point of a request, and what its value follows from."""

    point: Any
    metric: Metric | None
    labels: Mapping[str, str]
    rate: float

    @property
    def counts(self) -> bool:
        """Whether it is a total since the process began."""
        kinds = (Instrument.COUNTER, Instrument.HISTOGRAM)
        return self.metric is None or self.metric.instrument in kinds


@dataclass
class Process:
    """A process that exports.

    Attributes:
        service: its `service.name`, which becomes `job`.
        instance: its `service.instance.id`.
        began: when it started, in Unix seconds.
        request: what it exports, changed in place.
        altered: what a series is instead, by metric: from the time, its labels, its usual value.
    """

    service: str
    instance: str
    began: float
    request: ResourceMetrics = field(default_factory=ResourceMetrics)
    altered: dict[Metric | None, Alter] = field(default_factory=dict)
    _points: list[_Point] = field(default_factory=list)

    def __post_init__(self) -> None:
        resource = {
            "service.name": self.service, "service.instance.id": self.instance, **SCOPE,
        }  # fmt: skip
        _attributes(self.request.resource.attributes, resource)
        self._scope = self.request.scope_metrics.add()

    def add(self, metric: Metric, identity: Mapping[str, str]) -> None:
        """Export all series of a metric.

        Args:
            metric: which.
            identity: the values of the labels that say whose they are.
        """
        if metric in _OPERATIONS:
            found = [
                {"operation": each, "component": KINDS["component"][number % 2], **rest}
                for number, each in enumerate(KINDS["operation"])
                for rest in _combinations(metric, {*identity, "operation", "component"})
            ]
        else:
            found = list(_combinations(metric, set(identity)))
        data = self._data(metric)
        for labels in found:
            point = data.data_points.add()
            if metric.instrument is not Instrument.GAUGE:  # as the SDK does: a gauge has no start
                point.start_time_unix_nano = int(self.began * _NANO)
            _attributes(point.attributes, {**identity, **labels})
            if metric.instrument is Instrument.HISTOGRAM:
                point.explicit_bounds.extend(metric.bounds)
            rate = _TOTALS.get(metric, 0.0) * _share(labels, found)
            self._points.append(_Point(point, metric, labels, rate))

    def counter(self, name: str, unit: str, rate: float, labels: Mapping[str, str]) -> None:
        """Export a counter that is nobody's of the catalogue."""
        data = self._scope.metrics.add(name=name, unit=unit).sum
        data.aggregation_temporality, data.is_monotonic = _CUMULATIVE, True
        point = data.data_points.add(start_time_unix_nano=int(self.began * _NANO))
        _attributes(point.attributes, labels)
        self._points.append(_Point(point, None, labels, rate))

    def at(self, now: float) -> ResourceMetrics:
        """What it exports at a time, in Unix seconds."""
        since, nano = max(now - self.began, 0.0), int(now * _NANO)
        for each in self._points:
            each.point.time_unix_nano = nano
            value = each.rate * since if each.counts else _value(each)
            if each.metric in self.altered:
                value = self.altered[each.metric](now, each.labels, value)
            if each.metric in _SECONDS:
                _observed(each, int(value))
            else:
                each.point.as_double = value
        return self.request

    def _data(self, metric: Metric) -> Any:
        added = self._scope.metrics.add(name=metric.name, unit=metric.unit)
        if metric.instrument is Instrument.HISTOGRAM:
            added.histogram.aggregation_temporality = _CUMULATIVE
            return added.histogram
        if metric.instrument is Instrument.GAUGE:
            return added.gauge
        added.sum.aggregation_temporality = _CUMULATIVE
        added.sum.is_monotonic = metric.instrument is Instrument.COUNTER
        return added.sum


_OPERATIONS: Final = (m.OPERATION_DURATION, m.OPERATION_ACTIVE)


def node(name: str, began: float, generation: int = 0) -> Process:
    """A node's process."""
    process = Process("qudag-node", f"{name}-{generation}", began)
    for metric in _NODE_METRICS:
        process.add(metric, {"node_id": name})
    return process


def swarm(name: str, began: float) -> Process:
    """A swarm's coordinator."""
    process = Process("qudag-swarm", f"{name}-0", began)
    for metric in _SWARM_METRICS:
        process.add(metric, {"swarm_id": name})
    return process


def gateway(number: int, began: float) -> Process:
    """A Collector, as far as the alerts look at it."""
    process = Process("qudag-gateway", f"gateway-{number}", began)
    process.counter("otelcol_process_uptime", "s", 1.0, {})
    for signal in ("spans", "metric_points", "log_records"):
        of = {"receiver": "otlp", "transport": "http"}
        process.counter(f"otelcol_receiver_accepted_{signal}", "", 100.0, of)
        process.counter(f"otelcol_receiver_refused_{signal}", "", 0.0, of)
        process.counter(f"otelcol_exporter_sent_{signal}", "", 100.0, {"exporter": "otlp_http"})
        process.counter(
            f"otelcol_exporter_send_failed_{signal}", "", 0.0, {"exporter": "otlp_http"}
        )
    return process


def end(process: Process, name: str) -> None:
    """Have a node's process say that it ends on purpose."""
    process.add(m.PROCESS_ENDED, {"node_id": name})


def stick(process: Process, since: float) -> None:
    """Have a swarm end no task any more, while it is given new ones.

    Args:
        process: its coordinator.
        since: from when on, in Unix seconds.
    """
    process.altered = {
        m.TASKS_COMPLETED: _stopped(),
        m.TASK_LATENCY: _stopped(),
        m.QUEUE_DEPTH: lambda now, _labels, value: value + TASKS * (now - since),
        m.AGENT_UTILIZATION: lambda _now, _labels, _value: 1.0,
    }


def _stopped() -> Alter:
    """A counter that stays where it is, to the last digit: any less is a reset."""
    reached: dict[tuple[str, ...], float] = {}
    return lambda _now, labels, value: reached.setdefault(tuple(labels.values()), value)


def send(url: str, resources: Iterable[ResourceMetrics]) -> None:
    """Export, as a Collector does: many processes in a request.

    Args:
        url: root URL of a Prometheus.
        resources: what the processes export.
    """
    body = Request(resource_metrics=resources).SerializeToString()
    request = urllib.request.Request(
        f"{url}/api/v1/otlp/v1/metrics", body, {"Content-Type": "application/x-protobuf"}
    )
    urllib.request.urlopen(request, timeout=60).close()


def history(
    url: str, series: Sequence[tuple[str, Mapping[str, str], float]], times: Iterable[float]
) -> None:
    """Store what was recorded before the run: for each series one value, at many times.

    Args:
        url: root URL of a Prometheus.
        series: name, labels and value.
        times: Unix seconds, ascending.
    """
    moments = list(times)
    for some in (moments[first : first + 60] for first in range(0, len(moments), 60)):
        resource = ResourceMetrics()
        _attributes(resource.resource.attributes, SCOPE)
        metrics = resource.scope_metrics.add().metrics
        for name, labels, value in series:
            points = metrics.add(name=name).gauge.data_points
            for at in some:
                point = points.add(time_unix_nano=int(at * _NANO), as_double=value)
                _attributes(point.attributes, labels)
        send(url, [resource])


def _combinations(metric: Metric, but: set[str]) -> Iterable[dict[str, str]]:
    """All label sets of a metric, without the labels named."""
    free = [each for each in metric.attributes if each.key not in but]
    values = (KINDS.get(each.key, each.values) for each in free)
    for chosen in itertools.product(*values):
        yield dict(zip((each.key for each in free), chosen, strict=True))


def _share(labels: Mapping[str, str], found: list[dict[str, str]]) -> float:
    """What share of all has these labels: the same for each, but for how it ended."""
    endings = [value for value in labels.values() if value in (*_SHARES, *_REST, "cancelled")]
    if not endings:
        return 1 / len(found)
    (ending,) = endings
    same = sum(ending in other.values() for other in found)
    share = 1 - sum(_SHARES.values()) if ending in _REST else _SHARES.get(ending, 0.0)
    return share / same


def _value(each: _Point) -> float:
    """A gauge's value."""
    named = [_BY_LABEL[value] for value in each.labels.values() if value in _BY_LABEL]
    return named[0] if named else _VALUES[_known(each)]


def _known(each: _Point) -> Metric:
    assert each.metric is not None
    return each.metric


def _observed(each: _Point, count: int) -> None:
    """A histogram of so many observations, of which nineteen in twenty are short."""
    metric = _known(each)
    usual, bounds = _SECONDS[metric], metric.bounds
    inside = next(number for number, bound in enumerate(bounds) if usual <= bound)
    buckets = [0] * (len(bounds) + 1)
    buckets[inside + 1] = count // 20
    buckets[inside] = count - buckets[inside + 1]
    each.point.bucket_counts[:] = buckets
    each.point.count = count
    each.point.sum = count * usual


def _attributes(to: Any, values: Mapping[str, str]) -> None:
    for key, value in values.items():
        added: KeyValue = to.add(key=key)
        added.value.string_value = value
