"""The benchmarks' short form: every row is measured; how fast anything is, is not asserted."""

from __future__ import annotations

import pytest

from benchmarks.__main__ import GOALS, ROOT, Goal, markdown, measure


@pytest.fixture(scope="module")
def found() -> dict[str, float]:
    """One short run without peers."""
    return measure("5", peers=False)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("goal", GOALS, ids=lambda goal: goal.name)
def test_goal_is_measured(found: dict[str, float], goal: Goal) -> None:
    """Both sides of each ratio are positive, with what is subtracted taken off."""
    assert goal.ratio(found) > 0
    assert min(found[goal.over], found[goal.under]) > 0


def test_disabled_is_the_same_object(found: dict[str, float]) -> None:
    """P4 is no ratio: it holds, or it does not."""
    assert found["ours disabled is the same object"] == 1


def test_page_shows_every_figure(found: dict[str, float]) -> None:
    """The page that `make bench` writes leaves out nothing that was measured."""
    page = markdown(found)
    assert [name for name in found if f"| {name} |" not in page] == []


def test_published_page_has_every_goal() -> None:
    """docs/performance.md was written by these benchmarks, not by earlier ones."""
    published = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    assert [goal.name for goal in GOALS if f"| {goal.name}: {goal.over} /" not in published] == []
