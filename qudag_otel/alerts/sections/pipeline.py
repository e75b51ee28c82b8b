"""Runbooks of what carries telemetry."""

from __future__ import annotations

from typing import Final

from qudag_otel.alerts import pipeline as p
from qudag_otel.alerts._model import Level
from qudag_otel.alerts.sections import _terms as t
from qudag_otel.alerts.sections._model import Check, Section, cause
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue import sdk

_ALWAYS: Final = Check("the constant that fires", "vector(1)", "==", 1)
_FULL_QUEUES: Final = Check(
    "queue in use", t.named(p.QUEUE_RATIO.name, Level.COLLECTOR), ">", 0.8, "1"
)
_ENQUEUE_FAILED: Final = Check(
    "items for which the queue has no room",
    t.named(p.ENQUEUE_FAILED[0].name, Level.COLLECTOR),
    ">",
    0,
    "{item}/s",
)
_SPANS: Final = t.sum_of("rate", t.named("otelcol_receiver_accepted_spans_total", Level.COLLECTOR))
_MORE_SPANS: Final = Check("spans received, of those before", t.changed(_SPANS), ">=", 1.3, "1")
_AS_MANY_SPANS: Final = Check("spans received, of those before", t.changed(_SPANS), "<", 1.3, "1")
_SENT: Final = t.sum_of(
    "rate",
    t.named("", Level.EXPORTER, '__name__=~"otelcol_exporter_sent_.*_total"'),
)
_SENDS_NOTHING: Final = Check("items that the exporter delivers", _SENT, "==", 0, "{item}/s")
_SENDS: Final = Check("items that the exporter delivers", _SENT, ">", 0, "{item}/s")
_LARGE: Final = Check(
    "its memory", f"max({t.named('otelcol_process_memory_rss_bytes', Level.COLLECTORS)})",
    ">", float(1 << 30), "By",
)  # fmt: skip


def _lost(why: str) -> str:
    """Spans and log lines a second that a process lost for a reason."""
    matcher = f"{sdk.FAILURE.label}{why}"
    names = [
        metric.prometheus_name
        for signal in ("logs", "traces")
        for metric in (sdk.PROCESSED[signal], sdk.EXPORTED[signal])
    ]
    found = " or ".join(f"rate({t.named(name, Level.PROCESS, matcher)}[5m])" for name in names)
    return f"(sum({found}) or vector(0))"


_EXPORT_FAILS: Final = Check(
    "items that the receiver did not take", _lost('!~"|queue_full"'), ">", 0, "{item}/s"
)
_QUEUE_FULL: Final = Check(
    "items for which the queue had no room", _lost('="queue_full"'), ">", 0, "{item}/s"
)


def _cost(kind: str) -> Check:
    """Most of what telemetry costs is of a kind."""
    of_kind = t.rate(Level.NODE, m.TELEMETRY_CPU, f'cost="{kind}"')
    return Check(
        f"share of telemetry's cost that is {kind}",
        f"{of_kind} / ({t.rate(Level.NODE, m.TELEMETRY_CPU)} > 0)",
        ">",
        0.5,
        "1",
    )


_UP: Final = f"(count({t.named('up', Level.COLLECTORS)} == 1) or vector(0))"
_JOB_DOWN: Final = Check("targets of the job that are up", _UP, "==", 0, "{target}")
_JOB_UP: Final = Check("targets of the job that are up", _UP, ">", 0, "{target}")

_ALIVE: Final = t.named("otelcol_process_uptime_seconds_total", Level.COLLECTOR)
_RESETS: Final = f"resets({_ALIVE}[30m])"

