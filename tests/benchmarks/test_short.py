"""The benchmarks' short form: every row runs and measures what it says; how fast is not asserted.

Each row itself sees at the receiver that its calls are exported as it says, and fails otherwise.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest

from benchmarks import profile
from benchmarks.__main__ import run, sink
from benchmarks.goals import GOALS, ROWS, STEPS, Step
from benchmarks.page import (
    BARS,
    COLUMNS,
    PAGE,
    SECTIONS,
    WHERE,
    markdown,
    missed,
    plot,
    section,
    unit,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

OWN = [step for step in STEPS if step.python == "own" and "SERVICE" not in step.words]
"""The steps that need no environment of others."""


def _title(step: Step) -> str:
    return " ".join((step.module.removeprefix("benchmarks."), *step.words))


@pytest.fixture(scope="module")
def measured() -> Iterator[Callable[[Step], dict[str, float]]]:
    """Runs a step once, with one receiver for all."""
    with sink() as url:

        @functools.cache
        def short(step: Step) -> dict[str, float]:
            words = tuple(word for word in step.words if word != "PEERS")
            return run(step._replace(words=words), url, short=True)

        yield short


@pytest.mark.timeout(180)
@pytest.mark.parametrize("step", OWN, ids=_title)
def test_step_measures_what_it_says(
    step: Step, measured: Callable[[Step], dict[str, float]]
) -> None:
    """Its figures are there, positive, and have a unit and a table."""
    figures = measured(step)
    assert figures
    assert min(figures.values()) > 0
    for name in figures:
        what, _, who = name.partition(" | ")
        assert who in {*COLUMNS, "off", "OTLP", "/metrics"}
        assert unit(what)
        assert section(what)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("row", [row for row in ROWS if row not in {"W15", "W16", "P6"}])
def test_row_has_every_figure_of_its_goals(
    row: str, measured: Callable[[Step], dict[str, float]]
) -> None:
    """Its steps find what its goals need; W15 needs others' packages, W16 and P6 the full form."""
    found = {name for step in OWN if row in step.rows for name in measured(step)}
    needed = {name for goal in GOALS if goal.row == row for name in goal.figures()}
    assert needed - found == set()


@pytest.fixture
def figures() -> dict[str, float]:
    """A figure for everything that goals need, in which ours costs a hundredth."""
    made: dict[str, float] = {}
    for goal in GOALS:
        for name in goal.figures():
            made[name] = 1.0 if name.endswith(" | ours") else 100.0
            if name.endswith(" | bare"):
                made[name] = 0.5
    return made


def test_rows_are_those_of_the_steps() -> None:
    """No goal is without a step, no step without a goal."""
    assert {row for step in STEPS for row in step.rows} == set(ROWS)


def test_page_shows_every_goal_and_figure(figures: dict[str, float]) -> None:
    """The page leaves nothing out, and opens with the whole program."""
    page = markdown(figures)
    assert [goal.name for goal in GOALS if f"| {goal.row} | {goal.name} |" not in page] == []
    whats = {name.partition(" | ")[0] for name in figures}
    assert [what for what in whats if f"| {what} | {unit(what)[0]} |" not in page] == []
    assert page.index("| W14 |") < page.index("## Goals") < page.index("| W1 |")


def test_missed_goals_are_named(figures: dict[str, float]) -> None:
    """A cost that is too high, and a rate that is too low."""
    figures["cache get | ours"] = 1000.0
    figures["demo rate of off | OTLP"] = 0.5
    lines = missed(figures, ("W3", "W14"))
    assert [line for line in lines if "cache get / prometheus_client is 10" in line]
    assert [line for line in lines if "is 0.50 instead of at least 0.85" in line]
    assert not [line for line in lines if "cache put" in line]


def test_page_says_where_the_time_of_a_missed_goal_goes(figures: dict[str, float]) -> None:
    """With the command that shows it, which is one; a page whose goals are met has no such part."""
    assert "Where a goal is missed" not in markdown(figures)
    figures["message send | ours"] = 1e6
    _, _, part = markdown(figures).partition("## Where a goal is missed")
    assert "--profile" in part
    assert [line[:5] for line in part.splitlines() if line.startswith("- W")] == ["- W5:"]
    never_missed = {"price", "W1", "W3", *(f"P{number}" for number in (1, 2, 3, 4, 5, 6, 8))}
    assert set(ROWS) - WHERE.keys() <= never_missed


def test_profile_says_where_the_time_goes() -> None:
    """Shares of a whole, of the functions that were called, by file and line."""

    def work() -> None:
        profile.shares.__module__.partition(".")

    def called() -> None:
        for _ in range(1000):
            work()

    found = profile.shares(called)
    assert sum(share for share, _ in found) == pytest.approx(1)
    assert any(place.endswith(" work") and "test_short.py:" in place for _, place in found[:3])


def test_plot_shows_ours_and_peers(figures: dict[str, float], tmp_path: Path) -> None:
    """Each group of bars has a title and a figure for each."""
    path = tmp_path / "plot.svg"
    for what, whom in BARS.values():
        figures |= {f"{what} | {who}": 1000.0 for who in whom}
    plot(figures, path)
    text = path.read_text()
    assert all(title in text for title in BARS)


def test_published_page_has_every_goal() -> None:
    """docs/performance.md was written by these benchmarks, not by earlier ones."""
    published = PAGE.read_text(encoding="utf-8")
    assert [goal.name for goal in GOALS if f"| {goal.row} | {goal.name} |" not in published] == []
    assert all(f"## {title}" in published for title, _ in SECTIONS)
