"""Which fault the demo runs can be told from the overview's colours, by their own thresholds."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Final

import pytest

from qudag_otel.catalogue import Panel, uids
from qudag_otel.catalogue import metrics as m
from qudag_otel.dashboards._interpolate import Screen
from tests.dashboards.files import DASHBOARDS
from tests.demo.programs import running
from tests.servers.backends import QUICK_PROMETHEUS
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.servers.backends import Prometheus

pytestmark = [pytest.mark.servers]

OVERVIEW: Final = DASHBOARDS[uids.OVERVIEW]
SCREEN: Final = Screen(OVERVIEW, seconds=60, chosen={"interval": ["2s"]}, scrape_seconds=1)
"""Rates over eight seconds."""
LONGER: Final = Screen(OVERVIEW, seconds=60, chosen={"interval": ["5s"]}, scrape_seconds=1)
"""Rates over twenty seconds, for what happens twice a minute."""
HOST: Final = Panel.RESOURCE_USAGE
"""Shows the machine that the tests run on, which may be busy with something else."""


def _color(value: float, steps: list[dict[str, object]]) -> object:
    """The colour of the last step that a value reaches, as Grafana has it."""
    reached = [
        step["color"]
        for step in steps
        if step["value"] is None or value >= float(str(step["value"]))
    ]
    return reached[-1]


def _seen(prometheus: Prometheus, screen: Screen = SCREEN) -> dict[Panel, set[object]]:
    """The colours that the latest values have, on each headline panel that has data."""
    by_id = {panel["id"]: panel for panel in OVERVIEW["panels"]}
    seen: dict[Panel, set[object]] = {}
    for area, place in uids.PANELS.items():
        panel = by_id[place.panel_id]
        steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
        values = [
            sample.value
            for target in panel["targets"]
            for sample in prometheus.query(screen.query(target))
        ]
        if values:
            seen[area] = {_color(value, steps) for value in values}
    return seen


def _bad(prometheus: Prometheus, screen: Screen = SCREEN) -> dict[Panel, str]:
    """The worst colour of each panel that shows something bad, but for the host's."""
    return {
        area: "red" if "red" in colors else "yellow"
        for area, colors in _seen(prometheus, screen).items()
        if colors & {"yellow", "red"} and area is not HOST
    }


def _watched(url: str, prometheus_server: Callable[..., Prometheus]) -> Prometheus:
    """A Prometheus that scrapes a demo every second."""
    target = url.removeprefix("http://").partition("/")[0]
    return prometheus_server(
        overrides=QUICK_PROMETHEUS, targets={"applications": [{"targets": [target]}]}
    )


def test_healthy_demo_colors_no_panel(prometheus_server: Callable[..., Prometheus]) -> None:
    """Every area that has data is in no colour, but for the host's, which is not the demo's."""
    with running("demo", "--headless", "--nodes", "2", "--rate", "20") as demo:
        (url,) = demo.metrics_urls()
        prometheus = _watched(url, prometheus_server)

        def healthy() -> None:
            # A day of data is what the baselines need.
            assert set(_seen(prometheus)) == set(Panel) - {Panel.PERFORMANCE_BASELINES}
            assert _bad(prometheus) == {}

        eventually(healthy, timeout=60)


@pytest.mark.parametrize(
    ("fault", "colored"),
    [
        ("cold-cache=0.02", {Panel.VALIDATION_CACHE: "yellow"}),
        (
            "pool-exhausted",
            {
                Panel.CONNECTION_POOL: "yellow",
                Panel.SYSTEM_HEALTH: "red",
                Panel.MESSAGE_THROUGHPUT: "red",
            },
        ),
        ("slow-task=31@8", {Panel.SWARM_COORDINATION: "yellow"}),
        ("error-burst=0.5", {Panel.SYSTEM_HEALTH: "red", Panel.VALIDATION_CACHE: "yellow"}),
        ("stall@3", {Panel.MESSAGE_THROUGHPUT: "red"}),
    ],
    ids=["cold-cache", "pool-exhausted", "slow-task", "error-burst", "stall"],
)
def test_fault_of_the_demo_colors_its_panels(
    fault: str, colored: dict[Panel, str], prometheus_server: Callable[..., Prometheus]
) -> None:
    """Each fault colours panels of its own, and no two faults the same ones."""
    with running("demo", "--headless", "--nodes", "2", "--rate", "20", "--fault", fault) as demo:
        (url,) = demo.metrics_urls()
        prometheus = _watched(url, prometheus_server)
        screen = LONGER if fault.startswith("slow-task") else SCREEN

        def told() -> None:
            assert _bad(prometheus, screen) == colored

        eventually(told, timeout=80)


def test_busy_cores_color_the_host(prometheus_server: Callable[..., Prometheus]) -> None:
    """With every core busy the host is in the critical colour, while messages still pass."""
    fault = f"cpu={os.cpu_count()}"
    with running("demo", "--headless", "--nodes", "2", "--rate", "20", "--fault", fault) as demo:
        (url,) = demo.metrics_urls()
        prometheus = _watched(url, prometheus_server)

        def told() -> None:
            seen = _seen(prometheus)
            assert "red" in seen[HOST]
            assert Panel.MESSAGE_THROUGHPUT in seen

        eventually(told)


def test_memory_that_runs_out_colors_the_host(
    prometheus_server: Callable[..., Prometheus],
) -> None:
    """Reported, not taken: the demo's own fault would take it from whoever else runs here."""
    prometheus = prometheus_server(overrides=QUICK_PROMETHEUS)
    for kind, value in {"used": 96.0, "total": 100.0}.items():
        labels = {"node_id": "node-1", "memory_type": kind}
        prometheus.push(m.SYSTEM_MEMORY.prometheus_name, labels, [(time.time(), value)])

    def told() -> None:
        assert _seen(prometheus) == {HOST: {"red"}}

    eventually(told)
