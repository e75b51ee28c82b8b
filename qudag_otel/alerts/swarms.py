"""The rules of swarms that are gone, stand still, or work in vain."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from qudag_otel._query import units
from qudag_otel._query.promql import duration, number
from qudag_otel.alerts import presence
from qudag_otel.alerts import recording as r
from qudag_otel.alerts._model import Level
from qudag_otel.alerts._rules import crossed, rule
from qudag_otel.alerts.promql import on, series, total
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue import thresholds as t

_AGO: Final = duration(t.SWARM_STALLED_SECONDS)
_MINUTES: Final = units.duration(t.SWARM_STALLED_SECONDS)
_HOUR: Final = "1h"


def _all_along(series: str) -> str:
    """Above 0 for as long as a healthy swarm needs to end a task."""
    return f"min_over_time({series}[{_AGO}]) > 0 and {series} offset {_AGO} > 0 and {series} > 0"


def _ended(level: Level, completed: str) -> str:
    """Where a task ended in that time."""
    return f"{on(level)} max_over_time({completed}[{_AGO}]) > 0"


def _increase(*matchers: str) -> str:
    counter = series(m.TASKS_COMPLETED, "", *matchers)
    return total(Level.SWARM, f"increase({counter}[{_HOUR}])")


_STALLED: Final = rule(
    "SwarmStalled",
    "progress",
    f"({_all_along(r.TASKS_WAITING.name)} or {_all_along(r.AGENT_UTILIZATION_AVG.name)})"
    f" unless {_ended(Level.SWARM, r.TASKS_COMPLETED_RATE.name)}",
    f"Swarm <swarm_id> has work, but none of its tasks ended within {_MINUTES}.",
    drawn=r.TASKS_COMPLETED_RATE.name,
)

SWARM_RULES: Final = (
    rule(
        "SwarmAbsent",
        "presence",
        f"{presence.SWARMS.absent.name} == 1",
        "Nothing is heard of swarm <swarm_id> for <duration>: its coordinator stopped, or its"
        " telemetry does not arrive.",
    ),
    _STALLED,
    replace(
        _STALLED,
        labels=(("seen", "types"),),
        drawn=r.TYPE_COMPLETED_RATE.name,
        expression=(
            f"max_over_time({r.TYPE_CREATED_RATE.name}[10m] offset {_AGO}) > 0"
            f" unless {_ended(Level.SWARM_TASK, r.TYPE_COMPLETED_RATE.name)}"
        ),
        description=(
            f"Tasks of type <task_type> were given to swarm <swarm_id>, and none of them ended"
            f" within {_MINUTES}."
        ),
    ),
    rule(
        "MostTasksFail",
        "failures",
        crossed("MostTasksFail", f"{_increase(r.UNSUCCESSFUL)} / {_increase()}")
        + f" and {_increase(r.UNSUCCESSFUL)} >= {number(t.TASKS_FAILED_LEAST)}",
        "In swarm <swarm_id> <value> of the tasks that ended within an hour failed, more than"
        " <limit> for <duration>.",
    ),
)
"""The rules of whole swarms."""
