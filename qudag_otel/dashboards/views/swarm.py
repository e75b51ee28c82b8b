"""The swarm: tasks, queues, agents."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue import uids
from qudag_otel.dashboards import _thresholds as thresholds
from qudag_otel.dashboards._promql import buckets, differs, equals, gauge, portion, quantile, rate
from qudag_otel.dashboards._view import Column, Kind, Query, Shape, View

_IDLE: Final = "No task ended in this window."
_SWARMLESS: Final = "No selected swarm reports tasks."

TASK_P95: Final = View(
    title="Swarm Coordination Metrics",
    description=(
        "Time from a task's creation to its end that 95% of the tasks stay under, by swarm and "
        "type. When it rises, compare the queue (too few agents) with the agents' utilisation "
        "(tasks themselves are slow)."
    ),
    queries=(
        Query(
            expression=quantile(0.95, m.TASK_LATENCY, a.SWARM_ID, a.TASK_TYPE),
            legend="{{swarm_id}} {{task_type}}",
        ),
    ),
    empty=_IDLE,
    unit="s",
    steps=thresholds.of_baseline("task_latency_p95"),
    details=uids.SWARM,
)
TASK_P95_ALONE: Final = replace(TASK_P95, title="Task latency, p95", details="")
CREATED_AND_ENDED: Final = View(
    title="Tasks created and ended",
    description=(
        "Tasks a second handed to the swarms, and ended. Created above ended for long: the queue "
        "grows, and with it the latency."
    ),
    queries=(
        Query(expression=rate(m.TASKS_CREATED, a.SWARM_ID), legend="{{swarm_id}} created"),
        Query(expression=rate(m.TASKS_COMPLETED, a.SWARM_ID), legend="{{swarm_id}} ended"),
    ),
    empty=_SWARMLESS,
    unit="cps",
)
BY_STATUS: Final = View(
    title="Tasks by how they ended",
    description=(
        "Tasks a second by status. Failures: open their traces and logs. Timeouts: agents are "
        "too slow or too few. Cancelled: the caller gave up."
    ),
    queries=(Query(expression=rate(m.TASKS_COMPLETED, a.TASK_STATUS), legend="{{status}}"),),
    empty=_IDLE,
    unit="cps",
    stack=True,
)
SUCCESS: Final = View(
    title="Success rate by type",
    description=(
        "Share of ended tasks that succeeded. Tasks that are still running count neither way."
    ),
    queries=(
        Query(
            expression=portion(
                rate(
                    m.TASKS_COMPLETED,
                    a.SWARM_ID,
                    a.TASK_TYPE,
                    where=(equals(a.TASK_STATUS, "success"),),
                ),
                rate(
                    m.TASKS_COMPLETED,
                    a.SWARM_ID,
                    a.TASK_TYPE,
                    where=(differs(a.TASK_STATUS, "success"),),
                ),
            ),
            legend="{{swarm_id}} {{task_type}}",
        ),
    ),
    empty=_IDLE,
    unit="percentunit",
    maximum=1.0,
)
LATENCY_HEATMAP: Final = View(
    title="Task latency, every task",
    description=(
        "How many tasks a second took how long, waiting included. Each dot is one task with a "
        "trace: open a high one to see whether it waited or worked."
    ),
    queries=(Query(expression=buckets(m.TASK_LATENCY), shape=Shape.HEATMAP),),
    empty=_IDLE,
    unit="s",
    kind=Kind.HEATMAP,
    minimum=None,
)
QUEUE: Final = View(
    title="Tasks waiting, by queue",
    description=(
        "Tasks of all priorities that wait for an agent. Above the threshold, add agents or slow "
        "the callers; a queue that never empties will not empty by itself."
    ),
    queries=(
        Query(
            expression=gauge("sum", m.QUEUE_DEPTH, a.SWARM_ID, a.QUEUE_TYPE),
            legend="{{swarm_id}} {{queue_type}}",
        ),
    ),
    empty="No selected swarm reports a queue.",
    unit="none",
    steps=thresholds.of_alert("HighSwarmQueueDepth"),
)
QUEUE_BY_PRIORITY: Final = View(
    title="Tasks waiting, by priority",
    description=(
        "Tasks that wait, by priority. If critical ones wait while low ones are worked on, "
        "priorities are not honoured."
    ),
    queries=(Query(expression=gauge("sum", m.QUEUE_DEPTH, a.PRIORITY), legend="{{priority}}"),),
    empty="No selected swarm reports a queue.",
    unit="none",
    stack=True,
)
UTILIZATION: Final = View(
    title="Agent utilisation",
    description=(
        "Share of time the agents work, averaged over the agents. Low while tasks wait: agents "
        "are blocked or do not take work. Near 100%: add agents."
    ),
    queries=(
        Query(
            expression=gauge("avg", m.AGENT_UTILIZATION, a.SWARM_ID, a.AGENT_TYPE),
            legend="{{swarm_id}} {{agent_type}}",
        ),
    ),
    empty="No selected swarm reports agents.",
    unit="percentunit",
    maximum=1.0,
    steps=thresholds.of_alert("LowAgentUtilization"),
)
AGENTS: Final = View(
    title="Agents",
    description=(
        "Every agent and its share of time at work, busiest first. One at 100% beside idle ones "
        "means that work is not spread."
    ),
    queries=(
        Query(
            expression="sort_desc("
            + gauge("avg", m.AGENT_UTILIZATION, a.SWARM_ID, a.AGENT_ID, a.AGENT_TYPE)
            + ")",
            shape=Shape.TABLE,
            instant=True,
        ),
    ),
    empty="No selected swarm reports agents.",
    unit="none",
    kind=Kind.TABLE,
    columns=(
        Column(a.SWARM_ID.key, "Swarm"),
        Column(a.AGENT_ID.key, "Agent"),
        Column(a.AGENT_TYPE.key, "Type"),
        Column("Value #A", "At work", unit="percentunit"),
    ),
)
CREATED_BY_PRIORITY: Final = View(
    title="Tasks created, by priority",
    description=(
        "Tasks a second handed to the swarms, by priority. If everything is critical, nothing is."
    ),
    queries=(Query(expression=rate(m.TASKS_CREATED, a.PRIORITY), legend="{{priority}}"),),
    empty=_SWARMLESS,
    unit="cps",
    stack=True,
)
