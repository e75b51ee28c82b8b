"""Recorded series and rules about the telemetry itself: refused, lost, late, or no longer there.

The names beginning with `otelcol_` are those of the Collector's own metrics.
Source: OpenTelemetry Collector, "Internal telemetry", as version 0.159 emits them over OTLP.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from qudag_otel._query import promql
from qudag_otel._query.promql import aggregate, number
from qudag_otel.alerts._model import Level, Recorded
from qudag_otel.alerts._rules import ALERTS, crossed, rule, settled
from qudag_otel.alerts.promql import WINDOW, mostly, total
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
RECEIVER_FAILED: Final = _by_signal(
    Level.RECEIVER, "otelcol_receiver_failed", "otelcol_receiver_failed",
    "Items a second that a Collector could not take because of an error of its own.",
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
        f" / ({total(Level.QUEUE, 'otelcol_exporter_queue_capacity')} > 0)"
    ),
    unit="1",
    description="Share of a Collector's queue that is in use.",
)

REPORTING: Final = Recorded(
    level=Level.COLLECTORS,
    subject="otelcol",
    operation="reporting",
    expression=aggregate(
        "count", Level.COLLECTORS.labels, aggregate("group", Level.COLLECTOR.labels, _ALIVE)
    ),
    unit="{Collector}",
    description="Collectors of a job that report.",
)
LISTED: Final = "collectors:otelcol:listed"
"""The name of the series that say how many Collectors there must be; see `groups.listed`."""
_EXPECTED: Final = "collectors:otelcol:expected"
_LASTING: Final = f"min_over_time({REPORTING.name}[30m])"
_REMEMBERED: Final = f"(last_over_time({_EXPECTED}[3d]) unless on (job) {LISTED})"
EXPECTED: Final = Recorded(
    level=Level.COLLECTORS,
    subject="otelcol",
    operation="expected",
    # Names change with every rollout, and for some minutes there are the old and the new: only
    # how many there were for half an hour is remembered.
    expression=f"{_LASTING} > {_REMEMBERED} or {_REMEMBERED} or {_LASTING}",
    unit="{Collector}",
    description="As many Collectors of a job as reported at once for half an hour.",
)
_REPORTED: Final = aggregate("sum", ("job",), f"{REPORTING.name} or 0 * {LISTED}")
ABSENT: Final = Recorded(
    level=Level.COLLECTORS,
    subject="otelcol",
    operation="absent",
    expression=(
        f"{EXPECTED.name} - ({REPORTING.name} or 0 * {EXPECTED.name})"
        f" or {LISTED} - on (job) {_REPORTED}"
    ),
    unit="{Collector}",
    description="Collectors of a job that should be there and do not report; negative for more.",
)

PIPELINE_RECORDED: Final = (
    *REFUSED, *RECEIVER_FAILED, *SEND_FAILED, *ENQUEUE_FAILED, UNDECIDED, QUEUE_RATIO, REPORTING,
    EXPECTED, ABSENT,
)  # fmt: skip
"""Recorded for every Collector."""

_STARTS: Final = ALERTS["CollectorRestarts"].threshold
_RESTARTS: Final = aggregate("max", Level.COLLECTOR.labels, f"resets({_ALIVE}[30m])")
_SEEN: Final = aggregate("group", Level.COLLECTOR.labels, f"last_over_time({_ALIVE}[30m])")
_VANISHED: Final = (
    f"{aggregate('count', Level.COLLECTORS.labels, _SEEN)}"
    f" - ({REPORTING.name} or 0 * {EXPECTED.name})"
)
_FAILING: Final = 0.4
"""The share of scrapes beyond which a target counts as down."""


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
        "CollectorReceiverFails",
        "telemetry",
        crossed("CollectorReceiverFails", RECEIVER_FAILED[0].name),
        "Collector <instance> (<job>) cannot take <value> of <signal> at its receiver <receiver>"
        " for <duration>: an error of its own, not of the sender.",
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
        settled("CollectorQueueFillsUp", QUEUE_RATIO.name),
        "The queue of exporter <exporter> (<data_type>) in Collector <instance> (<job>) is"
        " <value> full, more than <limit> for <duration>.",
    ),
    rule(
        "CollectorAbsent",
        "collectors",
        crossed("CollectorAbsent", ABSENT.name),
        "Job <job> misses <value> for <duration>: they stopped, or their own metrics do not"
        " arrive.",
    ),
    rule(
        "CollectorRestarts",
        "telemetry",
        crossed("CollectorRestarts", _RESTARTS),
        "Collector <instance> (<job>) restarts again and again: <value> within half an hour.",
    ),
    replace(
        rule(
            "CollectorRestarts",
            "telemetry",
            # A new name at each start, as pods have them; a rollout brings one for each Collector.
            f"{_VANISHED} > {number(_STARTS)} * {EXPECTED.name}",
            "Collectors of job <job> end again and again: <value> within half an hour.",
        ),
        labels=(("seen", "names"),),
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
        aggregate(
            "min", Level.COLLECTOR.labels, mostly(crossed("TargetDown", "{}"), "up", _FAILING)
        ),
        "Prometheus cannot scrape <instance> of job <job> for <duration>.",
        drawn=aggregate("min", Level.COLLECTOR.labels, "up"),
    ),
    rule(
        "Watchdog",
        "watchdog",
        "vector(1)",
        "This alert always fires. When it stops arriving, alerts do not arrive.",
        drawn='max(ALERTS{alertname="Watchdog",alertstate="firing"})',
    ),
)
"""The rules about the telemetry itself."""
