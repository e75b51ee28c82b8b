"""Which rule is in which group and file."""

from __future__ import annotations

from itertools import starmap
from typing import TYPE_CHECKING, Final

from qudag_otel._query.promql import aggregate, equal, select
from qudag_otel.alerts import (
    activity,
    anomalies,
    baselines,
    hosts,
    nodes,
    objectives,
    pipeline,
    presence,
    recording,
    stack,
    swarms,
    watched,
)
from qudag_otel.alerts._model import AlertRule, Level, Recorded, RuleFile, RuleGroup
from qudag_otel.catalogue import attributes as a

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qudag_otel.objectives import Objective

_SLOW_SECONDS: Final = 60.0
"""How often what reads days of samples is evaluated; it moves slowly."""

ALERT_RULES: Final[tuple[AlertRule, ...]] = (
    *nodes.CONTRACT_RULES,
    *nodes.LEVEL_RULES,
    *nodes.AVAILABILITY_RULES,
    *swarms.SWARM_RULES,
    *watched.WATCHED_RULES,
    *anomalies.ANOMALY_RULES,
    *pipeline.PIPELINE_RULES,
    *stack.STACK_RULES,
    *hosts.HOST_RULES,
    *objectives.OBJECTIVE_RULES,
)
"""Every alerting rule."""

RECORDED: Final[tuple[Recorded, ...]] = (
    *recording.NODE_RECORDED,
    *recording.SWARM_RECORDED,
    *recording.OPERATION_RECORDED,
    *recording.DISTRIBUTIONS_RECORDED,
    *activity.ACTIVITY_RECORDED,
    *presence.PRESENCE_RECORDED,
    *presence.EXPECTED_RECORDED,
    *watched.WATCHED_RECORDED,
    *baselines.BASELINE_RECORDED,
    *pipeline.PIPELINE_RECORDED,
    *pipeline.APPLICATION_LOST,
)
"""Every recorded series that does not depend on objectives."""


def listed(
    *,
    nodes: Sequence[Mapping[str, str]] = (),
    retired: Sequence[Mapping[str, str]] = (),
    collectors: Mapping[str, int] | None = None,
) -> tuple[Recorded, ...]:
    """What an operator says about who must be there, and who need not come back.

    Args:
        nodes: Labels of nodes that must be there, whether or not they were ever heard of.
        retired: Labels of nodes or swarms that are not missed any more.
        collectors: How many Collectors of a job must be there; without, as many as there were.
    """
    found: list[Recorded] = []
    for labels in nodes:
        there = select(presence.NODES.present.name, *starmap(equal, labels.items()))
        found.append(
            _listed(presence.NODES.missing, f"absent({there})", "a node that must be there")
        )
    for labels in retired:
        swarm = a.SWARM_ID.key in labels
        for who in (presence.SWARMS,) if swarm else (presence.NODES, presence.WATCHES):
            known = f"{select(who.expected.name, *starmap(equal, labels.items()))}[3d]"
            expression = aggregate("group", who.expected.level.labels, f"last_over_time({known})")
            found.append(_listed(who.retired, expression, "one that need not come back"))
    for job, count in sorted((collectors or {}).items()):
        found.append(
            _listed(pipeline.LISTED, f"vector({count})", "as many as there must be", job=job)
        )
    return tuple(found)


def _listed(name: str, expression: str, words: str, **labels: str) -> Recorded:
    level, subject, operation = name.split(":")
    return Recorded(
        level=Level[level.upper()],
        subject=subject,
        operation=operation,
        expression=expression,
        unit="1",
        description=f"Given by the operator: {words}.",
        labels=tuple(labels.items()),
    )


def rule_files(
    *,
    registered: Mapping[tuple[str, str], Objective] | None = None,
    given: Sequence[Recorded] = (),
) -> tuple[RuleFile, ...]:
    """All rules.

    Args:
        registered: Objectives by operation and component.
        given: What an operator lists; see `listed`.

    Raises:
        ObjectiveError: An objective cannot be measured.
    """
    contract = RuleGroup(name="qudag-contract", rules=nodes.CONTRACT_RULES)
    levels = RuleGroup(name="qudag-levels", rules=nodes.LEVEL_RULES)
    available = RuleGroup(
        name="qudag-availability", rules=(*nodes.AVAILABILITY_RULES, *swarms.SWARM_RULES)
    )
    lists = (RuleGroup(name="qudag-listed", rules=tuple(given)),) if given else ()
    promised = objectives.recorded(registered or {})
    measured = (
        (RuleGroup(name="qudag-objectives", rules=promised, interval=_SLOW_SECONDS),)
        if promised
        else ()
    )
    return (
        RuleFile(
            name="recording",
            groups=(
                RuleGroup(name="qudag-nodes", rules=recording.NODE_RECORDED),
                RuleGroup(name="qudag-swarms", rules=recording.SWARM_RECORDED),
                RuleGroup(name="qudag-operations", rules=recording.OPERATION_RECORDED),
                RuleGroup(
                    name="qudag-distributions",
                    rules=recording.DISTRIBUTIONS_RECORDED,
                    interval=_SLOW_SECONDS,
                ),
                RuleGroup(name="qudag-activity", rules=activity.ACTIVITY_RECORDED),
                *lists,
                RuleGroup(
                    name="qudag-expected",
                    rules=presence.EXPECTED_RECORDED,
                    interval=_SLOW_SECONDS,
                ),
                RuleGroup(name="qudag-presence", rules=presence.PRESENCE_RECORDED),
            ),
        ),
        RuleFile(
            name="baselines",
            groups=tuple(
                RuleGroup(
                    name=f"qudag-baselines-{tracked.base.subject.removeprefix('qudag_')}",
                    rules=tuple(tracked),
                    interval=_SLOW_SECONDS,
                )
                for tracked in baselines.TRACKED
            ),
        ),
        RuleFile(name="alerts", groups=(contract, levels, available)),
        RuleFile(
            name="watched",
            groups=(
                RuleGroup(
                    name="qudag-watched", rules=(*watched.WATCHED_RECORDED, *watched.WATCHED_RULES)
                ),
            ),
        ),
        RuleFile(
            name="anomalies",
            groups=(RuleGroup(name="qudag-anomalies", rules=anomalies.ANOMALY_RULES),),
        ),
        RuleFile(
            name="pipeline",
            groups=(
                RuleGroup(
                    name="qudag-telemetry",
                    rules=(
                        *pipeline.PIPELINE_RECORDED,
                        *pipeline.APPLICATION_LOST,
                        *pipeline.PIPELINE_RULES,
                    ),
                ),
            ),
        ),
        RuleFile(name="hosts", groups=(RuleGroup(name="qudag-hosts", rules=hosts.HOST_RULES),)),
        RuleFile(name="stack", groups=(RuleGroup(name="qudag-stack", rules=stack.STACK_RULES),)),
        RuleFile(
            name="objectives",
            groups=(*measured, RuleGroup(name="qudag-burn", rules=objectives.OBJECTIVE_RULES)),
        ),
    )
