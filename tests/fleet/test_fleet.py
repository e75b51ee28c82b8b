"""The run of `make fleet` in its shortest form, and the page that it writes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from qudag_otel.catalogue import metrics as m
from tests.fleet import __main__ as command
from tests.fleet import world
from tests.fleet.stage import Figures, Pace, Stage
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from pathlib import Path

NODES = 3
FIGURES = Figures(
    minutes=60,
    series=1000,
    cpu=0.5,
    evaluation=(0.25, 0.5),
    baselines=(1.0, 2.0),
    pages=["CollectorAbsent", "NodeAbsent (20)"],
    tickets=[],
    notes=[],
)


@pytest.mark.servers("prometheus", "alertmanager")
@pytest.mark.timeout(180)
def test_small_fleet_is_recorded_and_a_dead_gateway_is_one_page(tmp_path: Path) -> None:
    """Its messages are counted as they were sent; nodes that fall silent with it do not page."""
    with Stage(tmp_path, Pace(scale=120.0, past=1)) as stage:
        fleet = command.Fleet(NODES, time.time())
        stage.remember(list(fleet.nodes), list(fleet.swarms))
        stage.watch()
        before = stage.play(8, command.healthy(fleet))
        assert before.series > NODES * len(m.CONTRACT)
        assert before.cpu > 0
        rates = stage.prometheus.query("node:qudag_messages:rate5m")
        assert [sample.value for sample in rates] == pytest.approx(
            [world.MESSAGES] * NODES, rel=0.2
        )
        told: list[str] = []

        def paged() -> None:
            told.extend(stage.play(4, command.dead_gateway(fleet)).pages)
            assert "CollectorAbsent" in told

        eventually(paged, timeout=90)
        assert not any(each.startswith("NodeAbsent") for each in told)


def test_rollout_ends_every_process_once_and_starts_it_again() -> None:
    """No node is left out, and half of them come back under another name."""
    fleet = command.Fleet(30, time.time())
    names = set(fleet.nodes)
    exports = command.rollout(fleet)
    ended = 0
    for minute in range(command.SCENES["rollout"].minutes):
        for process in exports(minute):
            scopes = process.at(time.time()).scope_metrics
            ended += sum(metric.name == m.PROCESS_ENDED.name for metric in scopes[0].metrics)
    assert ended == len(names)
    assert len(fleet.nodes) == len(names)
    assert len(set(fleet.nodes) & names) == len(names) / 2


def test_stuck_swarm_ends_no_more_tasks_and_queues_them() -> None:
    """What it is given goes on; what it ends stays where it was."""
    began = time.time()
    fleet = command.Fleet(1, began)
    (swarm,) = fleet.swarms.values()
    swarm.at(began + 100)
    world.stick(swarm, began + 100)

    def totals(seconds: float) -> dict[str, float]:
        metrics = swarm.at(began + seconds).scope_metrics[0].metrics
        return {
            each.name: sum(
                point.as_double for data in (each.sum, each.gauge) for point in data.data_points
            )
            for each in metrics
        }

    first, later, last = totals(100), totals(250), totals(400)
    # To the last digit: what is less by any is a reset, after which all counts as new.
    assert first[m.TASKS_COMPLETED.name] == later[m.TASKS_COMPLETED.name]
    assert first[m.TASKS_COMPLETED.name] == last[m.TASKS_COMPLETED.name]
    assert last[m.TASKS_CREATED.name] == pytest.approx(4 * first[m.TASKS_CREATED.name])
    assert last[m.QUEUE_DEPTH.name] > first[m.QUEUE_DEPTH.name] + 300


def test_table_replaces_the_earlier_one_and_leaves_the_rest() -> None:
    """Writing twice gives what writing once gives."""
    text = command.markdown(200, Pace(), {"a healthy hour": FIGURES}, {"qudag-host": (1234, 5678)})
    document = f"before\n{command.BEGIN}\nbygone\n{command.END}\nafter\n"
    once = command.replaced(document, text)
    assert once.startswith("before\n")
    assert once.endswith("\nafter\n")
    assert "bygone" not in once
    assert "2: CollectorAbsent, NodeAbsent (20)" in once
    assert "| qudag-host | 1,234 | 5,678 |" in once
    assert command.replaced(once, text) == once
