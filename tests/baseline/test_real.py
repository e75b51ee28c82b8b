"""Record and check against a real Prometheus with a past of known truth."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from qudag_otel.baseline import Prometheus, Window, collect, load
from qudag_otel.baseline.measures import MEASURES
from qudag_otel.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from tests.baseline.conftest import Network

pytestmark = pytest.mark.servers("prometheus")


@pytest.fixture(scope="module")
def file(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The baseline of the first hour."""
    path = tmp_path_factory.mktemp("file") / "baseline.json"
    arguments = ["--prometheus", network.url, "--end", str(network.before), "-o", str(path)]
    assert main(["baseline", "record", *arguments]) == 0
    return path


def check(network: Network, file: Path, *options: str) -> int:
    at = ["--prometheus", network.url, "--end", str(network.after)]
    return main(["baseline", "check", str(file), *at, *options])


def test_record_values_are_the_truth(file: Path) -> None:
    """What the file says is what the applications did."""
    reads: dict[tuple[str, ...], dict[str, float]] = {
        (one["measure"], *one["labels"].values()): one["reads"]
        for one in json.loads(file.read_text())["series"]
    }
    assert reads["messages", "steady"]["value"] == pytest.approx(100, rel=0.02)
    assert reads["pool_hits", "steady", "peer"]["value"] == pytest.approx(0.9, abs=0.01)
    assert reads["cache_hits", "steady", "signature"] == {"value": 0}  # misses only
    assert reads["cpu", "steady"] == {"value": 40}  # the average, not the cores
    assert reads["cpu", "lossy"] == {"value": 30}  # the cores, since there is no average
    assert reads["chunks", "gone"]["value"] == pytest.approx(2, rel=0.01)
    # Log-normal around 4 s: p50 4, p95 14.9, and 0.59% above 30 s.
    latency = reads["task_latency", "brisk", "verify"]
    assert latency["p50"] == pytest.approx(4, rel=0.1)
    assert latency["p95"] == pytest.approx(14.9, rel=0.1)
    assert latency["over 30 s"] == pytest.approx(0.0059, abs=0.003)


def test_check_unchanged_node_and_swarm_exits_0(
    network: Network, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What did not change raises no alarm."""
    assert check(network, file, "--node", "steady", "--swarm", "brisk") == 0
    assert "regression" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "title"),
    [
        (["--node", "lossy", "--measure", "messages"], "Messages"),
        (["--swarm", "slow", "--measure", "task_latency"], "Task latency p95"),
    ],
)
def test_check_loss_and_slowness_exit_1(
    network: Network,
    file: Path,
    options: list[str],
    title: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A fifth fewer messages and 30% slower tasks are found, with the truth in the interval."""
    assert check(network, file, *options, "--json") == 1
    found = {one["title"]: one for one in json.loads(capsys.readouterr().out)}
    assert found[title]["verdict"] == "regression"
    low, high = found[title]["interval"]
    assert low <= (-0.2 if title == "Messages" else 0.3) <= high


def test_check_node_that_ended_exits_1(
    network: Network, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A node whose series ended is lost, which is a fault."""
    measures = ["--measure", "chunks", "--measure", "messages"]
    assert check(network, file, "--node", "gone", "--node", "steady", *measures) == 1
    assert "lost" in capsys.readouterr().out


def test_check_whole_network_draws_and_prints(
    network: Network, file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything at once: the table has the worst first, and the plot is written."""
    pytest.importorskip("matplotlib")
    path = tmp_path / "changes.png"
    assert check(network, file, "--plot", str(path)) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[3].startswith("regression")
    assert "NaN" in lines[0]
    assert path.stat().st_size > 1000


def test_check_empty_window_exits_2(
    network: Network, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A window without any data is bad usage, not a regression."""
    code = main(["baseline", "check", str(file), "--prometheus", network.url, "--end", "9d"])
    assert code == 2
    assert "no value of any metric" in capsys.readouterr().err


def test_collect_nan_values_are_counted_and_left_out(network: Network) -> None:
    """A gauge that is NaN now and then costs the steps it spoils, and is reported."""
    window = Window(end=network.before, steps=12, step=300)
    recording = collect(Prometheus(network.url), window, MEASURES)
    assert recording.dropped == 6
    compression = next(one for one in recording.series if one.measure == "compression")
    assert compression.coverage == 0.5
    assert {row for row in compression.rows if row} == {(0.7,)}


def test_collect_filter_by_label_takes_only_that(network: Network) -> None:
    """`--match` is demanded of every metric."""
    window = Window(end=network.before, steps=12, step=300)
    recording = collect(Prometheus(network.url), window, MEASURES, {"job": ["a"]})
    assert {one.measure for one in recording.series} == {"messages"}


def test_record_check_file_is_stable(network: Network, file: Path, tmp_path: Path) -> None:
    """Recording the same window again gives the same file."""
    again = tmp_path / "again.json"
    arguments = ["--prometheus", network.url, "--end", str(network.before), "-o", str(again)]
    assert main(["baseline", "record", *arguments]) == 0
    assert again.read_bytes() == file.read_bytes()
    assert load(again) == load(file)


def test_check_other_step_than_recorded_compares(network: Network, file: Path) -> None:
    """A shorter window with shorter steps can be checked against the same file."""
    options = ["--window", "30m", "--step", "1m", "--node", "steady", "--measure", "messages"]
    assert check(network, file, *options) == 0


def test_all_queries_are_accepted(network: Network) -> None:
    """Prometheus parses the query of every column, also with filters and odd values."""
    window = Window(end=network.before, steps=12, step=300)
    filters: dict[str, Any] = {"node_id": ['a"b', "steady"], "swarm_id": ["x.y", "brisk"]}
    found = {
        one.measure for one in collect(Prometheus(network.url), window, MEASURES, filters).series
    }
    assert {"messages", "task_latency", "cpu"} <= found
