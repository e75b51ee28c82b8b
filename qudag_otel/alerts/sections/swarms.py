"""Runbooks of swarms, their tasks and agents."""

from __future__ import annotations

from typing import Final

from qudag_otel.alerts import baselines as b
from qudag_otel.alerts import presence
from qudag_otel.alerts import recording as r
from qudag_otel.alerts.sections import _terms as t
from qudag_otel.alerts.sections._model import Check, Section, cause

_ENDED: Final = t.of(r.TASKS_COMPLETED_RATE)
_SOME_END: Final = Check("tasks that end", _ENDED, ">", 0, "{task}/s")
_NONE_ENDS: Final = Check("tasks that end", _ENDED, "==", 0, "{task}/s")

SECTIONS: Final[dict[str, Section]] = {
    "HighSwarmTaskLatency": Section(
        value=t.of(r.TASK_P95),
        impact="Whoever waits for these tasks waits longer than agreed.",
        causes=(
            cause(
                "the tasks themselves take longer, or what they depend on does",
                t.BUSY_AGENTS,
                t.AS_MANY_TASKS,
            ),
            cause("too few agents for the tasks", t.WAITING, t.MORE_TASKS),
            cause("one kind of task became slow"),
        ),
        actions=(
            "Is the queue deep? Then agents are missing; else the task itself is slow.",
            t.TRACES,
        ),
    ),
    "CriticalSwarmTaskLatency": Section(
        value=t.of(r.TASK_P95),
        impact="Tasks exceed a minute; whoever waits gives up.",
        causes=(
            cause("agents hang, or each task takes longer", t.BUSY_AGENTS, t.AS_MANY_TASKS),
            cause("the queue is far too deep", t.WAITING, t.MORE_TASKS),
            cause("a dependency is down", t.tasks_ended("timeout")),
        ),
        actions=(
            t.TRACES,
            "Restart agents that hold one task for minutes.",
            "Cancel what nobody waits for any more.",
        ),
    ),
    "HighSwarmQueueDepth": Section(
        value=t.of(r.QUEUE_DEPTH_SUM),
        impact="Tasks wait; those of low priority may wait for ever.",
        causes=(
            cause("agents hang, or each task takes longer", t.BUSY_AGENTS, t.AS_MANY_TASKS),
            cause("more tasks than agents can do", t.BUSY_AGENTS, t.MORE_TASKS),
            cause("work is not handed out", t.IDLE_AGENTS),
        ),
        actions=(
            "Compare created and completed tasks: does the queue still grow?",
            "Add agents, or slow the source of the tasks.",
        ),
    ),
    "LatencyRegression": Section(
        value=f"{t.of(b.TASKS.average)} / ({t.of(b.TASKS.previous_high)} > 0)",
        impact="Tasks take a third longer than at the same time yesterday and last week.",
        causes=(
            cause("a release since then", t.RELEASED),
            cause("more tasks for the same agents", t.MORE_TASKS),
            cause("larger or slower tasks", t.BUSY_AGENTS, t.AS_MANY_TASKS),
            cause("fewer agents"),
        ),
        actions=(
            "Compare releases, and the number of tasks of each type.",
            ("Run `qudag-otel baseline check` against a baseline recorded before the release."),
        ),
    ),
    "LowAgentUtilization": Section(
        value=t.of(r.AGENT_UTILIZATION_AVG),
        impact="Tasks wait although agents have time: work is not handed out.",
        causes=(
            cause("agents of a type that no waiting task needs", _SOME_END),
            cause("the coordinator hangs", _NONE_ENDS),
        ),
        actions=(
            "Compare agent types with the types of the waiting tasks.",
            t.LOGS,
        ),
    ),
    "SwarmAbsent": Section(
        value=f"{t.of(presence.SWARMS.absent)} or 0 * {t.of(presence.SWARMS.expected)}",
        impact="No task is handed out; whoever waits for one waits for ever.",
        causes=(
            cause("its telemetry does not reach Prometheus", t.COLLECTORS_ABSENT),
            cause("the coordinator ended", t.COLLECTORS_THERE),
        ),
        actions=(
            "Is the coordinator's process there? Read its log.",
            "A swarm that will not come back: `alerts export --retired swarm_id=ID`.",
        ),
    ),
    "SwarmStalled": Section(
        value=t.of(r.TASKS_COMPLETED_RATE),
        impact="Tasks pile up and none is done.",
        causes=(
            cause("agents hang on a lock or a dependency", t.BUSY_AGENTS),
            cause("the coordinator hands nothing out", t.IDLE_AGENTS),
            cause("tasks really take this long: raise SWARM_STALLED_SECONDS in the catalogue"),
        ),
        actions=(
            (
                "Do agents work (`qudag_agent_utilization_ratio`)? Then take a stack dump of "
                "one (`py-spy dump`), else of the coordinator."
            ),
            t.LOGS,
        ),
    ),
    "MostTasksFail": Section(
        value=f"1 - {t.of(r.TASK_SUCCESS_RATIO)}",
        impact="Work is done in vain.",
        causes=(
            cause("a limit of time that is too low", t.tasks_ended("timeout")),
            cause("a new release", t.RELEASED),
            cause("a dependency of the tasks is down", t.tasks_ended("failure")),
        ),
        actions=(
            "See by `status` whether they fail or time out, and which `task_type` it is.",
            t.TRACES,
            t.LOGS,
        ),
    ),
    "UnusuallyHighTaskLatency": Section(
        value=t.of(r.TASK_P95),
        impact="Tasks are slower than they usually are at this hour.",
        causes=(
            cause("more tasks", t.MORE_TASKS),
            cause("slower dependencies", t.BUSY_AGENTS, t.AS_MANY_TASKS),
        ),
        actions=("As for HighSwarmTaskLatency.",),
    ),
}
"""The sections, by the alert's name."""
