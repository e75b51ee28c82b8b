"""The sizing model: what it says follows from what was measured, and a run is as it says."""

from __future__ import annotations

import ast
import copy
import json
import math
from typing import Any

import pytest

from benchmarks.pipeline import SHORT, Form
from benchmarks.sizing import KINDS, PAGE, measure, module, queued, through
from qudag_otel.stack.measured import MEASURED
from qudag_otel.stack.sizing import GIB, Fleet, size
from tests.demo.programs import run

SERVERS = ("collector", "jaeger", "prometheus", "telemetrygen", "victorialogs")


def values(found: dict[str, Any]) -> dict[str, float]:
    """Every number, by its place."""
    flat: dict[str, float] = {}
    for key, value in found.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{name}": one for name, one in values(value).items()}
        elif key != "conditions":
            flat[key] = value
    return flat


def test_nothing_that_was_measured_is_typed_in_by_name_alone() -> None:
    """The module is the benchmark's own form, with every number that the model reads."""
    conditions = MEASURED["conditions"]
    numbers = {key: value for key, value in MEASURED.items() if key != "conditions"}
    written = ast.parse(PAGE.read_text(encoding="utf-8"))
    assert ast.dump(ast.parse(module(numbers, conditions))) == ast.dump(written)
    assert all(value >= 0 for value in values(MEASURED).values())


@pytest.mark.timeout(300)
@pytest.mark.servers(*SERVERS)
def test_every_input_is_measured() -> None:
    """The short form gives each of them, and its module can be read."""
    found = measure(SHORT)
    assert values(found).keys() == values(MEASURED).keys()
    assert all(math.isfinite(value) for value in values(found).values())
    scope: dict[str, Any] = {}
    exec(module(found, "a test"), scope)  # noqa: S102 - our own text
    assert scope["MEASURED"].keys() == MEASURED.keys()


@pytest.mark.timeout(300)
@pytest.mark.servers(*SERVERS)
@pytest.mark.parametrize("signal", KINDS)
def test_bytes_of_a_measured_run_are_those_of_the_model(signal: str) -> None:
    """A load of another size: queue and store hold what the model says, within a factor of 3."""
    kind = KINDS[signal]
    form = Form(lambda one: ("--rate", "1000", f"--{one}", "2000"), SHORT.demo, SHORT.gateway)
    nodes = Fleet(nodes=1, spans=0, series=0, logs=0)
    carried = through(signal, form, {"OTELCOL_SAMPLING_PERCENTAGE": "100"})
    minute = {"spans": {"spans": 1.0}, "points": {"series": 60.0}, "logs": {"logs": 1.0}}[kind]
    days = dict.fromkeys(KINDS.values(), carried.row.handed / 86400)
    more: dict[str, Any] = {
        **minute,
        "kept": 1.0,
        "days": days,
        "outage": carried.row.accepted / 60,
    }
    told = size(_changed(nodes, more))
    gateway, *stores, _ = told.tiers
    assert 1 / 3 < queued(signal, form) * carried.row.accepted / gateway.disk < 3
    if kind != "points":  # of those the write-ahead log is measured, and what blocks take
        [store] = [one for one in stores if one.disk]
        assert 1 / 3 < carried.disk / store.disk < 3


def _changed(fleet: Fleet, more: dict[str, Any]) -> Fleet:
    return Fleet(**{"nodes": fleet.nodes, "spans": 0, "series": 0, "logs": 0, **more})


def test_answer_grows_with_what_is_asked() -> None:
    """Twice the nodes are twice the disk; what is kept longer takes more; what is sampled, less."""
    one, two = size(Fleet(nodes=100)), size(Fleet(nodes=200))
    for small, large in zip(one.tiers[:-1], two.tiers[:-1], strict=True):
        assert large.disk == pytest.approx(2 * small.disk)
        assert large.cpu == pytest.approx(2 * small.cpu)
        assert large.memory >= small.memory
    assert one.tiers[-1] == two.tiers[-1]  # an agent does not care for other nodes
    assert size(Fleet(nodes=100, kept=0.2)).tiers[1].disk == pytest.approx(2 * one.tiers[1].disk)
    assert size(Fleet(nodes=100, outage=120)).tiers[0].disk == pytest.approx(2 * one.tiers[0].disk)


def test_machines_and_settings_follow_from_what_one_takes() -> None:
    """By hand: 100 nodes of 100 spans a second at a known price."""
    price: dict[str, Any] = copy.deepcopy(MEASURED)
    price["cpu"]["gateway"] = {"spans": 1e-3, "points": 0.0, "logs": 0.0, "kept": 1e-3}
    price["memory"].update(gateway=0, span=1000)
    price["queue"] = {"spans": 100.0, "points": 0.0, "logs": 0.0}
    fleet = Fleet(nodes=100, spans=100, series=0, logs=0, kept=0.5, wait=10, outage=1, cores=4)
    told = size(fleet, price)
    gateway = told.tiers[0]
    assert gateway.cpu == pytest.approx(10_000 * 1.5e-3)
    assert gateway.machines == math.ceil(15 / 2)
    assert gateway.memory == pytest.approx(10_000 * 10 * 1000)
    assert gateway.disk == pytest.approx(5_000 * 60 * 100)
    assert told.settings == {}
    one = size(Fleet(nodes=100, spans=100, wait=600, outage=60, cores=64, memory=999 * GIB), price)
    assert one.settings == {
        "OTELCOL_SAMPLING_TRACES": 600_000 // one.tiers[0].machines,
        "OTELCOL_QUEUE_SIZE": 360_000 // one.tiers[0].machines,
    }


def test_store_that_does_not_fit_a_machine_is_said() -> None:
    """It is one process, which more machines do not help."""
    told = size(Fleet(nodes=100_000, series=5000))
    assert any(note.startswith("prometheus takes") for note in told.notes)


def test_command_prints_a_table_or_json() -> None:
    """The same answer in both."""
    words = ("size", "--nodes", "200", "--spans", "50")
    told = json.loads(run(*words, "--json").stdout)
    assert told["measured"] == MEASURED
    assert [one["name"] for one in told["tiers"]][-1] == "agent"
    table = run(*words).stdout
    for tier in told["tiers"][:-1]:
        [line] = [one for one in table.splitlines() if one.startswith(tier["name"])]
        assert line.split()[1:3] == [str(tier["machines"]), f"{tier['cpu']:.3g}"]
    assert f"together {told['machines']:>20}" in table or str(told["machines"]) in table
    assert run("size", "--nodes", "0").returncode == 2