SECTIONS: Final[dict[str, Section]] = {
    "CollectorRefusesTelemetry": Section(
        value=t.of(p.REFUSED[0]),
        impact="Senders retry and, in the end, lose telemetry; dashboards have gaps.",
        causes=(
            cause("the Collector's memory limit", _FULL_QUEUES),
            cause("a wrong token or certificate"),
        ),
        actions=(
            "Look at the Collector's memory and queues.",
            "Give it more memory or a second instance; see docs/operating.md for sizes.",
        ),
    ),
    "CollectorReceiverFails": Section(
        value=t.of(p.RECEIVER_FAILED[0]),
        impact="Senders retry and, in the end, lose telemetry.",
        causes=(
            cause("a disk that is full", _ENQUEUE_FAILED),
            cause("an error inside the Collector's pipeline"),
        ),
        actions=("Read the Collector's log; it names the component that failed.",),
    ),
    "CollectorFailsToSend": Section(
        value=t.of(p.SEND_FAILED[0]),
        impact="Telemetry is lost at the Collector.",
        causes=(
            cause("Prometheus refuses it: too old, out of order or malformed", t.REFUSED),
            cause("the backend refuses it: too old, too large, wrong credentials"),
        ),
        actions=("Read the Collector's log; it names the backend's answer.",),
    ),
    "CollectorDropsTelemetry": Section(
        value=t.of(p.ENQUEUE_FAILED[0]),
        impact="Telemetry is lost now.",
        causes=(
            cause("a backend that is down for longer than the queue lasts", _FULL_QUEUES),
            cause("a disk that is full"),
        ),
        actions=(
            "Bring the backend back.",
            "Raise the queue's size; see docs/operating.md.",
        ),
    ),
    "CollectorLosesTraces": Section(
        value=t.of(p.UNDECIDED),
        impact="Traces are lost, those with errors too. Metrics from spans are still exact.",
        causes=(
            cause(
                "more new traces a second than OTELCOL_SAMPLING_TRACES / OTELCOL_SAMPLING_WAIT",
                _MORE_SPANS,
            ),
            cause("the wait is too long for the traces that there always were", _AS_MANY_SPANS),
        ),
        actions=(
            "Raise OTELCOL_SAMPLING_TRACES, or lower OTELCOL_SAMPLING_WAIT.",
            "docs/operating.md, Sizing, has the memory that it takes.",
        ),
    ),
    "CollectorQueueFillsUp": Section(
        value=t.of(p.QUEUE_RATIO),
        impact="None yet; when it is full, telemetry is lost.",
        causes=(
            cause("a backend that is down", _SENDS_NOTHING),
            cause("a backend that is slow", _SENDS),
        ),
        actions=("Look at the backend that the exporter names.",),
    ),
    "CollectorAbsent": Section(
        value=t.of(p.ABSENT),
        impact="Nothing that is pushed arrives: traces, logs and pushed metrics.",
        causes=(
            cause("Prometheus refuses what it pushes", t.REFUSED),
            cause("the Collector ended"),
        ),
        actions=(
            "Is the process there? Read its log.",
            "Applications keep a queue: be quick.",
            (
                "It lasts until as many report as before. Fewer on purpose: `qudag-otel "
                "alerts export --dir DIR --collectors JOB=COUNT`."
            ),
        ),
    ),
    "CollectorRestarts": Section(
        value=_RESETS,
        impact="Each restart loses what was in memory; traces are cut in two.",
        causes=(
            cause("memory: it is killed at its limit", _LARGE),
            cause("a configuration that it refuses"),
            cause("a full disk"),
        ),
        actions=(
            "Read the end of the log before the restart, and the system's log for `oom`.",
            "Give it more memory or less to do; see docs/operating.md, Sizing.",
        ),
    ),
    "ApplicationLosesTelemetry": Section(
        value=t.of(p.APPLICATION_LOST[0]),
        impact=(
            "Spans or log lines of this process are lost; its metrics and its work are "
            "not affected."
        ),
        causes=(
            cause("the receiver is away, slow, or refuses what is sent", _EXPORT_FAILS),
            cause("more is made than the queue and the receiver take", _QUEUE_FULL),
        ),
        actions=(
            "The panel names the reason; so does the process's log, once an outage.",
            "`qudag-otel doctor` in its environment tries the receiver.",
            "Sample fewer traces, or raise OTEL_BSP_MAX_QUEUE_SIZE.",
        ),
    ),
    "TelemetryCostsMuch": Section(
        value=t.raw(Level.NODE, m.TELEMETRY_SHARE),
        impact="The process is slower than it could be.",
        causes=(
            cause("very short functions are instrumented, or many calls are made", _cost("calls")),
            cause("very many log lines are exported", _cost("logs")),
            cause("exporting and scraping cost", _cost("threads")),
        ),
        actions=(
            ("`qudag_telemetry_cpu_time_seconds_total` says whether threads, calls or lines cost."),
            "Instrument with spans=False, sample fewer traces, or instrument less.",
        ),
    ),
    "TargetDown": Section(
        value=t.named("up", Level.PROCESS),
        impact="Metrics of this target are missing; alerts on them are silent.",
        causes=(
            cause("its whole job is down: the host, a network or a release", _JOB_DOWN),
            cause("the application ended", _JOB_UP),
            cause("a changed port or a firewall"),
        ),
        actions=("Open the target's /metrics from Prometheus' host.",),
    ),
    "Watchdog": Section(
        value="vector(1)",
        impact=(
            "None while it fires. A dead man's switch that no longer hears it means that "
            "no alert arrives."
        ),
        causes=(cause("it is meant to fire", _ALWAYS),),
        actions=("If it is missing: check Prometheus, Alertmanager and the way to the receiver.",),
    ),
}
"""The sections, by the alert's name."""
