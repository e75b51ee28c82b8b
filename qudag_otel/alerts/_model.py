"""What the rules are: recorded series, alerting rules, and the groups they are evaluated in."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

from qudag_otel.catalogue import attributes as a

if TYPE_CHECKING:
    from qudag_otel.catalogue import Alert, Severity


class Level(enum.Enum):
    """The aggregation levels: what a recorded name begins with, and the labels it keeps."""

    NODE = ("node", (a.NODE_ID.key,))
    NODE_POOL = ("node_pool", (a.NODE_ID.key, a.POOL_TYPE.key))
    NODE_POOL_STATE = ("node_pool_state", (a.NODE_ID.key, a.POOL_TYPE.key, a.CONNECTION_STATE.key))
    NODE_COMPRESSION = ("node_compression", (a.NODE_ID.key, a.COMPRESSION_TYPE.key))
    NODE_CACHE = ("node_cache", (a.NODE_ID.key, a.CACHE_TYPE.key))
    NODE_COMPONENT = ("node_component", (a.NODE_ID.key, a.COMPONENT.key))
    NODE_OPERATION = ("node_operation", (a.NODE_ID.key, a.OPERATION.key, a.COMPONENT.key))
    NODE_LE = ("node_le", (a.NODE_ID.key, "le"))
    NODE_SIZE = ("node_size", (a.NODE_ID.key, a.MESSAGE_SIZE_BUCKET.key))
    NODE_POOL_LE = ("node_pool_le", (a.NODE_ID.key, a.POOL_TYPE.key, "le"))
    NODE_OPERATION_LE = (
        "node_operation_le",
        (a.NODE_ID.key, a.OPERATION.key, a.COMPONENT.key, "le"),
    )
    NODE_RPC = ("node_rpc", (a.NODE_ID.key, a.RPC_METHOD.key))
    SWARM = ("swarm", (a.SWARM_ID.key,))
    SWARM_TASK = ("swarm_task", (a.SWARM_ID.key, a.TASK_TYPE.key))
    SWARM_QUEUE = ("swarm_queue", (a.SWARM_ID.key, a.QUEUE_TYPE.key))
    OPERATION = ("operation", (a.OPERATION.key, a.COMPONENT.key))
    PROCESS = ("process", ("job", "instance"))
    FLEET = ("fleet", ())
    NODE_TARGET = ("node_target", (a.NODE_ID.key, "job", "instance"))
    SWARM_TARGET = ("swarm_target", (a.SWARM_ID.key, "job", "instance"))
    HOST = ("host", ("instance",))
    FILESYSTEM = ("host_filesystem", ("instance", "mountpoint"))
    HOST_DEVICE = ("host_device", ("instance", "device", "direction"))
    COLLECTOR = ("collector", ("job", "instance"))
    COLLECTORS = ("collectors", ("job",))
    RECEIVER = ("collector_receiver", ("job", "instance", "receiver"))
    EXPORTER = ("collector_exporter", ("job", "instance", "exporter"))
    QUEUE = ("collector_queue", ("job", "instance", "exporter", "data_type"))

    @property
    def prefix(self) -> str:
        """The first part of the names recorded at this level."""
        prefix: str = self.value[0]
        return prefix

    @property
    def subject(self) -> tuple[str, ...]:
        """The labels that tell one subject of this level from another, within a fleet."""
        subject: tuple[str, ...] = self.value[1]
        return subject

    @property
    def labels(self) -> tuple[str, ...]:
        """The labels that series of this level keep: those of the fleet, and the subject's."""
        return (*a.SCOPE, *self.subject)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One recorded series.

    Args:
        level: The labels it keeps.
        subject: What is measured; the middle of the name.
        operation: What was done to it, such as `rate5m`; the end of the name.
        expression: The PromQL that is recorded.
        unit: The UCUM unit of the value.
        description: What it says, in one sentence.
        labels: Labels that the rule adds, for several rules of one name.
    """

    level: Level
    subject: str
    operation: str
    expression: str
    unit: str
    description: str
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """`level:metric:operations`, as Prometheus' guide to recording rules asks."""
        return f"{self.level.prefix}:{self.subject}:{self.operation}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRule:
    """One alerting rule.

    Args:
        alert: The alert's data from the catalogue.
        expression: PromQL; an alert for every series that it returns.
        concern: What the alert is about, in one word. A critical alert silences the others of
            the same concern, on the same node.
        description: The sentence that people read. `<value>`, `<limit>` and `<duration>` stand
            for the measured value, the threshold and the duration in human units; any other
            word in angle brackets is a label of the alert.
        severity: How loudly it speaks; the alert's own by default.
        duration: How long the condition must hold, in seconds; the alert's own by default.
        labels: Labels that the rule adds.
        keep_firing: How long it goes on after the condition ended, in seconds, so that what comes
            and goes is one alert.
        drawn: What a panel draws; by default what the expression compares first.
    """

    alert: Alert
    expression: str
    concern: str
    description: str
    severity: Severity
    duration: float
    labels: tuple[tuple[str, str], ...] = ()
    keep_firing: float = 0.0
    drawn: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleGroup:
    """Rules that are evaluated together, in order.

    Args:
        name: The group's name, unique among all groups.
        rules: Recorded series and alerting rules.
        interval: Seconds between evaluations; None for Prometheus' own.
    """

    name: str
    rules: tuple[Recorded | AlertRule, ...]
    interval: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFile:
    """One file of rules.

    Args:
        name: The file's name without its ending.
        groups: Its groups.
    """

    name: str
    groups: tuple[RuleGroup, ...]
