"""The promises of docs/guarantees.md: the cheap ones are tried, the page has a row of each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.faults import page
from tests.faults.__main__ import rows
from tests.faults.soak import soak
from tests.faults.table import FAULTS

if TYPE_CHECKING:
    from tests.faults.table import Fault

SHORT = [fault for fault in FAULTS if fault.short]


@pytest.fixture(scope="module")
def measured() -> dict[str, page.Row]:
    """All cheap rows, measured side by side."""
    return {row.fault.name: row for row in rows(SHORT, long=False)}


@pytest.mark.parametrize("fault", SHORT, ids=lambda fault: fault.name)
def test_promise_is_kept(measured: dict[str, page.Row], fault: Fault) -> None:
    """`make faults` measures the others, and the same in the long form."""
    assert measured[fault.name].kept, measured[fault.name].line


def test_page_has_a_row_for_each_promise_and_each_is_kept() -> None:
    """What stands there was written by the command, of the table as it is."""
    text = page.PAGE.read_text(encoding="utf-8").split(page.BEGIN)[1].split(page.END)[0]
    found = [re.split(r" ?\| ?", line)[1:3] for line in text.splitlines() if line.startswith("| ")]
    expected = [[fault.name, fault.promise.format(most=fault.most)] for fault in FAULTS]
    assert found[1:] == expected, "remedy: make faults"
    assert "broken" not in text


@pytest.mark.servers
def test_counts_agree_after_restarts_outages_and_scrapes() -> None:
    """The soak in short; what only grows slowly is seen by `make soak`."""
    assert soak(12).problems == []
