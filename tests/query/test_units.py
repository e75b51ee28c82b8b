"""Values as people read them, and quantiles as Prometheus gives them."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qudag_otel._query import histogram, units


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0, "s", "0 s"), (12e-6, "s", "12 µs"), (0.0123, "s", "12.3 ms"), (45.0, "s", "45 s"),
        (5e-10, "s", "0.5 ns"), (-0.5, "s", "-500 ms"), (7200.0, "s", "7,200 s"),
        (0.0, "By", "0 B"), (1023.0, "By", "1,023 B"), (3 * 2.0**20, "By", "3 MiB"),
        (5 * 2.0**50, "By", "5,120 TiB"), (0.853, "1", "85.3%"), (1.0, "1", "100%"),
        (45.25, "%", "45.2%"), (12345.6, "/s", "12,346/s"), (3.14159, "", "3.14"),
        (10.0, "{message}/s", "10 messages/s"), (1.0, "{query}", "1 query"),
        (2.0, "{query}", "2 queries"), (math.inf, "s", "inf s"), (math.nan, "1", "nan%"),
    ],
)  # fmt: skip
def test_quantity_is_written_as_people_do(value: float, unit: str, text: str) -> None:
    """Units are scaled, shares are percentages, things are counted."""
    assert units.quantity(value, unit) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(60, "1 minute"), (5400, "90 minutes"), (172_800, "2 days"), (45, "45 seconds")],
)
def test_duration_is_in_words(seconds: float, text: str) -> None:
    """The largest unit that leaves no rest."""
    assert units.duration(seconds) == text


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=8), st.floats(0, 1))
def test_quantile_any_buckets_lies_within_its_own(counts: list[float], share: float) -> None:
    """Never outside of the bounds, whatever was counted."""
    bounds = [float(number) for number in range(1, len(counts))]
    found = histogram.quantile(counts, bounds, share)
    assert math.isnan(found) if not any(counts) else 0 <= found <= len(counts)


@given(st.lists(st.floats(0, 1e6), max_size=8))
def test_separate_any_sums_give_no_negative_count(cumulative: list[float]) -> None:
    """A wider bucket below a narrower one is a trifle of extrapolation."""
    counts = histogram.separate(cumulative)
    assert len(counts) == len(cumulative)
    assert all(count >= 0 for count in counts)
