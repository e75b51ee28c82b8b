"""The record types of the catalogue: what a metric, a span, a baseline and an alert are.

Everything that names a signal is an instance of one of these. Instruments, documentation,
dashboards, alerts and tests are derived from them; nothing else spells a name.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field

from qudag_otel.catalogue.names import family_name, unit_name

OTHER = "other"
"""What stands in for a label value that is not allowed, or that exceeds an attribute's limit."""


class Instrument(enum.Enum):
    """The OpenTelemetry instrument kinds in use, by their specification names."""

    COUNTER = "counter"
    UP_DOWN_COUNTER = "updowncounter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


class Group(enum.Enum):
    """The part of a node that a metric describes."""

    CHUNKING = "chunking"
    POOL = "pool"
    CACHE = "cache"
    SWARM = "swarm"
    SYSTEM = "system"
    OPERATION = "operation"
    COMPONENT = "component"
    APPLICATION = "application"
    NODE = "node"
    TELEMETRY = "telemetry"
    PROCESS = "process"


class Panel(enum.Enum):
    """The rows of the overview dashboard, top to bottom."""

    MESSAGE_THROUGHPUT = "Message Throughput"
    CHUNK_PROCESSING = "Chunk Processing Performance"
    CONNECTION_POOL = "Connection Pool Efficiency"
    VALIDATION_CACHE = "Validation Cache Performance"
    SWARM_COORDINATION = "Swarm Coordination Metrics"
    SYSTEM_HEALTH = "System Health"
    RESOURCE_USAGE = "Resource Usage"
    PERFORMANCE_BASELINES = "Performance Baselines"


class Severity(enum.Enum):
    """How loudly an alert speaks: a page, a ticket, or a note."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


class Comparison(enum.Enum):
    """How a measured value is compared with a threshold, as PromQL spells it."""

    ABOVE = ">"
    BELOW = "<"
    EQUAL = "=="


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribute:
    """One attribute of a metric or span.

    Args:
        key: The attribute key. On metrics of ours it is also the Prometheus label name.
        description: What it says, for the reference.
        values: The allowed values; empty when any value is allowed.
        limit: How many distinct values one process may report before `OTHER` takes the rest.
        example: A typical value, when `values` is empty.
    """

    key: str
    description: str
    values: tuple[str, ...] = ()
    limit: int = 100
    example: str = ""

    @property
    def label(self) -> str:
        """The label's name in Prometheus."""
        return self.key.replace(".", "_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One metric.

    Args:
        name: The OpenTelemetry instrument name.
        instrument: The instrument kind.
        unit: The UCUM unit, or an annotation in braces.
        description: What it measures, in one sentence.
        group: The part of a node it belongs to.
        attributes: Its attributes, identity (`node_id` or `swarm_id`) first.
        bounds: Upper bucket bounds of a histogram, in `unit`; floats, ascending.
        panel: The overview row that shows it.
        asynchronous: Observed at collection, instead of recorded when it happens.
        minimum: The least value of a gauge or up-down counter; None if there is none.
        workers: How a gauge becomes one when several worker processes show it: sum, min or max.
    """

    name: str
    instrument: Instrument
    unit: str
    description: str
    group: Group
    attributes: tuple[Attribute, ...]
    bounds: tuple[float, ...] = ()
    panel: Panel | None = None
    asynchronous: bool = False
    minimum: float | None = None
    workers: str = "max"

    @property
    def prometheus_name(self) -> str:
        """The name in Prometheus under the strategy UnderscoreEscapingWithSuffixes.

        Source: OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility".
        """
        unit = unit_name(self.unit, gauge=self.instrument is Instrument.GAUGE)
        counter = self.instrument is Instrument.COUNTER
        family = family_name(self.name, unit, monotonic=counter)
        return f"{family}_total" if counter else family

    @property
    def attribute_keys(self) -> tuple[str, ...]:
        """The keys of `attributes`, in order."""
        return tuple(attribute.key for attribute in self.attributes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One kind of span that the wrappers start.

    Args:
        name: The span name (low cardinality).
        kind: The OpenTelemetry span kind, lower case.
        description: The work it covers.
        attributes: The attributes it may carry.
    """

    name: str
    kind: str
    description: str
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The range in which a healthy node stays, and where it stops being healthy.

    Args:
        name: A short identifier.
        title: What people call it.
        metric: The metric, or the first of the metrics, it is computed from.
        unit: The UCUM unit of the values below.
        normal: Lower and upper end of the normal range.
        warning: The value from which it deserves a ticket.
        critical: The value from which it deserves a page; None if it never does.
        comparison: The direction in which it becomes bad.
    """

    name: str
    title: str
    metric: Metric
    unit: str
    normal: tuple[float, float]
    warning: float
    critical: float | None
    comparison: Comparison


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One alert's data; its expression is built from it by `qudag_otel.alerts`.

    Args:
        name: The alert name.
        severity: How loudly it speaks.
        threshold: The value compared with, in `unit`.
        comparison: How the value is compared.
        duration: How long the condition must hold, in seconds.
        unit: The UCUM unit of `threshold`.
        summary: What is wrong, as one sentence without values.
        panel: The overview row that shows the value.
        metrics: The metrics the expression reads.
    """

    name: str
    severity: Severity
    threshold: float
    comparison: Comparison
    duration: float
    unit: str
    summary: str
    panel: Panel | None
    metrics: tuple[Metric, ...] = field(default=())
