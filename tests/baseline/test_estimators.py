"""What is computed from a measure's columns."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from qudag_otel.baseline import _estimators as e
from qudag_otel.baseline.measures import BY_NAME, MEASURES, Shape
from qudag_otel.catalogue import metrics

BOUNDS = (1.0, 2.0, 4.0)
counts = st.lists(st.integers(0, 1000), min_size=4, max_size=4)


def test_measures_every_metric_of_the_catalogue_is_taken() -> None:
    """A metric that is added to the catalogue cannot be forgotten in the baselines."""
    taken = {column.metric for measure in MEASURES for column in measure.columns}
    assert taken == set(metrics.METRICS)


def test_measures_every_column_carries_the_labels_it_is_grouped_by() -> None:
    """A measure asks only for labels that its metrics have."""
    for measure in MEASURES:
        for column in measure.columns:
            assert set(measure.by) <= set(column.metric.attributes), measure.name


def test_measures_thresholds_are_bucket_bounds() -> None:
    """The share above a threshold is exact, since the threshold is a bound of the histogram."""
    for measure in MEASURES:
        assert set(measure.edges) <= set(measure.columns[0].metric.bounds), measure.name


@pytest.mark.parametrize(
    ("row", "q", "expected"),
    [
        ((100, 0, 0, 0), 0.5, 0.5),
        ((100, 100, 0, 0), 0.75, 1.5),
        ((0, 0, 100, 0), 0.95, 3.9),
        ((0, 0, 0, 100), 0.5, 4.0),  # above all bounds: the highest stands for it
        ((50, 0, 50, 0), 0.5, 1.0),
    ],
)
def test_quantile_known_case_is_prometheus_answer(
    row: tuple[float, ...], q: float, expected: float
) -> None:
    """A quantile lies on a straight line inside its bucket, as histogram_quantile puts it."""
    assert e.quantile(row, BOUNDS, q) == pytest.approx(expected)


@given(counts, st.floats(0.05, 0.95))
def test_quantile_any_counts_lies_within_its_bucket(row: list[int], q: float) -> None:
    """The estimate is between the bounds that are certain."""
    value, edges = e.quantile(row, BOUNDS, q), e.quantile_edges(row, BOUNDS, q)
    if edges is None:
        assert math.isnan(value)
    else:
        assert edges[0] <= value <= edges[1]


@given(st.lists(st.floats(0.001, 3.99), min_size=200, max_size=300), st.floats(0.1, 0.9))
def test_quantile_edges_any_sample_hold_the_true_quantile(sample: list[float], q: float) -> None:
    """Whatever was observed, its quantile is in the bucket that is named."""
    row = [0.0] * 4
    for one in sample:
        row[sum(bound < one for bound in BOUNDS)] += 1
    found = e.quantile_edges(row, BOUNDS, q)
    assert found is not None
    true = sorted(sample)[math.ceil(q * len(sample) - 1e-9) - 1]
    assert found[0] <= true <= found[1]


@given(counts, st.floats(0.1, 0.9), st.integers(1, 500))
def test_quantile_more_slow_observations_never_lowers_it(
    row: list[int], q: float, more: int
) -> None:
    """Adding observations above all bounds moves a quantile up, or not at all."""
    before = e.quantile(row, BOUNDS, q)
    assume(not math.isnan(before))
    assert e.quantile([*row[:-1], row[-1] + more], BOUNDS, q) >= before - 1e-9


def test_quantile_too_few_observations_is_not_a_number() -> None:
    """p95 needs five observations above it, so a hundred in all."""
    assert math.isnan(e.quantile((99, 0, 0, 0), BOUNDS, 0.95))
    assert not math.isnan(e.quantile((100, 0, 0, 0), BOUNDS, 0.95))


def test_readers_of_a_histogram_share_over_a_threshold_is_exact() -> None:
    """Nothing is interpolated at a bound; a threshold that is no bound is not read."""
    latency = BY_NAME["task_latency"]
    row = [90.0, 0.0, 9.0, 1.0, 1.0]
    by_name = {one.name: one for one in e.readers(latency, (15.0, 30.0, 60.0), 300)}
    assert by_name["over 30 s"].of(row) == pytest.approx(0.10)
    assert by_name["over 60 s"].of(row) == pytest.approx(0.01)
    assert "over 60 s" not in {one.name for one in e.readers(latency, (15.0, 30.0), 300)}


@pytest.mark.parametrize(
    ("name", "sums", "expected"),
    [
        ("messages", (600.0, 2.0), 1.0),  # 600 in 2 steps of 300 s
        ("pool_hits", (9.0, 1.0, 2.0), 0.9),
        ("queue", (30.0, 3.0), 10.0),
        ("memory", (20.0, 80.0, 5.0), 0.25),
    ],
)
def test_readers_known_case_is_the_definition(
    name: str, sums: tuple[float, ...], expected: float
) -> None:
    """Rates, proportions, levels and fills are what their names say."""
    (reader,) = e.readers(BY_NAME[name], (), 300)
    assert reader.of(sums) == pytest.approx(expected)
    assert reader.floor(sums) >= 0


def test_readers_without_traffic_proportions_are_not_numbers() -> None:
    """Nothing out of nothing is no rate at all, neither good nor bad."""
    for measure in MEASURES:
        if measure.shape is Shape.PROPORTION:
            (reader,) = e.readers(measure, (), 300)
            assert math.isnan(reader.of((0.0, 0.0, 12.0)))
            assert 0 < reader.floor((0.0, 0.0, 12.0)) < 1
