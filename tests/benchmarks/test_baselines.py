"""The figures about false alarms and power, with few runs, and the document that holds them."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks import baselines as simulation
from benchmarks import synthetic
from benchmarks.baselines import Load
from qudag_otel.baseline import Verdict
from tests.servers.build import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

RUNS = 150
# With the seed fixed the shares are fixed, too; the bounds only say what would be alarming.
CALM = Load(0.1, 1, 1)
LONG = Load(0.3, 1, 6)


@pytest.mark.parametrize("load", [CALM, LONG, Load(0.3, 5, 6)])
def test_outcomes_identical_throughput_rarely_alarms(load: Load) -> None:
    """Without any tolerance, false alarms are about as rare as alpha says."""
    draws = [simulation.rate_draw(load.noise, 100.0)]
    worst, _ = simulation.outcomes(draws, 1.0, runs=RUNS, tolerance=0.0)
    assert worst[Verdict.REGRESSION] <= 0.10 * RUNS


def test_outcomes_lost_throughput_is_found() -> None:
    """A loss of a fifth is found nearly always, if the window suits the load."""
    draws = [simulation.rate_draw(CALM.noise, 100.0)]
    worst, findings = simulation.outcomes(draws, simulation.LOSS, runs=RUNS)
    assert worst[Verdict.REGRESSION] >= 0.95 * RUNS
    inside = [one.interval[0] <= simulation.LOSS - 1 <= one.interval[1] for one in findings]
    assert np.mean(inside) >= 0.9


def test_outcomes_slower_tasks_are_found_and_equal_ones_are_not() -> None:
    """A rise of 30% in every task's latency is found; none is found where there is none."""
    draws = [simulation.latency_draw(CALM.noise, 10_000 / 3600, p95) for p95 in (8.0, 25.0, 40.0)]
    worst, _ = simulation.outcomes(draws, simulation.RISE, runs=45)
    assert worst[Verdict.REGRESSION] >= 40
    worst, _ = simulation.outcomes(draws, 1.0, runs=45, tolerance=0.0)
    assert worst[Verdict.REGRESSION] <= 5


def test_outcomes_same_seed_gives_the_same_figures() -> None:
    """The figures in the document can be reproduced."""
    draws = [simulation.rate_draw(LONG.noise, 100.0)]
    first, again = (simulation.outcomes(draws, 0.9, runs=20)[1] for _ in range(2))
    assert first == again


def test_intensities_have_the_mean_variation_and_memory_asked_for() -> None:
    """The simulated load is what it is called."""
    noise = synthetic.Noise(variation=0.3, memory=4)
    rng = np.random.default_rng(1)
    drawn = np.array([synthetic.intensities(rng, noise).ravel() for _ in range(400)])
    assert drawn.mean() == pytest.approx(1, abs=0.01)
    assert drawn.std() == pytest.approx(0.3, abs=0.01)
    logs = np.log(drawn)
    lagged = np.corrcoef(logs[:, :-4].ravel(), logs[:, 4:].ravel())[0, 1]
    assert lagged == pytest.approx(np.exp(-1), abs=0.03)


def test_durations_have_the_p95_asked_for() -> None:
    """A twentieth of the simulated durations is above the p95."""
    rows = synthetic.durations(
        np.random.default_rng(1), synthetic.Noise(variation=0.0, memory=0),
        rate=1000, p95=2.0, bounds=(1.0, 2.0, 4.0),
    )  # fmt: skip
    sums = np.sum(rows, axis=0)
    assert sums[2:].sum() / sums.sum() == pytest.approx(0.05, abs=0.002)


def test_document_has_a_place_for_the_figures() -> None:
    """docs/baselines.md holds figures of the full number of runs, from this seed."""
    text = (REPOSITORY / simulation.DOCUMENT).read_text()
    assert simulation.rewritten(text, "x").count("\nx\n") == 1
    assert f"of {simulation.RUNS} pairs" in text
    assert f"seed {simulation.SEED}" in text


def test_main_writes_and_checks_a_document(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command fills the figures in, and tells a stale document from a fresh one."""
    monkeypatch.setattr(simulation, "report", lambda runs: f"figures of {runs} runs")
    path = tmp_path / "doc.md"
    begin, end = (
        "<!-- figures: python -m benchmarks.baselines -->",
        "<!-- end of figures -->",
    )
    path.write_text(f"before\n{begin}\nold\n{end}\nafter\n")
    arguments = ["--output", str(path), "--runs", "7"]
    assert simulation.main([*arguments, "--check"]) == 1
    assert "stale" in capsys.readouterr().err
    assert simulation.main(arguments) == 0
    assert simulation.main([*arguments, "--check"]) == 0
    assert path.read_text() == f"before\n{begin}\n\nfigures of 7 runs\n\n{end}\nafter\n"


def test_main_document_without_a_place_is_an_error() -> None:
    """A document without the marks is not overwritten."""
    with pytest.raises(ValueError, match="no lines"):
        simulation.rewritten("text", "figures")


def test_report_few_runs_has_all_tables() -> None:
    """Each of the four tables has its rows, all of the same width."""
    lines = simulation.report(1).splitlines()
    assert sum(line.startswith("|---") for line in lines) == 4
    for before, line in itertools.pairwise(lines):
        if before.startswith("|") and line.startswith("|"):
            assert before.count("|") == line.count("|")
