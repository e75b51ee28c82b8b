"""docs/runbooks.md: a section for every alert; what an alert is comes from its rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from qudag_otel._query.units import duration
from qudag_otel.alerts.groups import ALERT_RULES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qudag_otel.alerts._model import AlertRule

_HEAD: Final = """\
<!-- Generated from qudag_otel/alerts/runbooks.py by `python -m qudag_otel.alerts`; do not edit. -->
# Runbooks

A section for every alert, named as the alert; the alert's annotation `runbook_url` leads here. The
queries are for Prometheus, and are those of the rules: a result is a subject that the alert is
about. Severity critical goes to a page, warning to a ticket, info to a note.
"""


class Advice(NamedTuple):
    """What a runbook says beyond the rule.

    Attributes:
        impact: Who notices, and what.
        causes: What it usually comes from, the likeliest first.
        actions: What to do, in order.
    """

    impact: str
    causes: tuple[str, ...]
    actions: tuple[str, ...]


_LOGS: Final = (
    "Read the log of the node's service in VictoriaLogs, around the time at which it began."
)
_TRACES: Final = "Open an exemplar of the panel and look where its trace spends the time."

ADVICE: Final[dict[str, Advice]] = {
    "MessageProcessingStalled": Advice(
        "Messages to and from the node wait or are lost; its peers see timeouts.",
        ("the process hangs on a lock or a full disk", "all peers are unreachable",
         "nothing is sent any more, by intent"),
        (("Look at the swarm's queue and the pool of the same node: waiting tasks or no idle "
         "connection name the place."), _LOGS,
         "If nothing shows, take a stack dump (`py-spy dump`) and restart the node."),
    ),
    "ConnectionPoolExhausted": Advice(
        "Every request waits for a connection; throughput falls to what the pool gives back.",
        ("a peer answers slowly, so connections stay out", "connections are not given back",
         "the pool is too small for the load"),
        ("Compare the wait time of the pool with the latency of its peers.",
         "Search the log for `leaked`: a connection that was never given back is reported there.",
         "Raise the pool's size only if peers answer as fast as usual."),
    ),
    "HighErrorRate": Advice(
        "Part of the component's work fails and may be lost.",
        ("a peer sends what cannot be verified", "a dependency is down", "a new release"),
        ("See which `error_type` it is on the dashboard of operations.", _TRACES, _LOGS),
    ),
    "HighMemoryUsage": Advice(
        "The system may end the node, or another process of the host, at any moment.",
        ("a cache without a limit", "a leak since the last release", "another process"),
        ("Compare with the bytes that caches hold.",
         "If the node itself grows, lower the cache limits or restart it at a quiet time.",
         "Move other processes away, or give the host more memory."),
    ),
    "LowMessageThroughput": Advice(
        "Messages take longer to reach their peers.",
        ("little is sent, as at night", "the pool or the swarm is a bottleneck", "packet loss"),
        ("Compare with the baseline: is this usual at this hour?",
         "Look at pool wait time, queue depth and CPU of the same node."),
    ),
    "HighChunkingLatency": Advice(
        "Every message waits for its chunks; senders time out.",
        ("CPU is short", "messages are larger than usual", "a costly compression level"),
        ("Split by `message_size_bucket`: do only large messages take long?",
         "Look at the CPU of the host.", _TRACES),
    ),
    "LowConnectionPoolHitRate": Advice(
        "New connections cost a handshake each; latency and CPU rise.",
        ("peers close idle connections", "more peers than the pool keeps", "a restart"),
        ("Wait ten minutes after a restart.",
         "Compare the pool's size with the number of peers, and its idle timeout with theirs."),
    ),
    "LowCacheHitRate": Advice(
        "Signatures are verified again and again; CPU and latency rise.",
        ("a restart emptied the cache", "entries are evicted too early", "new kinds of messages"),
        (("Look at evictions by reason: capacity and memory ask for a larger cache, expired for a "
         "longer time to live."),),
    ),
    "HighCacheMemoryUsage": Advice(
        "Memory is missing elsewhere; the host may run out of it.",
        ("a limit in entries where entries became larger", "no limit"),
        ("Set a limit in bytes.", "Compare with the hit rate: a cache this large should hit."),
    ),
    "HighSwarmTaskLatency": Advice(
        "Whoever waits for these tasks waits longer than agreed.",
        ("too few agents for the tasks", "one kind of task became slow", "a slow dependency"),
        ("Is the queue deep? Then agents are missing; else the task itself is slow.", _TRACES),
    ),
    "HighSwarmQueueDepth": Advice(
        "Tasks wait; those of low priority may wait for ever.",
        ("more tasks than agents can do", "agents hang on one kind of task"),
        ("Compare created and completed tasks: does the queue still grow?",
         "Add agents, or slow the source of the tasks."),
    ),
    "HighCPUUsage": Advice(
        "Everything on the host becomes slower; timeouts follow.",
        ("more load", "a loop in a new release", "another process of the host"),
        ("Compare with message throughput: same load and more CPU means a change of code.",
         "Profile the process (`py-spy top`)."),
    ),
    "MessageThroughputRegression": Advice(
        "The node does a fifth less than at the same time yesterday and last week.",
        ("a release since then", "a peer left", "less is sent, as on a holiday"),
        ("Compare releases and the number of peers.",
         "Run `qudag-otel baseline check` against a baseline recorded before the release."),
    ),
    "LatencyRegression": Advice(
        "Tasks take a third longer than at the same time yesterday and last week.",
        ("a release since then", "larger tasks", "fewer agents"),
        ("Compare releases, and the number of tasks of each type.",
         "Run `qudag-otel baseline check` against a baseline recorded before the release."),
    ),
    "LowCompressionRatio": Advice(
        "More bytes are sent and stored than needed.",
        ("content that is compressed or encrypted already", "very small messages"),
        ("Look at the message types; switch compression off for those that gain nothing.",),
    ),
    "FrequentCacheEvictions": Advice(
        "The cache works hard and soon hits less.",
        ("the cache is too small", "a burst of new messages", "entries expire at once"),
        ("Look at the reason: capacity and memory ask for a larger cache.",),
    ),
    "LowAgentUtilization": Advice(
        "Tasks wait although agents have time: work is not handed out.",
        ("agents of a type that no waiting task needs", "the coordinator hangs"),
        ("Compare agent types with the types of the waiting tasks.", _LOGS),
    ),
    "ElevatedMemoryUsage": Advice(
        "None yet; at 90% a page follows.",
        ("caches that fill", "a slow leak"),
        ("Look at the trend of the last day; act before it reaches 90%.",),
    ),
    "CriticalCPUUsage": Advice(
        "Timeouts and missed deadlines on everything that the host does.",
        ("as for HighCPUUsage, worse",),
        ("Take load away from the host first, then look for the cause as in HighCPUUsage.",),
    ),
    "CriticalSwarmTaskLatency": Advice(
        "Tasks exceed a minute; whoever waits gives up.",
        ("agents hang", "the queue is far too deep", "a dependency is down"),
        (_TRACES, "Restart agents that hold one task for minutes.",
         "Cancel what nobody waits for any more."),
    ),
    "MostNodesAbsent": Advice(
        "The fleet, or what tells of it, is gone; the pages of its nodes are held back.",
        ("a Collector or the network between", "a release that does not start",
         "Prometheus refuses what is pushed"),
        ("Look at CollectorAbsent and StorageRejectsSamples first.",
         "Ask one of the nodes itself: is the process there?",
         "`node:qudag_node:absent` lists the nodes."),
    ),
    "NodeAbsent": Advice(
        "The node, or what tells of it, is gone.",
        ("the process ended without shutting down", "its telemetry does not reach Prometheus",
         "it was taken away by force"),
        ("Ask the node itself: is the process there, does its /metrics answer?",
         "If many nodes are absent at once, look at the Collector first.",
         ("It lasts until the node is back. A node that will not come back is retired: "
          "`qudag-otel alerts export --dir DIR --retired ID`, or a silence.")),
    ),
    "MostWorkFails": Advice(
        "Whoever uses it gets errors, though they are too few for HighErrorRate.",
        ("a dependency is down", "a wrong configuration or key", "a new release"),
        ("See which `error_type` it is on the dashboard of operations.", _TRACES, _LOGS),
    ),
    "SwarmAbsent": Advice(
        "No task is handed out; whoever waits for one waits for ever.",
        ("the coordinator ended", "its telemetry does not reach Prometheus"),
        ("Is the coordinator's process there? Read its log.",
         "A swarm that will not come back: `alerts export --retired swarm_id=ID`."),
    ),
    "SwarmStalled": Advice(
        "Tasks pile up and none is done.",
        ("agents hang on a lock or a dependency", "the coordinator hands nothing out",
         "tasks really take this long: raise SWARM_STALLED_SECONDS in the catalogue"),
        (("Do agents work (`qudag_agent_utilization_ratio`)? Then take a stack dump of one "
          "(`py-spy dump`), else of the coordinator."), _LOGS),
    ),
    "MostTasksFail": Advice(
        "Work is done in vain.",
        ("a dependency of the tasks is down", "a new release", "a limit of time that is too low"),
        ("See by `status` whether they fail or time out, and which `task_type` it is.", _TRACES,
         _LOGS),
    ),
    "ComponentUnhealthy": Advice(
        "A part of the node says of itself that it cannot work.",
        ("what its health check looks at: see the component's documentation",),
        ("Read the component's log; a change of health is logged with its reason.",),
    ),
    "UnusuallyLowThroughput": Advice(
        "Perhaps none: it is unusual, not necessarily wrong.",
        ("an upstream outage", "a change of routing", "a holiday"),
        ("See the band on the panel: how far outside, since when, other nodes too?",),
    ),
    "UnusuallyHighThroughput": Advice(
        "Perhaps none yet; queues and CPU may follow.",
        ("a burst", "a peer that sends again and again", "a test"),
        ("See which message type and direction grew.", "Look at queue, CPU and errors."),
    ),
    "UnusuallyHighChunkingLatency": Advice(
        "Messages are slower than they usually are at this hour.",
        ("larger messages", "CPU in use elsewhere"),
        ("As for HighChunkingLatency.",),
    ),
    "UnusuallyHighTaskLatency": Advice(
        "Tasks are slower than they usually are at this hour.",
        ("more tasks", "slower dependencies"),
        ("As for HighSwarmTaskLatency.",),
    ),
    "UnusuallyLowCacheHitRate": Advice(
        "More is verified than usual at this hour.",
        ("a restart", "new kinds of messages"),
        ("As for LowCacheHitRate.",),
    ),
    "CollectorRefusesTelemetry": Advice(
        "Senders retry and, in the end, lose telemetry; dashboards have gaps.",
        ("the Collector's memory limit", "a wrong token or certificate"),
        ("Look at the Collector's memory and queues.",
         "Give it more memory or a second instance; see docs/operating.md for sizes."),
    ),
    "CollectorReceiverFails": Advice(
        "Senders retry and, in the end, lose telemetry.",
        ("an error inside the Collector's pipeline", "a disk that is full"),
        ("Read the Collector's log; it names the component that failed.",),
    ),
    "CollectorFailsToSend": Advice(
        "Telemetry is lost at the Collector.",
        ("the backend refuses it: too old, too large, wrong credentials",),
        ("Read the Collector's log; it names the backend's answer.",),
    ),
    "CollectorDropsTelemetry": Advice(
        "Telemetry is lost now.",
        ("a backend that is down for longer than the queue lasts", "a disk that is full"),
        ("Bring the backend back.", "Raise the queue's size; see docs/operating.md."),
    ),
    "CollectorLosesTraces": Advice(
        "Traces are lost, those with errors too. Metrics from spans are still exact.",
        ("more new traces a second than OTELCOL_SAMPLING_TRACES / OTELCOL_SAMPLING_WAIT",),
        (
            "Raise OTELCOL_SAMPLING_TRACES, or lower OTELCOL_SAMPLING_WAIT.",
            "docs/operating.md, Sizing, has the memory that it takes.",
        ),
    ),
    "CollectorQueueFillsUp": Advice(
        "None yet; when it is full, telemetry is lost.",
        ("a backend that is down or slow",),
        ("Look at the backend that the exporter names.",),
    ),
    "CollectorAbsent": Advice(
        "Nothing that is pushed arrives: traces, logs and pushed metrics.",
        ("the Collector ended", "Prometheus refuses what it pushes"),
        ("Is the process there? Read its log.", "Applications keep a queue: be quick.",
         ("It lasts until as many report as before. Fewer on purpose: "
          "`qudag-otel alerts export --dir DIR --collectors JOB=COUNT`.")),
    ),
    "CollectorRestarts": Advice(
        "Each restart loses what was in memory; traces are cut in two.",
        ("memory: it is killed at its limit", "a configuration that it refuses", "a full disk"),
        ("Read the end of the log before the restart, and the system's log for `oom`.",
         "Give it more memory or less to do; see docs/operating.md, Sizing."),
    ),
    "ApplicationLosesTelemetry": Advice(
        "Spans or log lines of this process are lost; its metrics and its work are not affected.",
        (
            "the receiver is away, slow, or refuses what is sent",
            "more is made than the queue and the receiver take",
        ),
        (
            "The panel names the reason; so does the process's log, once an outage.",
            "`qudag-otel doctor` in its environment tries the receiver.",
            "Sample fewer traces, or raise OTEL_BSP_MAX_QUEUE_SIZE.",
        ),
    ),
    "TelemetryCostsMuch": Advice(
        "The process is slower than it could be.",
        ("very short functions are instrumented, or very many log lines are exported",),
        (
            "`qudag_telemetry_cpu_time_seconds_total` says whether threads, calls or lines cost.",
            "Instrument with spans=False, sample fewer traces, or instrument less.",
        ),
    ),
    "TargetDown": Advice(
        "Metrics of this target are missing; alerts on them are silent.",
        ("the application ended", "a changed port or a firewall"),
        ("Open the target's /metrics from Prometheus' host.",),
    ),
    "Watchdog": Advice(
        "None while it fires. A dead man's switch that no longer hears it means that no alert "
        "arrives.",
        ("it is meant to fire",),
        ("If it is missing: check Prometheus, Alertmanager and the way to the receiver.",),
    ),
    "AlertsGoNowhere": Advice(
        "Nobody hears of anything.",
        ("alerts/receivers has no file for a receiver", "a wrong or expired address",
         "Alertmanager is down, or Prometheus does not find it"),
        ("Open Alertmanager's log: it names the receiver and the file.",
         "Put the address into alerts/receivers/NAME; see docs/operating.md.",
         "`amtool alert add alertname=Test severity=critical` must arrive."),
    ),
    "RulesFail": Advice(
        "Alerts of the failing group are silent.",
        ("two series where a rule allows one", "Prometheus is short of CPU or memory"),
        ("Open /rules of Prometheus: the rule's error stands beside it.",),
    ),
    "ReloadFailed": Advice(
        "None yet: the former configuration is in use. A restart would fail.",
        ("a typing error in the file",),
        ("`promtool check config` or `amtool check-config` names the line.",),
    ),
    "StorageRejectsSamples": Advice(
        "Dashboards have gaps, and alerts do not see what is refused.",
        ("a clock that is wrong", "a queue older than `out_of_order_time_window`",
         "two processes that are both named the same instance"),
        ("Read Prometheus' log, and the Collector's: both name the reason.",
         "Give each process an instance id of its own."),
    ),
    "StorageFails": Advice(
        "History is at risk; Prometheus may not start again.",
        ("a full disk", "a damaged disk"),
        ("Look at the disk first, then at Prometheus' log.",),
    ),
    "LogStoreDrops": Advice(
        "Log lines are lost.",
        ("lines older than the retention", "lines that are too long", "a full disk"),
        ("Read the log store's own log; it names the reason.",),
    ),
    "ObjectiveBurnsFast": Advice(
        "Users notice: the error budget of a month is gone within days.",
        ("an outage", "a bad release"),
        ("See which outcome or latency burns on the dashboard of objectives.", _TRACES,
         "Take the release back if it began with one."),
    ),
    "ObjectiveBurnsSlowly": Advice(
        "The error budget will not last the month.",
        ("a small share of calls fails or is slow all the time",),
        ("Look at errors by type and at the slowest operations.", "Plan the repair."),
    ),
}  # fmt: skip


def markdown() -> str:
    """The document."""
    lines = [_HEAD]
    for name, advice in ADVICE.items():
        lines += _section(name, advice, [rule for rule in ALERT_RULES if rule.alert.name == name])
    return "\n".join(lines)


def _section(name: str, advice: Advice, rules: list[AlertRule]) -> Iterator[str]:
    first = rules[0]
    after = f", after {duration(first.duration)}" if first.duration else ""
    yield f"## {name}\n"
    yield f"{first.alert.summary} Severity {first.severity.value}{after}.\n"
    yield f"**Impact.** {advice.impact}\n"
    yield "**Confirm.**\n"
    for rule in rules:
        yield f"```promql\n{rule.expression}\n```\n"
    yield "**Likely causes.** " + "; ".join(advice.causes) + ".\n"
    yield "**What to do.**\n"
    yield "\n".join(f"{number}. {action}" for number, action in enumerate(advice.actions, 1)) + "\n"
