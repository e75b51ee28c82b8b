"""What many nodes share, what is done in vain, and swarms that are gone or stand still."""

from __future__ import annotations

from typing import Final

from qudag_otel.catalogue import metrics as m
from tests.alerts.scenario import (
    SCOPE,
    Case,
    Fires,
    Scenario,
    Series,
    counter,
    elsewhere,
    gauge,
    joined,
    silent,
)

_BOTH: Final = ("recording", "alerts")


def _messages(node: str, more: str = "") -> str:
    return (
        f'qudag_message_throughput_total{{node_id="{node}",message_type="file",'
        f'direction="inbound"{more}}}'
    )


def _nodes(count: int, alive: int, minutes: int = 90, name: str = "n") -> Series:
    """Nodes of which some push nothing any more after half an hour."""
    return {
        _messages(f"{name}{number:02}"): counter((50, minutes if number < alive else 30))
        for number in range(count)
    }


def _most(share: str, **fleet: str) -> Fires:
    return Fires(
        labels=fleet or SCOPE,
        description=f"Nothing is heard of {share} of the nodes for 1 minute: look for what they"
        " share, a Collector, a network or a release.",
    )


def _collector(minutes: int) -> Series:
    of = 'job="qudag-gateway",instance="gateway-0"'
    return {f"otelcol_process_uptime_seconds_total{{{of}}}": counter((1, minutes))}


MOST_ABSENT: Final = Scenario(
    name="MostNodesAbsent",
    rules=("recording", "pipeline", "alerts"),
    severity="critical",
    concern="presence",
    cases=(
        Case(
            name="6 of 11 nodes, before any of them is a page of its own; 3 of 7 elsewhere",
            series=joined(_nodes(11, 5, 45), elsewhere(_nodes(7, 4, 45))),
            at={"35m45s": (), "36m15s": (_most("54.55%"),), "44m": (_most("54.55%"),)},
        ),
        Case(name="exactly half", series=_nodes(6, 3, 40), at=silent(40, start=34)),
        Case(
            name="three of three, and not two of two, while the Collector is there",
            series=joined(_nodes(2, 0), _collector(40), elsewhere(_nodes(3, 0))),
            at={"36m15s": (_most("100%", **dict.fromkeys(SCOPE, "other")),)},
        ),
        Case(
            name="a Collector dies, and with it all that is heard of the only node",
            series=joined(_nodes(1, 0), _collector(30)),
            at={"35m45s": (), "36m15s": (_most("100%"),)},
        ),
        Case(
            name="a Collector dies, and with it exactly half of what is heard",
            series=joined(_nodes(2, 1, 40), _collector(30)),
            at=silent(40, every=2, start=34),
        ),
        Case(
            name="a rollout of six nodes at once, each of which says that it ends",
            series=joined(
                *(
                    {
                        _messages(f"old{n}", f',instance="o{n}"'): counter((50, 30)),
                        f'qudag_process_ended{{node_id="old{n}",instance="o{n}"}}': "_x120 1",
                        _messages(f"new{n}", f',instance="w{n}"'): counter((None, 31), (50, 15)),
                    }
                    for n in range(6)
                )
            ),
            at=silent(45, start=29),
        ),
    ),
)


def _errors(node: str, component: str, rate: float) -> Series:
    return {
        f'qudag_errors_total{{node_id="{node}",component="{component}",error_type="E"}}': counter(
            (rate, 60)
        )
    }


def _calls(node: str, outcome: str, rate: float, operation: str = "put") -> Series:
    of = f'node_id="{node}",operation="{operation}",component="store",outcome="{outcome}"'
    return {f"{m.OPERATION_DURATION.prometheus_name}_count{{{of}}}": counter((rate, 60))}


def _vain(component: str, share: str) -> Fires:
    return Fires(
        labels={"node_id": "n1", "component": component},
        description=f"Component {component} of node n1 counts errors for {share} of the node's"
        " messages of a quarter of an hour, more than 50% for 5 minutes.",
    )


def _failing(node: str, share: str) -> Fires:
    return Fires(
        labels={"node_id": node, "operation": "put", "component": "store"},
        description=f"On node {node} {share} of the calls of put (store) fail, more than 50% for"
        " 5 minutes.",
        severity="warning",
    )


