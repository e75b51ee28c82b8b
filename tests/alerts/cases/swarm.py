"""Tasks, queues and agents of a swarm."""

from __future__ import annotations

from typing import Final

from qudag_otel.catalogue import metrics as m
from tests.alerts.scenario import (
    Case,
    Fires,
    Scenario,
    dipping,
    elsewhere,
    gauge,
    histogram,
    joined,
    silent,
)

_BOTH: Final = ("recording", "alerts")


def _task(swarm: str, kind: str) -> str:
    return f'swarm_id="{swarm}",task_type="{kind}"'


def _slow(swarm: str, kind: str, value: str, limit: str) -> Fires:
    return Fires(
        labels={"swarm_id": swarm, "task_type": kind},
        description=f"In swarm {swarm} 5% of the {kind} tasks take {value} or longer, more than"
        f" {limit} for 5 minutes.",
    )


LATENCY: Final = Scenario(
    name="HighSwarmTaskLatency",
    rules=_BOTH,
    severity="warning",
    concern="tasks",
    cases=(
        Case(
            name="tasks of one type take 40 s: fires after 5 minutes, for the type in the swarm",
            series=joined(
                histogram(m.TASK_LATENCY, _task("s1", "verify"), (2, 4, 10), (2, 40, 10)),
                histogram(m.TASK_LATENCY, _task("s1", "route"), (200, 1, 20)),
                histogram(m.TASK_LATENCY, _task("s2", "verify"), (200, 1, 20)),
            ),
            # A quantile is interpolated within its bucket: 40 s are in that from 30 to 45 s.
            at={"15m": (), "15m30s": (_slow("s1", "verify", "44.25s", "30 s"),)},
        ),
        Case(
            name="the threshold's two sides: more than 5% are over 30 s, 5%, or less",
            series=joined(
                histogram(m.TASK_LATENCY, _task("s1", "more"), (9.47, 25, 20)),
                histogram(m.TASK_LATENCY, _task("s1", 'more",rest="y'), (0.53, 40, 20)),
                histogram(m.TASK_LATENCY, _task("s1", "exact"), (95, 25, 20)),
                histogram(m.TASK_LATENCY, _task("s1", 'exact",rest="y'), (5, 40, 20)),
                histogram(m.TASK_LATENCY, _task("s1", "less"), (9.55, 25, 20)),
                histogram(m.TASK_LATENCY, _task("s1", 'less",rest="y'), (0.45, 40, 20)),
            ),
            at={"5m": (), "5m15s": (_slow("s1", "more", "30.85s", "30 s"),)},
        ),
        Case(
            name="no tasks, and then one that took a minute",
            series=histogram(
                m.TASK_LATENCY, _task("s1", "verify"), (0, 1, 10), (0.066667, 60, 0.25), (0, 1, 30)
            ),
            at=silent(40),
        ),
        Case(
            name="a restart: the counts begin at 0",
            series=dict.fromkeys(
                histogram(m.TASK_LATENCY, _task("s1", "verify"), (1, 1, 1)), "0 100x20 0x40"
            ),
            at=silent(15),
        ),
    ),
)

CRITICAL_LATENCY: Final = Scenario(
    name="CriticalSwarmTaskLatency",
    rules=_BOTH,
    severity="critical",
    concern="tasks",
    cases=(
        Case(
            name="tasks take 80 s: fires after 5 minutes; 50 s are the other alert's",
            series=joined(
                histogram(m.TASK_LATENCY, _task("s1", "verify"), (2, 4, 10), (2, 80, 10)),
                histogram(m.TASK_LATENCY, _task("s1", "route"), (2, 50, 20)),
                histogram(m.TASK_LATENCY, _task("s2", "verify"), (200, 1, 20)),
            ),
            at={"15m": (), "15m30s": (_slow("s1", "verify", "1m 28s", "60 s"),)},
        ),
        Case(
            name="the threshold's two sides: more than 5% are over 60 s, 5%, or less",
            series=joined(
                histogram(m.TASK_LATENCY, _task("s1", "more"), (9.35, 50, 20)),
                histogram(m.TASK_LATENCY, _task("s1", 'more",rest="y'), (0.55, 70, 20)),
                histogram(m.TASK_LATENCY, _task("s1", "exact"), (95, 50, 20)),
                histogram(m.TASK_LATENCY, _task("s1", 'exact",rest="y'), (5, 70, 20)),
                histogram(m.TASK_LATENCY, _task("s1", "less"), (9.55, 50, 20)),
                histogram(m.TASK_LATENCY, _task("s1", 'less",rest="y'), (0.45, 70, 20)),
            ),
            at={"5m": (), "5m15s": (_slow("s1", "more", "1m 2s", "60 s"),)},
        ),
    ),
)


def _queue(swarm: str, queue: str, priority: str, more: str = "") -> str:
    return (
        f'qudag_swarm_queue_depth{{swarm_id="{swarm}",queue_type="{queue}",'
        f'priority="{priority}"{more}}}'
    )


