"""The pipeline's load benchmark: every row is measured, and a moderate load loses nothing."""

from __future__ import annotations

import pytest

from benchmarks.pipeline import (
    BEGIN,
    DEMO,
    DOCUMENT,
    END,
    SHORT,
    SIGNALS,
    TITLES,
    Row,
    markdown,
    measure,
    replaced,
)  # fmt: skip

LOADS = (*SIGNALS, DEMO)
TARGETS = ("gateway", "pass-through")
SERVERS = ("collector", "jaeger", "prometheus", "telemetrygen", "victorialogs")


@pytest.fixture(scope="module")
def rows() -> dict[tuple[str, str], Row]:
    """One moderate run, by load and Collector."""
    return {(row.load, row.target): row for row in measure(SHORT)}


@pytest.mark.timeout(240)
@pytest.mark.servers(*SERVERS)
@pytest.mark.parametrize("load", LOADS)
@pytest.mark.parametrize("target", TARGETS)
def test_moderate_load_is_measured_and_loses_nothing(
    rows: dict[tuple[str, str], Row], load: str, target: str
) -> None:
    """Figures are there, and what was generated was accepted and came out, record for record."""
    row = rows[load, target]
    assert min(row.accepted, row.rate, row.per_cpu, row.memory) > 0
    assert (row.refused, row.failed, row.lost) == (0, 0, 0)
    if row.generated is not None:
        assert row.generated == row.accepted == row.handed > 0


@pytest.mark.servers(*SERVERS)
def test_rows_are_all_there_and_shown(rows: dict[tuple[str, str], Row]) -> None:
    """Both Collectors got every load, and the table has a line for each."""
    assert set(rows) == {(load, target) for load in LOADS for target in TARGETS}
    table = markdown(list(rows.values()))
    for load, target in rows:
        assert f"| {TITLES[load]} | {target} |" in table


def test_table_replaces_the_earlier_one_and_nothing_else() -> None:
    """What stands around the markers stays, and a second writing changes nothing."""
    new = f"{BEGIN}\nnew\n{END}"
    once = replaced(f"before\n{BEGIN}\nold\n{END}\nafter\n", new)
    assert once == f"before\n{new}\nafter\n"
    assert replaced(once, new) == once


def test_published_table_has_every_row() -> None:
    """docs/operating.md was written by this benchmark, not by an earlier one."""
    published = DOCUMENT.read_text(encoding="utf-8")
    lines = [f"| {TITLES[load]} | {target} |" for load in LOADS for target in TARGETS]
    assert [line for line in lines if line not in published] == []
