"""Recorded series and rules about the telemetry itself: refused, lost, late, or no longer there.

The names beginning with `otelcol_` are those of the Collector's own metrics.
Source: OpenTelemetry Collector, "Internal telemetry", as version 0.159 emits them over OTLP.
"""

from __future__ import annotations

from typing import Final

from qudag_otel._query import promql
from qudag_otel.alerts._model import Level, Recorded
from qudag_otel.alerts._rules import crossed, rule
from qudag_otel.alerts.promql import WINDOW, total
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue import sdk

_SIGNALS: Final = (("logs", "log_records"), ("metrics", "metric_points"), ("traces", "spans"))
_ALIVE: Final = "otelcol_process_uptime_seconds_total"


def _by_signal(level: Level, subject: str, metric: str, description: str) -> tuple[Recorded, ...]:
    """One recorded series a signal, told apart by the label `signal`."""
    return tuple(
        Recorded(
            level=level,
            subject=subject,
            operation="rate5m",
            expression=total(level, f"rate({metric}_{items}_total[{WINDOW}])"),
            unit="{item}/s",
            description=description,
            labels=(("signal", signal),),
        )
        for signal, items in _SIGNALS
    )


REFUSED: Final = _by_signal(
    Level.RECEIVER, "otelcol_refused", "otelcol_receiver_refused",
    "Items a second that a Collector refused, so that the sender keeps them.",
)  # fmt: skip
SEND_FAILED: Final = _by_signal(
    Level.EXPORTER, "otelcol_send_failed", "otelcol_exporter_send_failed",
    "Items a second that a Collector gave up sending.",
)  # fmt: skip
ENQUEUE_FAILED: Final = _by_signal(
    Level.EXPORTER, "otelcol_enqueue_failed", "otelcol_exporter_enqueue_failed",
    "Items a second for which a Collector's queue had no room.",
)  # fmt: skip
UNDECIDED: Final = Recorded(
    level=Level.COLLECTOR,
    subject="otelcol_undecided",
    operation="rate5m",
    expression=total(
        Level.COLLECTOR,
        f"rate(otelcol_processor_tail_sampling_sampling_trace_dropped_too_early_total[{WINDOW}])",
    ),
    unit="{trace}/s",
    description="Traces a second that tail sampling let go before it had decided on them.",
)
QUEUE_RATIO: Final = Recorded(
    level=Level.QUEUE,
    subject="otelcol_queue_used",
    operation="ratio",
    expression=(
        f"{total(Level.QUEUE, 'otelcol_exporter_queue_size')}"
        f" / {total(Level.QUEUE, 'otelcol_exporter_queue_capacity')}"
    ),
    unit="1",
    description="Share of a Collector's queue that is in use.",
)

PIPELINE_RECORDED: Final = (*REFUSED, *SEND_FAILED, *ENQUEUE_FAILED, UNDECIDED, QUEUE_RATIO)
"""Recorded for every Collector."""


def _lost(signal: str) -> str:
    """Items a second of one signal that an application dropped, or could not deliver."""
    rates = (
        promql.rate(promql.select(metric.prometheus_name, f'{sdk.FAILURE.label}!=""'), WINDOW)
        for metric in (sdk.PROCESSED[signal], sdk.EXPORTED[signal])
    )
    return total(Level.PROCESS, " or ".join(rates))


APPLICATION_LOST: Final = tuple(
    Recorded(
        level=Level.PROCESS,
        subject="otel_sdk_lost",
        operation="rate5m",
        expression=_lost(signal),
        unit="{item}/s",
        description="Items a second that an application dropped, or could not deliver.",
        labels=(("signal", signal),),
    )
    for signal in ("logs", "traces")
)
"""Recorded for every application."""

PIPELINE_RULES: Final = (
    rule(
        "CollectorRefusesTelemetry",
        "telemetry",
        crossed("CollectorRefusesTelemetry", REFUSED[0].name),
        "Collector <instance> (<job>) refuses <value> of <signal> at its receiver <receiver>"
        " for <duration>; senders keep them for a while, then lose them.",
    ),
    rule(
        "CollectorFailsToSend",
        "telemetry",
        crossed("CollectorFailsToSend", SEND_FAILED[0].name),
        "Collector <instance> (<job>) loses <value> of <signal> at its exporter <exporter>"
        " for <duration>: the backend refuses them.",
    ),
    rule(
        "CollectorDropsTelemetry",
        "telemetry",
        crossed("CollectorDropsTelemetry", ENQUEUE_FAILED[0].name),
        "Collector <instance> (<job>) has no room for <value> of <signal> in the queue of its"
        " exporter <exporter> for <duration>.",
    ),
    rule(
        "CollectorLosesTraces",
        "telemetry",
        crossed("CollectorLosesTraces", UNDECIDED.name),
        "Collector <instance> (<job>) drops <value> before it can decide on them for <duration>;"
        " errors and slow traces are among them.",
    ),
    rule(
        "CollectorQueueFillsUp",
        "telemetry",
        crossed("CollectorQueueFillsUp", QUEUE_RATIO.name),
        "The queue of exporter <exporter> (<data_type>) in Collector <instance> (<job>) is"
        " <value> full, more than <limit> for <duration>.",
    ),
    rule(
        "CollectorAbsent",
        "telemetry",
        f"group by (job, instance) (last_over_time({_ALIVE}[1h]))"
        f" unless on (job, instance) {_ALIVE}",
        "Nothing is heard of Collector <instance> (<job>) for <duration>.",
    ),
    rule(
        "ApplicationLosesTelemetry",
        "telemetry",
        crossed("ApplicationLosesTelemetry", APPLICATION_LOST[0].name),
        "<job> (<instance>) loses <value> of <signal> for <duration>.",
    ),
    rule(
        "TelemetryCostsMuch",
        "telemetry",
        crossed(
            "TelemetryCostsMuch",
            promql.aggregate("max", Level.NODE.labels, m.TELEMETRY_SHARE.prometheus_name),
        ),
        "Telemetry takes <value> of the CPU time of a process of node <node_id>, more than <limit>"
        " for <duration>.",
    ),
    rule(
        "TargetDown",
        "telemetry",
        crossed("TargetDown", "min by (job, instance) (up)"),
        "Prometheus cannot scrape <instance> of job <job> for <duration>.",
    ),
    rule(
        "Watchdog",
        "watchdog",
        "vector(1)",
        "This alert always fires. When it stops arriving, alerts do not arrive.",
    ),
)
"""The rules about the telemetry itself."""
