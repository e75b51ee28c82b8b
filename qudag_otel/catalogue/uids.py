"""Where everything is found in Grafana: uids of dashboards, ids of the panels that alerts link to.

Links in alerts, runbooks and dashboards are built from these; a changed number here breaks the
links that people have saved, so they are only ever added to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from qudag_otel.catalogue import Panel

if TYPE_CHECKING:
    from qudag_otel.catalogue import Alert

OVERVIEW: Final = "qudag-overview"
MESSAGES: Final = "qudag-messages"
POOL_CACHE: Final = "qudag-pool-cache"
SWARM: Final = "qudag-swarm"
OPERATIONS: Final = "qudag-operations"
HOST: Final = "qudag-host"
TRACES: Final = "qudag-traces"
LOGS: Final = "qudag-logs"
TELEMETRY: Final = "qudag-telemetry"
OBJECTIVES: Final = "qudag-objectives"
NODES: Final = "qudag-nodes"
ALERTS: Final = "qudag-alerts"
PERFORMANCE: Final = "qudag-performance"
"""The original monitoring's one dashboard, whose links people have saved."""

DASHBOARDS: Final = (
    OVERVIEW,
    MESSAGES,
    POOL_CACHE,
    SWARM,
    OPERATIONS,
    HOST,
    TRACES,
    LOGS,
    TELEMETRY,
    OBJECTIVES,
    NODES,
    ALERTS,
    PERFORMANCE,
)
"""Every dashboard's uid, the overview first."""

PROMETHEUS: Final = "prometheus"
JAEGER: Final = "jaeger"
VICTORIALOGS: Final = "victorialogs"
ALERTMANAGER: Final = "alertmanager"


class Location(NamedTuple):
    """One panel: the dashboard it is on, and its id there."""

    uid: str
    panel_id: int

    @property
    def path(self) -> str:
        """The panel alone on the screen, as a path below Grafana's root URL."""
        return f"/d/{self.uid}?viewPanel={self.panel_id}"


PANELS: Final = {panel: Location(OVERVIEW, number) for number, panel in enumerate(Panel, start=1)}
"""The overview's headline panel of each row."""

# Panels of what is around an alert's value, where that is not on its row's headline.
CHUNKING_LATENCY: Final = Location(MESSAGES, 22)
COMPRESSION: Final = Location(MESSAGES, 24)
POOL_CONNECTIONS: Final = Location(POOL_CACHE, 12)
CACHE_MEMORY: Final = Location(POOL_CACHE, 24)
CACHE_EVICTIONS: Final = Location(POOL_CACHE, 25)
QUEUE_DEPTH: Final = Location(SWARM, 21)
AGENT_UTILIZATION: Final = Location(SWARM, 31)
MEMORY: Final = Location(HOST, 12)
FILESYSTEMS: Final = Location(HOST, 21)
NETWORK_FAULTS: Final = Location(HOST, 25)
HOST_MEMORY: Final = Location(HOST, 27)
COMPONENTS: Final = Location(OPERATIONS, 33)
THROUGHPUT_BAND: Final = Location(OVERVIEW, 81)
TASK_BAND: Final = Location(OVERVIEW, 82)
CHUNKING_BAND: Final = Location(OVERVIEW, 83)
CACHE_BAND: Final = Location(OVERVIEW, 84)
TASK_REGRESSION: Final = Location(OVERVIEW, 85)
PIPELINE_LOSS: Final = Location(TELEMETRY, 11)
PIPELINE_QUEUES: Final = Location(TELEMETRY, 12)
FRESHNESS: Final = Location(TELEMETRY, 13)
APPLICATION_LOSS: Final = Location(TELEMETRY, 16)
TELEMETRY_COST: Final = Location(TELEMETRY, 17)
SCRAPE_TARGETS: Final = Location(TELEMETRY, 14)
COLLECTORS: Final = Location(TELEMETRY, 21)
BURN_RATE: Final = Location(OBJECTIVES, 12)
NODE_UP: Final = Location(NODES, 11)
NODE_RESTARTS: Final = Location(NODES, 13)
NODE_PEERS: Final = Location(NODES, 14)
NODE_VERTICES: Final = Location(NODES, 15)
NODE_UPTIME: Final = Location(NODES, 16)

ALERT_STATES: Final = Location(OVERVIEW, 93)
"""Every alert's state over time."""