WORK_FAILS: Final = Scenario(
    name="MostWorkFails",
    rules=_BOTH,
    severity="critical",
    concern="failures",
    cases=(
        Case(
            name="three messages a minute, and all of them fail",
            series=joined(
                {_messages("n1"): counter((0.05, 60))},
                _errors("n1", "verify", 0.05),
                _errors("n1", "more", 0.026),
                _errors("n1", "less", 0.024),
                # The same elsewhere, among many that succeed.
                elsewhere({_messages("n1"): counter((5, 60)), **_errors("n1", "verify", 0.05)}),
                {_messages("n2"): counter((5, 60))},
                _errors("n2", "verify", 0.05),
            ),
            at={"4m": (), "30m": (_vain("verify", "100%"), _vain("more", "52%"))},
        ),
        Case(
            name="nothing but errors, and no message that came through",
            series=joined({_messages("n1"): counter((0, 60))}, _errors("n1", "verify", 0.05)),
            at={"30m": (_vain("verify", "100%"),)},
        ),
        Case(
            name="ten failures in a quarter of an hour are evidence, nine are not",
            series=joined(
                {_messages("n1"): counter((0.001, 60))},
                _errors("n1", "ten", 10.2 / 900),
                _errors("n1", "nine", 9.8 / 900),
            ),
            at={"40m": (_vain("ten", "100%"),)},
        ),
        Case(
            name="three calls a minute, and most of them fail",
            series=joined(
                _calls("n1", "error", 0.05),
                _calls("n2", "error", 0.026),
                _calls("n2", "ok", 0.024),
                _calls("n3", "error", 0.024),
                _calls("n3", "ok", 0.026),
                _calls("n4", "ok", 0.05),
                _calls("n5", "error", 9.8 / 900),
                _calls("n6", "error", 10.2 / 900),
                elsewhere(_calls("n1", "ok", 5)),
            ),
            at={
                "30m": (_failing("n1", "100%"), _failing("n2", "52%"), _failing("n6", "100%")),
            },
        ),
    ),
)


def _created(swarm: str, kind: str, *phases: tuple[float | None, float]) -> Series:
    of = f'swarm_id="{swarm}",task_type="{kind}",priority="low"'
    return {f"qudag_swarm_tasks_created_total{{{of}}}": counter(*phases)}


def _completed(swarm: str, kind: str, status: str, *phases: tuple[float | None, float]) -> Series:
    of = f'swarm_id="{swarm}",task_type="{kind}",status="{status}"'
    return {f"qudag_swarm_tasks_completed_total{{{of}}}": counter(*phases)}


def _queue(swarm: str, values: str) -> Series:
    return {f'qudag_swarm_queue_depth{{swarm_id="{swarm}",queue_type="q",priority="low"}}': values}


def _agent(swarm: str, values: str) -> Series:
    of = f'swarm_id="{swarm}",agent_id="a",agent_type="w"'
    return {f"qudag_agent_utilization_ratio{{{of}}}": values}


def _gone(swarm: str) -> Fires:
    return Fires(
        labels={"swarm_id": swarm},
        description=f"Nothing is heard of swarm {swarm} for 2 minutes: its coordinator stopped, or"
        " its telemetry does not arrive.",
    )


_ENDED: Final = 'qudag_process_ended{node_id="n1",job="qudag",instance="c-1"}'
_TASKS_OF: Final = 'qudag_swarm_tasks_created_total{{swarm_id="{0}",job="qudag",instance="c-{1}"}}'

SWARM_ABSENT: Final = Scenario(
    name="SwarmAbsent",
    rules=_BOTH,
    severity="critical",
    concern="presence",
    cases=(
        Case(
            name="a coordinator dies: fires until it is back",
            series=joined(
                _created("s1", "a", (1, 30), (None, 60), (1, 30)),
                _queue("s2", gauge((3, 30))),
                _agent("s3", gauge((0.5, 30))),
                _created("s4", "a", (1, 120)),
                elsewhere(_created("s1", "a", (1, 120))),
            ),
            at={
                "36m": (),
                "37m": (_gone("s1"), _gone("s2"), _gone("s3")),
                "90m": (_gone("s1"), _gone("s2"), _gone("s3")),
                "93m": (_gone("s2"), _gone("s3")),
            },
        ),
        Case(
            name="one ends on purpose, one is retired, one is no longer scraped",
            series={
                _TASKS_OF.format("s1", 1): counter((1, 30)),
                _ENDED: "_x120 1",
                _TASKS_OF.format("s2", 2): counter((1, 30)),
                'swarm:qudag_swarm:retired{swarm_id="s2"}': "1x400",
                _TASKS_OF.format("s3", 3): counter((1, 30)),
                _TASKS_OF.format("s4", 4).replace("c-4", "c:4"): "0+1x40 stale",
                'up{job="qudag",instance="c:4"}': "1x40 stale",
            },
            at={"36m": (), "38m": (_gone("s3"),), "90m": (_gone("s3"),)},
        ),
    ),
)


