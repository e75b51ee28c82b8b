"""Which rule is in which group and file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qudag_otel.alerts import anomalies, baselines, nodes, objectives, pipeline, recording
from qudag_otel.alerts._model import AlertRule, Level, Recorded, RuleFile, RuleGroup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from qudag_otel.objectives import Objective

_SLOW_SECONDS: Final = 60.0
"""How often what reads days of samples is evaluated; it moves slowly."""

ALERT_RULES: Final[tuple[AlertRule, ...]] = (
    *nodes.CONTRACT_RULES,
    *nodes.LEVEL_RULES,
    *nodes.AVAILABILITY_RULES,
    *anomalies.ANOMALY_RULES,
    *pipeline.PIPELINE_RULES,
    *objectives.OBJECTIVE_RULES,
)
"""Every alerting rule."""

RECORDED: Final[tuple[Recorded, ...]] = (
    *recording.NODE_RECORDED,
    *recording.SWARM_RECORDED,
    *recording.OPERATION_RECORDED,
    *baselines.BASELINE_RECORDED,
    *pipeline.PIPELINE_RECORDED,
    *pipeline.APPLICATION_LOST,
)
"""Every recorded series that does not depend on objectives."""


def expected_nodes(node_ids: Sequence[str]) -> tuple[Recorded, ...]:
    """A series for each node that must be there, whether or not it was ever heard of.

    Args:
        node_ids: The nodes; without any, a node is missed for an hour after its last report.
    """
    level, subject, operation = nodes.EXPECTED_NODES.split(":")
    return tuple(
        Recorded(
            level=Level[level.upper()],
            subject=subject,
            operation=operation,
            expression="vector(1)",
            unit="1",
            description="1 for every node that must be there.",
            labels=(("node_id", node_id),),
        )
        for node_id in sorted(set(node_ids))
    )


def rule_files(
    *,
    registered: Mapping[tuple[str, str], Objective] | None = None,
    node_ids: Sequence[str] = (),
) -> tuple[RuleFile, ...]:
    """All rules.

    Args:
        registered: Objectives by operation and component.
        node_ids: Nodes that must be there.

    Raises:
        ObjectiveError: An objective cannot be measured.
    """
    contract = RuleGroup(name="qudag-contract", rules=nodes.CONTRACT_RULES)
    levels = RuleGroup(name="qudag-levels", rules=nodes.LEVEL_RULES)
    available = RuleGroup(
        name="qudag-availability", rules=(*expected_nodes(node_ids), *nodes.AVAILABILITY_RULES)
    )
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
        RuleFile(
            name="objectives",
            groups=(*measured, RuleGroup(name="qudag-burn", rules=objectives.OBJECTIVE_RULES)),
        ),
    )