def _waits(queue: str, count: int) -> Fires:
    return Fires(
        labels={"swarm_id": "s1", "queue_type": queue},
        description=f"{count} tasks wait in queue {queue} of swarm s1, more than 100 tasks for"
        " 5 minutes.",
    )


QUEUE: Final = Scenario(
    name="HighSwarmQueueDepth",
    rules=_BOTH,
    severity="warning",
    concern="queue",
    cases=(
        Case(
            name="all priorities together exceed 100: fires after 5 minutes, for the queue",
            series={
                _queue("s1", "tasks", "low"): gauge((5, 10), (60, 10)),
                _queue("s1", "tasks", "high"): gauge((5, 10), (45, 10)),
                _queue("s1", "results", "low"): gauge((60, 20)),
                _queue("s2", "tasks", "low"): gauge((95, 20)),
            },
            at={"14m45s": (), "15m": (_waits("tasks", 105),)},
        ),
        Case(
            name="exactly 100",
            series={_queue("s1", "tasks", "low"): gauge((100, 30))},
            at=silent(30),
        ),
        Case(
            name="a burst that is worked off within four minutes",
            series={_queue("s1", "tasks", "low"): gauge((5, 10), (500, 4), (5, 10))},
            at=silent(24),
        ),
        Case(
            name="in spite of dips and gaps; pushed and scraped is the same queue once",
            series={
                _queue("s1", "dips", "low"): dipping(150, 90, 60),
                _queue("s1", "gaps", "low"): dipping(150, "NaN", 60),
                _queue("s1", "half", "low"): "150x4 90x4 " * 24,
                _queue("s1", "twice", "low", ',instance="3b5a"'): gauge((60, 60)),
                _queue("s1", "twice", "low", ',instance="host:9464"'): gauge((60, 60)),
            },
            at={"30m": (_waits("dips", 150), _waits("gaps", 150))},
        ),
        Case(
            name="a restart as another process: the old value is seen for 5 minutes more",
            series={
                _queue("s1", "tasks", "low", ',instance="a"'): gauge((70, 10)),
                _queue("s1", "tasks", "low", ',instance="b"'): gauge((None, 10), (70, 20)),
            },
            at=silent(30),
        ),
    ),
)


def _agent(swarm: str, agent: str) -> str:
    return f'qudag_agent_utilization_ratio{{swarm_id="{swarm}",agent_id="{agent}",agent_type="w"}}'


def _idle(swarm: str, share: str) -> Fires:
    return Fires(
        labels={"swarm_id": swarm},
        description=f"The agents of swarm {swarm} work {share} of the time, less than 30% for"
        " 10 minutes, while tasks wait.",
    )


AGENTS: Final = Scenario(
    name="LowAgentUtilization",
    rules=_BOTH,
    severity="info",
    concern="agents",
    cases=(
        Case(
            name="agents idle while tasks wait: fires after 10 minutes, for the swarm",
            series={
                _agent("s1", "a"): gauge((0.8, 10), (0.5, 20)),
                _agent("s1", "b"): gauge((0.8, 10), (0.06, 20)),
                _queue("s1", "tasks", "low"): gauge((0.5, 30)),
                _queue("s1", "results", "low"): gauge((0, 30)),
                _agent("s2", "a"): gauge((0.9, 30)),
                _agent("s2", "b"): gauge((0.1, 30)),
                _queue("s2", "tasks", "low"): gauge((5, 30)),
                _agent("enough", "a"): gauge((0.32, 30)),
                _queue("enough", "tasks", "low"): gauge((5, 30)),
            },
            at={"19m45s": (), "20m": (_idle("s1", "28%"),)},
        ),
        Case(
            name="in spite of dips and gaps; in another fleet no task waits",
            series={
                _agent("s1", "a"): dipping(0.1, 0.9, 60),
                _queue("s1", "tasks", "low"): gauge((5, 60)),
                _agent("s2", "a"): dipping(0.1, "NaN", 60),
                _queue("s2", "tasks", "low"): gauge((5, 60)),
                _agent("half", "a"): "0.1x4 0.9x4 " * 24,
                _queue("half", "tasks", "low"): gauge((5, 60)),
                **elsewhere(
                    {
                        _agent("s1", "a"): gauge((0.1, 60)),
                        _queue("s1", "tasks", "low"): gauge((0, 60)),
                    }
                ),
            },
            at={"30m": (_idle("s1", "10%"), _idle("s2", "10%"))},
        ),
        Case(
            name="exactly 30%",
            series={
                _agent("s1", "a"): gauge((0.3, 30)),
                _queue("s1", "tasks", "low"): gauge((5, 30)),
            },
            at=silent(30),
        ),
        Case(
            name="nothing to do: agents idle, and no task waits, though one does in another swarm",
            series={
                _agent("s1", "a"): gauge((0, 30)),
                _queue("s1", "tasks", "low"): gauge((0, 30)),
                _agent("s2", "a"): gauge((0.9, 30)),
                _queue("s2", "tasks", "low"): gauge((9, 30)),
            },
            at=silent(30),
        ),
    ),
)

SCENARIOS: Final = (LATENCY, CRITICAL_LATENCY, QUEUE, AGENTS)