def _stuck(swarm: str) -> Fires:
    return Fires(
        labels={"swarm_id": swarm},
        description=f"Swarm {swarm} has work, but none of its tasks ended within 50 minutes.",
    )


def _stuck_type(swarm: str, kind: str) -> Fires:
    return Fires(
        labels={"swarm_id": swarm, "task_type": kind, "seen": "types"},
        description=f"Tasks of type {kind} were given to swarm {swarm}, and none of them ended"
        " within 50 minutes.",
    )


SWARM_STALLED: Final = Scenario(
    name="SwarmStalled",
    rules=_BOTH,
    severity="critical",
    concern="progress",
    cases=(
        Case(
            name="tasks are created, one type never ends; one task waits, an agent hangs",
            series=joined(
                _created("s1", "stuck", (0.02, 150)),
                _completed("s1", "stuck", "success", (0, 150)),
                _created("s1", "fine", (0.02, 150)),
                _completed("s1", "fine", "success", (0.02, 150)),
                _queue("waits", gauge((1, 150))),
                _completed("waits", "t", "success", (0, 150)),
                _agent("hangs", gauge((0.2, 150))),
                _queue("works", gauge((9, 150))),
                _agent("works", gauge((1, 150))),
                _completed("works", "t", "failure", (0.01, 150)),
                _queue("idle", gauge((0, 150))),
                _agent("idle", gauge((0, 150))),
                _created("idle", "t", (0, 150)),
                # Somewhere else they end.
                elsewhere(_completed("s1", "stuck", "success", (0.02, 150))),
                elsewhere(_completed("waits", "t", "success", (0.02, 150))),
                elsewhere(_queue("waits", gauge((1, 150)))),
            ),
            at={
                "54m": (),
                "56m": (_stuck("waits"), _stuck("hangs"), _stuck_type("s1", "stuck")),
                "150m": (_stuck("waits"), _stuck("hangs"), _stuck_type("s1", "stuck")),
            },
        ),
        Case(
            name="nightly tasks of 45 minutes, a queue that is empty in between, one that begins",
            series=joined(
                _created("s1", "nightly", (0, 60), (0.1, 1), (0, 120)),
                _completed("s1", "nightly", "success", (0, 106), (0.1, 1), (0, 74)),
                _agent("s1", gauge((0, 61), (1, 46), (0, 74))),
                _queue("s1", gauge((0, 60), (5, 46), (0, 75))),
                _queue("pauses", gauge((3, 45), (0, 3), (3, 45), (0, 3), (3, 45))),
                _queue("begins", gauge((0, 150), (3, 31))),
            ),
            at=silent(180, every=2),
        ),
    ),
)


def _unlucky(swarm: str, share: str) -> Fires:
    return Fires(
        labels={"swarm_id": swarm},
        description=f"In swarm {swarm} {share} of the tasks that ended within an hour failed, more"
        " than 50% for 5 minutes.",
    )


TASKS_FAIL: Final = Scenario(
    name="MostTasksFail",
    rules=_BOTH,
    severity="critical",
    concern="failures",
    cases=(
        Case(
            name="six tasks an hour, and all of them fail or time out",
            series=joined(
                _completed("s1", "t", "failure", (4.2 / 3600, 180)),
                _completed("s1", "u", "timeout", (1.8 / 3600, 180)),
                _completed("few", "t", "failure", (4.8 / 3600, 180)),
                _completed("more", "t", "failure", (5.2, 180)),
                _completed("more", "t", "success", (4.8, 180)),
                _completed("less", "t", "failure", (4.8, 180)),
                _completed("less", "t", "success", (5.2, 180)),
                _completed("cancelled", "t", "cancelled", (1, 180)),
                elsewhere(_completed("s1", "t", "success", (1, 180))),
            ),
            at={"4m": (), "150m": (_unlucky("s1", "100%"), _unlucky("more", "52%"))},
        ),
        Case(
            name="exactly half",
            series=joined(
                _completed("s1", "t", "failure", (1, 120)),
                _completed("s1", "t", "success", (1, 120)),
            ),
            at=silent(120),
        ),
    ),
)

