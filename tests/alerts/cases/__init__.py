"""All scenarios, and the files that promtool reads."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from qudag_otel import _generated
from qudag_otel.alerts import groups, rendering
from tests.alerts.cases import (
    baselines,
    fleet,
    hosts,
    nodes,
    objectives,
    pool_cache,
    recorded,
    stack,
    swarm,
    telemetry,
    watched,
)
from tests.alerts.scenario import Scenario, rendered

SCENARIOS: Final[tuple[Scenario, ...]] = (
    *nodes.SCENARIOS,
    *pool_cache.SCENARIOS,
    *swarm.SCENARIOS,
    *fleet.SCENARIOS,
    *baselines.SCENARIOS,
    *objectives.SCENARIOS,
    *telemetry.SCENARIOS,
    *stack.SCENARIOS,
    *hosts.SCENARIOS,
    *watched.SCENARIOS,
    *recorded.SCENARIOS,
)
FOLDER: Final = Path("alerts") / "tests"
EXAMPLE: Final = FOLDER / "example"


def texts(root: Path) -> dict[Path, str]:
    """Every file below alerts/tests: a file a scenario, and rules with an example objective."""
    example = rendering.rules_yaml(groups.rule_files(registered=objectives.EXAMPLE))
    return {
        **{root / FOLDER / f"{each.name}.yaml": rendered(each) for each in SCENARIOS},
        root / EXAMPLE / "objectives.yaml": example["objectives.yaml"],
    }


def orphans(root: Path) -> list[Path]:
    """Files below alerts/tests that no scenario writes."""
    return _generated.orphans(root / FOLDER, "**/*.yaml", texts(root))
