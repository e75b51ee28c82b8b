"""The estimates, intervals and tests behind a comparison."""

from __future__ import annotations

import math
import random
import statistics as standard
from itertools import pairwise
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qudag_otel.baseline import _statistics as s
from qudag_otel.baseline._statistics import Estimate

values = st.floats(0, 1e6)
p_values = st.lists(st.floats(0, 1), min_size=1, max_size=30)


def mean(sums: s.Sums) -> float:
    return sums[0] / sums[-1]


@pytest.mark.parametrize(
    ("tail", "freedom", "expected"),
    [(0.025, 1, 12.7062), (0.025, 10, 2.2281), (0.05, 5, 2.0150), (0.005, 22, 2.8188)],
)
def test_student_quantile_known_case_is_the_tables(
    tail: float, freedom: float, expected: float
) -> None:
    """The quantile of Student's t agrees with a printed table."""
    assert s.student_quantile(tail, freedom) == pytest.approx(expected, abs=1e-4)


@given(st.floats(-6, 6))
def test_student_tail_many_degrees_is_the_normal_tail(t: float) -> None:
    """With very many degrees of freedom Student's t is the normal distribution."""
    assert s.student_tail(t, 1e5) == pytest.approx(1 - NormalDist().cdf(t), abs=1e-5)


@given(st.floats(-50, 50), st.floats(0.5, 200))
def test_student_tail_any_value_is_symmetric(t: float, freedom: float) -> None:
    """Both tails of Student's t add up to one, and both are probabilities."""
    upper, lower = s.student_tail(t, freedom), s.student_tail(-t, freedom)
    assert 0 <= upper <= 1
    assert upper + lower == pytest.approx(1)


@given(p_values)
def test_holm_any_values_are_ordered_and_never_smaller(given_values: list[float]) -> None:
    """Adjusting keeps the order, never lowers a value and at most multiplies by their number."""
    adjusted = s.holm(given_values)
    for raw, new in zip(given_values, adjusted, strict=True):
        assert raw <= new <= 1
        assert new == 1 or new <= len(given_values) * max(given_values)
    ordered = [new for _, new in sorted(zip(given_values, adjusted, strict=True))]
    assert all(first <= second for first, second in pairwise(ordered))


def test_holm_known_case_is_holms() -> None:
    """Four values, adjusted by hand."""
    assert s.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_blocks_many_steps_are_merged_into_about_a_dozen() -> None:
    """Sixty steps become twelve blocks of five, and nothing gets lost."""
    merged = s.blocks([(float(step),) for step in range(60)])
    assert len(merged) == s.BLOCKS
    assert sum(row[0] for row in merged) == sum(range(60))
    assert {row[1] for row in merged} == {5.0}


def test_blocks_gaps_are_left_out_and_counted() -> None:
    """A block with less than half its steps is dropped; a fuller one says how many it has."""
    rows: list[tuple[float, ...] | None] = [(1.0,)] * 36
    rows[0] = rows[1] = rows[3] = None
    merged = s.blocks(rows)
    assert merged == [(2.0, 2.0), *[(3.0, 3.0)] * 10]


@given(st.integers(1, 500))
def test_blocks_any_number_of_steps_gives_at_most_twice_a_dozen(steps: int) -> None:
    """However long the window, there are at most 23 blocks, and 12 if there are enough steps."""
    count = len(s.blocks([(1.0,)] * steps))
    assert count == steps if steps < s.BLOCKS else s.BLOCKS <= count < 2 * s.BLOCKS


def test_estimate_of_a_mean_has_the_textbook_error() -> None:
    """Of independent blocks, leaving one out gives the usual standard error of the mean."""
    numbers = [5.0, 1.0, 4.0, 2.0, 6.0, 3.0, 5.5, 0.5]
    # This order has a negative neighbour correlation, which must not make the error smaller.
    found = s.estimate([(one, 1.0) for one in numbers], mean)
    assert found.value == pytest.approx(standard.mean(numbers))
    assert found.error == pytest.approx(standard.stdev(numbers) / math.sqrt(len(numbers)))
    assert found.freedom == 7