_STEP: Final = 240
"""An export every four minutes, and an evaluation."""
_DAYS: Final = (
    f"count by (alertname, {', '.join(SCOPE)}, node_id, job)"
    ' (ALERTS{alertstate="firing",severity="critical"})'
)


def _firing(*alerts: tuple[str, str]) -> dict[str, float]:
    """Alerts by name and the label of their subject."""
    return {f'{{alertname="{name}"{subject}}}': 1 for name, subject in alerts}


_DARK: Final = _firing(
    ("CollectorAbsent", ',job="qudag-gateway"'),
    ("MessageProcessingStalled", ',node_id="stalled"'),
    ("MostNodesAbsent", ""),
    *(("NodeAbsent", f',node_id="n0{number}"') for number in (1, 2, 3)),
)
OUTAGES: Final = Scenario(
    name="Outages",
    rules=("recording", "pipeline", "alerts"),
    interval=_STEP,
    cases=(
        Case(
            name="three nodes of five and both Collectors are away for days, one node stalls",
            series={
                **{
                    _messages(f"n0{number}"): counter((50, 600), step=_STEP) for number in (1, 2, 3)
                },
                _messages("fine"): counter((50, 86 * 60), step=_STEP),
                _messages("stalled"): counter((50, 600), (0, 76 * 60), step=_STEP),
                **{
                    f'otelcol_process_uptime_seconds_total{{job="{job}",instance="{instance}"}}': (
                        counter((1, minutes), step=_STEP)
                    )
                    for job, instance, minutes in (
                        ("qudag-gateway", "a", 600),
                        ("qudag-gateway", "b", 600),
                        ("qudag-agent", "b", 86 * 60),
                    )
                },
            },
            values={(_DAYS, "9h"): {}, **{(_DAYS, f"{hour}h"): _DARK for hour in (12, 35, 86)}},
        ),
    ),
)

_MINUTE: Final = 60


def _bursts(every: int, each: int, times: int) -> str:
    """A minute of traffic every so many."""
    return " ".join(f"{each * number}x{every - 1}" for number in range(times))


_STALLED: Final = 'ALERTS{alertname=~"MessageProcessingStalled|LowMessageThroughput"}'


def _firing_for(*nodes: str) -> dict[str, float]:
    return {
        'ALERTS{alertname="MessageProcessingStalled",alertstate="firing",concern="throughput",'
        f'node_id="{node}",severity="critical"}}': 1
        for node in nodes
    }


BURSTS: Final = Scenario(
    name="Bursts",
    rules=_BOTH,
    interval=_MINUTE,
    cases=(
        Case(
            name="a hundred a second for a minute of ten, a message every ten minutes, by chance",
            series={
                _messages("bursts"): _bursts(10, 6000, 90),
                _messages("rare"): _bursts(10, 1, 90),
                _messages("seldom"): _bursts(45, 1000, 20),
                # Stops for good after five hours: no chance once it lasts three.
                _messages("stops"): f"{_bursts(10, 6000, 30)} {6000 * 30}x600",
                **elsewhere({_messages("stops"): counter((0, 900), step=_MINUTE)}),
                # Idle for hours, at work for half an hour, and then no more.
                _messages("late"): counter((0, 500), (20, 30), (0, 400), step=_MINUTE),
                # Its silence says nothing.
                _messages("quiet"): f"{_bursts(60, 1, 5)} 5x600",
            },
            values={
                **{(_STALLED, f"{minute}m"): {} for minute in range(10, 470, 9)},
                (_STALLED, "500m"): _firing_for("stops"),
                (_STALLED, "890m"): _firing_for("stops", "late"),
            },
        ),
    ),
)

SCENARIOS: Final = (
    OUTAGES,
    BURSTS,
    MOST_ABSENT,
    WORK_FAILS,
    SWARM_ABSENT,
    SWARM_STALLED,
    TASKS_FAIL,
)
