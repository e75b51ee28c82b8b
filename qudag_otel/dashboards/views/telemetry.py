"""The telemetry itself: does everything arrive, is everything fresh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qudag_otel._query import promql
from qudag_otel.alerts.presence import NODES
from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue import sdk
from qudag_otel.dashboards import _external as x
from qudag_otel.dashboards import _thresholds as thresholds
from qudag_otel.dashboards._promql import WINDOW, gauge, recorded, select
from qudag_otel.dashboards._view import GREEN, RED, Column, Kind, Label, Query, Shape, View

if TYPE_CHECKING:
    from collections.abc import Callable

    from qudag_otel.catalogue import Metric
    from qudag_otel.dashboards._external import External

_NO_COLLECTOR: Final = (
    "No Collector reports. If applications send to one, it is down or its metrics do not arrive."
)
_KINDS: Final = {"spans": "spans", "metric_points": "metrics", "log_records": "logs"}


_QUEUE: Final = "by (instance, exporter)"
REPORTS: Final = (
    select(m.MESSAGE_THROUGHPUT),
    select(m.SYSTEM_MEMORY),
    select(m.OPERATION_DURATION, suffix="_count"),
)
"""What every node reports at least one of."""
_NODE: Final = (*a.SCOPE, a.NODE_ID.key)
REPORTING: Final = recorded(NODES.present)
"""The nodes that report now."""
SEEN: Final = f"last_over_time({REPORTING}[$__range])"
"""The nodes that reported at any time shown."""


def _rate(metric: External, keep: str) -> str:
    return promql.aggregate("sum", (keep,), promql.rate(str(metric), WINDOW))


def _rate_where_lost(metric: Metric) -> str:
    why = sdk.FAILURE.label
    lost = promql.select(metric.prometheus_name, f'{why}!=""')
    return promql.aggregate("sum", ("job", why), promql.rate(lost, WINDOW))


def _items(event: str, of: Callable[[str, str], External], words: str) -> tuple[Query, ...]:
    return tuple(
        Query(
            expression=_rate(of(event, signal), "instance"),
            legend=f"{{{{instance}}}} {kind} {words}",
        )
        for signal, kind in _KINDS.items()
    )


LOSS: Final = View(
    title="Telemetry lost",
    description=(
        "Spans, metrics and log lines a second that a Collector refused for want of memory "
        "(senders retry), gave up sending, or could not queue (lost), and traces that tail "
        "sampling had no room for. Above zero: look at the queues beside, then at the backend."
    ),
    queries=(
        *_items("refused", x.receiver, "refused"),
        *_items("send_failed", x.exporter, "not sent"),
        *_items("enqueue_failed", x.exporter, "not queued"),
        Query(
            expression=_rate(x.TRACES_UNDECIDED, "instance"),
            legend="{{instance}} traces not decided on",
        ),
    ),
    empty=_NO_COLLECTOR,
    unit="eps",
    steps=thresholds.of_alert("CollectorDropsTelemetry"),
)
APPLICATION_LOSS: Final = View(
    title="Telemetry lost by applications",
    description=(
        "Spans and log lines a second that applications dropped because more came than their "
        "receiver took, or that no receiver acknowledged, by reason. Above zero: does the "
        "Collector answer, does it take what is sent?"
    ),
    queries=tuple(
        Query(
            expression=_rate_where_lost(metric),
            legend=f"{{{{job}}}} {words} {{{{error_type}}}}",
        )
        for metric, words in (
            (sdk.PROCESSED["traces"], "spans dropped:"),
            (sdk.EXPORTED["traces"], "spans not delivered:"),
            (sdk.PROCESSED["logs"], "log lines dropped:"),
            (sdk.EXPORTED["logs"], "log lines not delivered:"),
        )
    ),
    empty="No application reports that it lost anything, or none reports its own telemetry.",
    unit="eps",
    steps=thresholds.of_alert("ApplicationLosesTelemetry"),
)
COST: Final = View(
    title="Cost of telemetry",
    description=(
        "Share of each process's CPU time that telemetry took in the latest minute: its threads, "
        "the calls it measures, the log lines it exports."
    ),
    queries=(
        Query(
            expression=promql.aggregate("max", _NODE, select(m.TELEMETRY_SHARE)),
            legend="{{node_id}}",
        ),
        Query(
            expression=promql.aggregate(
                "sum", (*_NODE, a.COST.key), promql.rate(select(m.TELEMETRY_CPU), WINDOW)
            ),
            legend="{{node_id}} {{cost}}, of one core",
        ),
    ),
    empty="No selected node says what its telemetry costs.",
    unit="percentunit",
    steps=thresholds.of_alert("TelemetryCostsMuch"),
)
QUEUES: Final = View(
    title="Collector queues",
    description=(
        "How full the queue in front of each backend is. A queue that fills means that the "
        "backend does not take what is sent; at 100% telemetry is lost."
    ),
    queries=(
        Query(
            expression=f"max {_QUEUE} ({x.QUEUE_SIZE}) / max {_QUEUE} ({x.QUEUE_CAPACITY})",
            legend="{{instance}} {{exporter}}",
        ),
    ),
    empty=_NO_COLLECTOR,
    unit="percentunit",
    maximum=1.0,
    steps=thresholds.of_alert("CollectorQueueFillsUp"),
)
FRESHNESS: Final = View(
    title="Age of the latest sample",
    description=(
        "Seconds since each node was last heard of. A saw between zero and the export interval "
        "is healthy. A line that climbs and ends is a node that went silent: is its process "
        "there, does it reach the Collector? One that ended on purpose says so."
    ),
    queries=(
        Query(
            expression=(
                "time() - "
                + promql.aggregate(
                    "max", _NODE, " or ".join(f"timestamp({report})" for report in REPORTS)
                )
            ),
            legend="{{node_id}}",
        ),
        Query(
            expression=f"0 * {gauge('max', m.PROCESS_ENDED, a.NODE_ID)}",
            legend="{{node_id}} ended on purpose",
        ),
    ),
    empty="No selected node reported anything in the last five minutes of the time shown.",
    unit="s",
    steps=thresholds.of_duration("NodeAbsent"),
)
TARGETS: Final = View(
    title="Scraped targets",
    description=(
        "Whether each target that Prometheus scrapes answers. Pushed applications have no target: "
        "for them the age of the latest sample tells."
    ),
    queries=(Query(expression=f"min by (job, instance) ({x.UP})", legend="{{job}} {{instance}}"),),
    empty="Prometheus scrapes nothing: everything is pushed, or its targets are not configured.",
    unit="none",
    kind=Kind.STATES,
    minimum=None,
    labels=(Label(0, "Down", RED), Label(1, "Up", GREEN)),
)
SILENT: Final = View(
    title="Silent nodes",
    description=(
        "Nodes that reported in the time shown and no longer do. Empty is healthy. For each: is "
        "the host up, is the process there, does it reach the Collector?"
    ),
    queries=(Query(expression=f"{SEEN} unless {REPORTING}", shape=Shape.TABLE, instant=True),),
    empty="Every selected node that reported in the time shown still does.",
    unit="none",
    kind=Kind.TABLE,
    columns=(Column(a.NODE_ID.key, "Node"), Column("Value #A", "Silent")),
)
COLLECTORS: Final = View(
    title="Collectors",
    description=(
        "How long each Collector has been running. A line that restarts at zero is a Collector "
        "that restarted: its queues are on disk, so nothing should be lost. A line that ends is "
        "a Collector that is gone."
    ),
    queries=(
        Query(expression=f"max by (job, instance) ({x.COLLECTOR_UPTIME})", legend="{{instance}}"),
    ),
    empty=_NO_COLLECTOR,
    unit="dtdurations",
)
RECEIVED: Final = View(
    title="Received by the Collectors",
    description="Spans, data points and log lines a second that arrive. Zero: nobody sends.",
    queries=_items("accepted", x.receiver, "received"),
    empty=_NO_COLLECTOR,
    unit="eps",
)
SENT: Final = View(
    title="Sent to the backends",
    description=(
        "Spans, data points and log lines a second that leave. Fewer spans than arrive is "
        "sampling; fewer metrics or log lines for long is a backend that does not take them."
    ),
    queries=_items("sent", x.exporter, "sent"),
    empty=_NO_COLLECTOR,
    unit="eps",
)
SAMPLING: Final = View(
    title="Traces kept and dropped",
    description=(
        "What tail sampling decided, traces a second. All errors and slow traces are kept; a "
        "jump in what is kept is a jump in errors or in latency."
    ),
    queries=(Query(expression=_rate(x.TRACES_DECIDED, "decision"), legend="{{decision}}"),),
    empty="No Collector decided on a trace in this window.",
    unit="cps",
)
COLLECTOR_MEMORY: Final = View(
    title="Collector memory",
    description=(
        "Memory of each Collector. Near its limit it refuses data, which senders keep and retry: "
        "raise OTELCOL_MEMORY_MIB or add a gateway."
    ),
    queries=(Query(expression=f"max by (instance) ({x.COLLECTOR_MEMORY})", legend="{{instance}}"),),
    empty=_NO_COLLECTOR,
    unit="bytes",
)
COLLECTOR_CPU: Final = View(
    title="Collector CPU",
    description="CPU seconds a second of each Collector: 1 is one whole core.",
    queries=(Query(expression=_rate(x.COLLECTOR_CPU, "instance"), legend="{{instance}}"),),
    empty=_NO_COLLECTOR,
    unit="short",
)
