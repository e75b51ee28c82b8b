"""Metrics that others define: Prometheus itself, the Collector, and what it derives from spans.

The names are those that reach Prometheus with the configuration in collector-config/.
Source: the components' metadata.yaml at the Collector's pinned version; tests compare them with
what the real Collector sends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from qudag_otel.catalogue import attributes as a


@dataclass(frozen=True, slots=True)
class External:
    """A metric of somebody else: its name in Prometheus, and the labels that queries may use."""

    name: str
    labels: tuple[str, ...]

    def __str__(self) -> str:
        return self.name


SERVICE_NAME: Final = "service_name"
LOG_SERVICE: Final = "service.name"
"""The same in VictoriaLogs, which keeps the dots."""
LOG_SCOPE: Final = ("deployment.environment.name", "cluster", "group")
"""What keeps fleets apart, there."""
SPAN_NAME: Final = "span_name"
SPAN_KIND: Final = "span_kind"
STATUS_CODE: Final = "status_code"
FAILED: Final = "STATUS_CODE_ERROR"

_SPAN: Final = (SERVICE_NAME, SPAN_NAME, SPAN_KIND, STATUS_CODE, a.NODE_ID.key)
SPAN_CALLS: Final = External("traces_span_metrics_calls_total", _SPAN)
SPAN_DURATION: Final = External("traces_span_metrics_duration_seconds_bucket", (*_SPAN, "le"))

_EDGE: Final = ("client", "server", "failed")
GRAPH_REQUESTS: Final = External("traces_service_graph_request_total", _EDGE)
GRAPH_DURATION: Final = External(
    "traces_service_graph_request_server_seconds_bucket", (*_EDGE, "le")
)

ALERTS: Final = External(
    "ALERTS", ("alertname", "alertstate", "severity", a.NODE_ID.key, a.SWARM_ID.key)
)
UP: Final = External("up", ("job", "instance"))

_PROCESS: Final = ("job", "instance")
_RECEIVER: Final = (*_PROCESS, "receiver", "transport")
_EXPORTER: Final = (*_PROCESS, "exporter")
_QUEUE: Final = (*_EXPORTER, "data_type")
SIGNALS: Final = ("spans", "metric_points", "log_records")
"""What the Collector counts, as its metrics spell it."""


def receiver(event: str, signal: str) -> External:
    """Telemetry that arrived: `accepted`, or `refused` for want of memory."""
    return External(f"otelcol_receiver_{event}_{signal}_total", _RECEIVER)


def exporter(event: str, signal: str) -> External:
    """Telemetry that left: `sent`, `send_failed` after all retries, or `enqueue_failed`."""
    return External(f"otelcol_exporter_{event}_{signal}_total", _EXPORTER)


QUEUE_SIZE: Final = External("otelcol_exporter_queue_size", _QUEUE)
QUEUE_CAPACITY: Final = External("otelcol_exporter_queue_capacity", _QUEUE)
COLLECTOR_MEMORY: Final = External("otelcol_process_memory_rss_bytes", _PROCESS)
COLLECTOR_CPU: Final = External("otelcol_process_cpu_seconds_total", _PROCESS)
COLLECTOR_UPTIME: Final = External("otelcol_process_uptime_seconds_total", _PROCESS)
TRACES_DECIDED: Final = External(
    "otelcol_processor_tail_sampling_global_count_traces_sampled_total", (*_PROCESS, "decision")
)
TRACES_UNDECIDED: Final = External(
    "otelcol_processor_tail_sampling_sampling_trace_dropped_too_early_total", _PROCESS
)

_DEVICE: Final = (*_PROCESS, "device")
_MOUNT: Final = (*_DEVICE, "mountpoint")
FILESYSTEM_USED: Final = External("system_filesystem_utilization_ratio", _MOUNT)
DISK_IO: Final = External("system_disk_io_bytes_total", (*_DEVICE, "direction"))
DISK_BUSY: Final = External("system_disk_io_time_seconds_total", _DEVICE)
NETWORK_IO: Final = External("system_network_io_bytes_total", (*_DEVICE, "direction"))
NETWORK_ERRORS: Final = External("system_network_errors_total", (*_DEVICE, "direction"))
NETWORK_DROPPED: Final = External("system_network_dropped_total", (*_DEVICE, "direction"))
HOST_MEMORY: Final = External("system_memory_utilization_ratio", (*_PROCESS, "state"))
HOST_LOAD: Final = External("system_cpu_load_average_5m", _PROCESS)
HOST_CORES: Final = External("system_cpu_logical_count", _PROCESS)
HOST: Final = (
    FILESYSTEM_USED,
    DISK_IO,
    DISK_BUSY,
    NETWORK_IO,
    NETWORK_ERRORS,
    NETWORK_DROPPED,
    HOST_MEMORY,
    HOST_LOAD,
    HOST_CORES,
)
"""What an agent measures of its host; `instance` is the host."""

EXTERNAL: Final = (
    *HOST,
    SPAN_CALLS,
    SPAN_DURATION,
    GRAPH_REQUESTS,
    GRAPH_DURATION,
    ALERTS,
    UP,
    QUEUE_SIZE,
    QUEUE_CAPACITY,
    COLLECTOR_MEMORY,
    COLLECTOR_CPU,
    COLLECTOR_UPTIME,
    TRACES_DECIDED,
    TRACES_UNDECIDED,
    *(receiver(event, signal) for event in ("accepted", "refused") for signal in SIGNALS),
    *(
        exporter(event, signal)
        for event in ("sent", "send_failed", "enqueue_failed")
        for signal in SIGNALS
    ),
)
"""Every metric of others that the dashboards ask for."""