def test_estimate_of_a_trend_has_a_larger_error_than_of_the_shuffled_numbers() -> None:
    """Blocks that resemble their neighbours are worth less than independent ones."""
    numbers = [float(one) for one in range(12)]
    shuffled = random.Random(3).sample(numbers, 12)
    trend, mixed = (
        s.estimate([(one, 1.0) for one in order], mean).error for order in (numbers, shuffled)
    )
    assert trend > 2 * mixed


def test_estimate_all_in_one_block_has_an_infinite_error() -> None:
    """If leaving out one block leaves nothing, nothing is known about the noise."""
    rows = [(0.0, 0.0)] * 11 + [(5.0, 10.0)]
    found = s.estimate(rows, lambda sums: sums[0] / sums[1] if sums[1] else math.nan)
    assert found.value == 0.5
    assert math.isinf(found.error)
    assert s.excess(Estimate(0, 0.1, 11), found, factor=1, shift=0) == pytest.approx(0.5)
    assert s.ratio_interval(Estimate(1, 0.1, 11), found, 0.95) == (0.0, math.inf)


def test_estimate_without_variation_has_the_floor_as_error() -> None:
    """Counts that happen to be equal are not thereby known exactly."""
    assert s.estimate([(4.0, 1.0)] * 12, mean, floor=0.3).error == 0.3


@given(values, values, st.floats(0, 0.5))
def test_excess_without_noise_is_certain(old: float, new: float, margin: float) -> None:
    """Two values without error either exceed the margin or do not."""
    p = s.excess(Estimate(old, 0, 11), Estimate(new, 0, 11), factor=1 + margin, shift=0)
    assert p == (0.0 if new > old * (1 + margin) else 1.0)


def test_excess_known_case_is_welchs() -> None:
    """Two means, three standard errors apart, with 22 degrees of freedom."""
    old, new = Estimate(10, 0.6, 11), Estimate(13, 0.8, 11)
    p = s.excess(old, new, factor=1, shift=0)
    freedom = 1.0 / ((0.36**2 + 0.64**2) / 11)
    assert p == pytest.approx(s.student_tail(3.0, freedom))
    assert p == pytest.approx(0.0034, abs=2e-4)


@given(st.floats(1, 1e3), st.floats(0, 0.2), st.floats(1, 1e3), st.floats(0, 0.2))
def test_ratio_interval_any_values_holds_the_ratio(
    old: float, old_error: float, new: float, new_error: float
) -> None:
    """The interval holds the estimate, and has no negative end."""
    low, high = s.ratio_interval(
        Estimate(old, old * old_error, 11), Estimate(new, new * new_error, 11), 0.95
    )
    assert 0 <= low <= new / old * (1 + 1e-9)
    assert high >= new / old * (1 - 1e-9)


def test_ratio_interval_of_something_like_zero_is_open() -> None:
    """If the old value may be zero, the ratio may be anything."""
    assert s.ratio_interval(Estimate(1, 1, 11), Estimate(2, 0.1, 11), 0.95) == (0.0, math.inf)


def test_ratio_interval_small_errors_is_the_simple_one() -> None:
    """With a sure old value the interval is that of the new one, divided."""
    low, high = s.ratio_interval(Estimate(2, 0, 11), Estimate(4, 0.1, 11), 0.95)
    reach = s.student_quantile(0.025, 11) * 0.1
    assert (low, high) == pytest.approx(((4 - reach) / 2, (4 + reach) / 2))


@given(st.floats(-1e3, 1e3), st.floats(0.01, 10), st.floats(-1e3, 1e3))
def test_difference_interval_any_values_is_centred(old: float, error: float, new: float) -> None:
    """The interval of a difference is symmetric around it."""
    low, high = s.difference_interval(Estimate(old, error, 11), Estimate(new, error, 11), 0.95)
    assert (low + high) / 2 == pytest.approx(new - old, abs=1e-6)
    assert high > low