ALERT_PANELS: Final = {
    "HighChunkingLatency": CHUNKING_LATENCY,
    "LowCompressionRatio": COMPRESSION,
    "ConnectionPoolExhausted": POOL_CONNECTIONS,
    "HighCacheMemoryUsage": CACHE_MEMORY,
    "FrequentCacheEvictions": CACHE_EVICTIONS,
    "HighSwarmQueueDepth": QUEUE_DEPTH,
    "LowAgentUtilization": AGENT_UTILIZATION,
    "HighMemoryUsage": MEMORY,
    "ElevatedMemoryUsage": MEMORY,
    "LatencyRegression": TASK_REGRESSION,
    "NodeAbsent": FRESHNESS,
    "ComponentUnhealthy": COMPONENTS,
    "UnusuallyLowThroughput": THROUGHPUT_BAND,
    "UnusuallyHighThroughput": THROUGHPUT_BAND,
    "UnusuallyHighTaskLatency": TASK_BAND,
    "UnusuallyHighChunkingLatency": CHUNKING_BAND,
    "UnusuallyLowCacheHitRate": CACHE_BAND,
    "CollectorRefusesTelemetry": PIPELINE_LOSS,
    "CollectorFailsToSend": PIPELINE_LOSS,
    "CollectorDropsTelemetry": PIPELINE_LOSS,
    "CollectorLosesTraces": PIPELINE_LOSS,
    "CollectorQueueFillsUp": PIPELINE_QUEUES,
    "CollectorAbsent": COLLECTORS,
    "ApplicationLosesTelemetry": APPLICATION_LOSS,
    "TelemetryCostsMuch": TELEMETRY_COST,
    "TargetDown": SCRAPE_TARGETS,
    "ObjectiveBurnsFast": BURN_RATE,
    "ObjectiveBurnsSlowly": BURN_RATE,
    "NodeDown": NODE_UP,
    "NodeUnwatched": NODE_UP,
    "NodeWithoutPeers": NODE_PEERS,
    "NodeMakesNoProgress": NODE_VERTICES,
    "NodeRestarted": NODE_UPTIME,
    "NodeRestartsAgain": NODE_RESTARTS,
    "HostDiskFillsUp": FILESYSTEMS,
    "HostDiskFull": FILESYSTEMS,
    "HostInodesRunOut": FILESYSTEMS,
    "HostFilesystemReadOnly": FILESYSTEMS,
    "HostMemoryRunsOut": HOST_MEMORY,
    "HostNetworkErrors": NETWORK_FAULTS,
}
"""Alerts whose surroundings are on another panel than their row's headline."""

ALERT_NUMBERS: Final = (
    "MessageProcessingStalled",
    "ConnectionPoolExhausted",
    "HighErrorRate",
    "HighMemoryUsage",
    "LowMessageThroughput",
    "HighChunkingLatency",
    "LowConnectionPoolHitRate",
    "LowCacheHitRate",
    "HighCacheMemoryUsage",
    "HighSwarmTaskLatency",
    "HighSwarmQueueDepth",
    "HighCPUUsage",
    "MessageThroughputRegression",
    "LatencyRegression",
    "LowCompressionRatio",
    "FrequentCacheEvictions",
    "LowAgentUtilization",
    "ElevatedMemoryUsage",
    "CriticalCPUUsage",
    "CriticalSwarmTaskLatency",
    "MostNodesAbsent",
    "NodeAbsent",
    "ComponentUnhealthy",
    "MostWorkFails",
    "SwarmAbsent",
    "SwarmStalled",
    "MostTasksFail",
    "NodeDown",
    "NodeWithoutPeers",
    "NodeMakesNoProgress",
    "NodeRestarted",
    "NodeRestartsAgain",
    "NodeUnwatched",
    "UnusuallyLowThroughput",
    "UnusuallyHighThroughput",
    "UnusuallyHighChunkingLatency",
    "UnusuallyHighTaskLatency",
    "UnusuallyLowCacheHitRate",
    "CollectorRefusesTelemetry",
    "CollectorFailsToSend",
    "CollectorDropsTelemetry",
    "CollectorLosesTraces",
    "CollectorQueueFillsUp",
    "ApplicationLosesTelemetry",
    "TelemetryCostsMuch",
    "CollectorReceiverFails",
    "CollectorAbsent",
    "CollectorRestarts",
    "TargetDown",
    "Watchdog",
    "AlertsGoNowhere",
    "RulesFail",
    "ReloadFailed",
    "StorageRejectsSamples",
    "StorageFails",
    "LogStoreDrops",
    "ObjectiveBurnsFast",
    "ObjectiveBurnsSlowly",
    "HostDiskFillsUp",
    "HostDiskFull",
    "HostInodesRunOut",
    "HostFilesystemReadOnly",
    "HostMemoryRunsOut",
    "HostNetworkErrors",
)
"""The alerts in the order in which they came: a new one is appended, so that links stay right."""


def location(alert: Alert) -> Location:
    """The panel that draws what an alert compares, and its threshold.

    Args:
        alert: An alert of the catalogue.
    """
    return Location(ALERTS, ALERT_NUMBERS.index(alert.name) + 1)


def area(alert: Alert) -> Location:
    """The panel of the area that an alert is about: what is around the value.

    Args:
        alert: An alert of the catalogue.

    Returns:
        The alert's own panel there if it has one, else the headline of its row, else the
        overview's state of all alerts.
    """
    if alert.name in ALERT_PANELS:
        return ALERT_PANELS[alert.name]
    return PANELS[alert.panel] if alert.panel else ALERT_STATES
