"""What is concluded from two recordings."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qudag_otel.baseline import Recording, Series, Verdict, Window, compare, fails
from qudag_otel.baseline.measures import BY_NAME
from qudag_otel.catalogue import metrics

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qudag_otel.baseline import Finding

WINDOW = Window(end=7200, steps=12, step=300)
LABELS = {"node_id": "a"}


def series(
    name: str, rows: Iterable[Sequence[float] | None], labels: dict[str, str] | None = None,
    bounds: tuple[float, ...] = (),
) -> Series:  # fmt: skip
    filled = {attribute.key: "a" for attribute in BY_NAME[name].by}
    return Series(
        measure=name,
        labels=labels or filled,
        bounds=bounds,
        rows=tuple(None if row is None else tuple(row) for row in rows),
    )


def recording(*several: Series, window: Window = WINDOW) -> Recording:
    return Recording(source="test", window=window, filters={}, series=several)


def noisy(mean: float, seed: int, spread: float = 0.05, steps: int = 12) -> list[tuple[float]]:
    chance = random.Random(seed)
    return [(mean * chance.uniform(1 - spread, 1 + spread),) for _ in range(steps)]


def only(old: Series, new: Series) -> Finding:
    (finding,) = compare(recording(old), recording(new))
    return finding


def latencies(scale: float, seed: int, observations: int = 1000) -> Series:
    chance = random.Random(seed)
    bounds = metrics.TASK_LATENCY.bounds
    rows = [[0.0] * (len(bounds) + 1) for _ in range(12)]
    for row in rows:
        for _ in range(observations):
            seconds = scale * chance.lognormvariate(math.log(5), 0.8)
            row[sum(bound < seconds for bound in bounds)] += 1
    return series("task_latency", rows, bounds=bounds)


@pytest.mark.parametrize(
    ("name", "factor", "expected"),
    [
        ("messages", 0.8, Verdict.REGRESSION),
        ("messages", 1.2, Verdict.IMPROVED),
        ("messages", 1.0, Verdict.SAME),
        ("messages", 0.97, Verdict.SAME),  # within the tolerance
        ("errors", 1.5, Verdict.REGRESSION),
        ("errors", 0.5, Verdict.IMPROVED),
        ("tasks_created", 0.5, Verdict.CHANGED),
        ("tasks_created", 2.0, Verdict.CHANGED),
        ("cpu", 1.5, Verdict.REGRESSION),
    ],
)
def test_compare_direction_of_a_change_decides_the_verdict(
    name: str, factor: float, expected: Verdict
) -> None:
    """Fewer messages are worse, fewer errors are better, another load is neither."""
    finding = only(series(name, noisy(50, 1)), series(name, noisy(50 * factor, 2)))
    assert finding.verdict is expected


def test_compare_lost_throughput_shows_effect_and_interval() -> None:
    """The finding says how much was lost, and the truth is within its interval."""
    finding = only(series("messages", noisy(3e4, 1)), series("messages", noisy(2.4e4, 2)))
    assert finding.relative
    assert finding.interval[0] < -0.2 < finding.interval[1]
    assert finding.change == pytest.approx(-0.2, abs=0.03)
    assert finding.p < 0.001


def test_compare_noise_too_large_is_unsure() -> None:
    """If a loss of a fifth cannot be excluded, the verdict is not "same"."""
    wild = [(one,) for one in (10.0, 90.0, 30.0, 170.0, 5.0, 60.0) * 2]
    finding = only(series("messages", wild), series("messages", list(reversed(wild))))
    assert finding.verdict is Verdict.UNSURE
    assert not fails([finding])
    assert fails([finding], strict=True)


def test_compare_p95_rise_is_found_and_names_what_the_buckets_allow() -> None:
    """A rise of 30% is a regression; its size is certain only as far as the bounds say."""
    findings = compare(recording(latencies(1, 1)), recording(latencies(1.3, 2)))
    p95 = next(finding for finding in findings if finding.title == "Task latency p95")
    assert p95.verdict is Verdict.REGRESSION
    assert p95.old is not None
    assert p95.new is not None
    true_before, true_after = (scale * 5 * math.exp(1.6449 * 0.8) for scale in (1, 1.3))
    assert p95.old.bucket is not None
    assert p95.old.bucket[0] <= true_before <= p95.old.bucket[1]
    assert p95.new.bucket is not None
    assert p95.new.bucket[0] <= true_after <= p95.new.bucket[1]
    assert p95.possible is not None
    assert p95.possible[0] <= 0.3 <= p95.possible[1]


def test_compare_everything_in_one_bucket_is_unsure() -> None:
    """If a bucket hides every change, none was seen, and that is said."""
    bounds = (1.0, 100.0)
    rows = [(0.0, 500.0, 0.0)] * 12
    findings = compare(
        recording(series("task_latency", rows, bounds=bounds)),
        recording(series("task_latency", rows, bounds=bounds)),
    )
    assert {finding.verdict for finding in findings} == {Verdict.UNSURE}
    assert all("one bucket" in finding.note for finding in findings)


def test_compare_other_bucket_bounds_is_unsure() -> None:
    """Histograms with different bounds are not compared."""
    old = series("task_latency", [(500.0, 5.0, 1.0)] * 12, bounds=(1.0, 30.0))
    new = series("task_latency", [(500.0, 5.0, 1.0)] * 12, bounds=(2.0, 30.0))
    finding = only(old, new)
    assert finding.verdict is Verdict.UNSURE
    assert "record the baseline again" in finding.note


def test_compare_few_observations_is_unsure() -> None:
    """A handful of tasks has no p95."""
    bounds = (1.0, 30.0)
    rows = [(1.0, 1.0, 0.0)] * 12
    findings = compare(
        recording(series("task_latency", rows, bounds=bounds)),
        recording(series("task_latency", rows, bounds=bounds)),
    )
    p95 = next(finding for finding in findings if finding.title.endswith("p95"))
    assert p95.verdict is Verdict.UNSURE
    assert "too few observations" in p95.note


def test_compare_short_window_is_unsure() -> None:
    """Fewer than six blocks of time give no verdict."""
    short = Window(end=7200, steps=5, step=300)
    old, new = (recording(series("messages", [(9.0,)] * 5), window=short) for _ in range(2))
    (finding,) = compare(old, new)
    assert finding.verdict is Verdict.UNSURE
    assert "blocks of time" in finding.note


def test_compare_windows_of_different_steps_compares_rates() -> None:
    """A rate is per second, however long the steps are."""
    longer = Window(end=90_000, steps=12, step=600)
    new = recording(series("messages", noisy(60_000, 2)), window=longer)
    (finding,) = compare(recording(series("messages", noisy(30_000, 1))), new)
    assert finding.verdict is Verdict.SAME
    assert finding.new is not None
    assert finding.new.value == pytest.approx(100, rel=0.05)


def test_compare_node_that_stopped_is_lost_and_fails() -> None:
    """A node that no longer reports is a fault, not a gap in a table."""
    other = series("messages", noisy(50, 3), {"node_id": "b"})
    old = recording(series("messages", noisy(50, 1), LABELS), other)
    findings = compare(old, recording(other))
    assert [finding.verdict for finding in findings] == [Verdict.LOST, Verdict.SAME]
    assert fails(findings)


def test_compare_node_silent_half_of_the_time_is_lost() -> None:
    """A node that reported for half of the window is not compared as if it were there."""
    rows: list[Sequence[float] | None] = [*noisy(50, 2, steps=6), *[None] * 6]
    finding = only(series("messages", noisy(50, 1)), series("messages", rows))
    assert finding.verdict is Verdict.LOST
    assert finding.note == "data for only 50% of the time"


def test_compare_errors_that_stopped_are_no_fault() -> None:
    """A counter of something bad may disappear."""
    finding = compare(recording(series("errors", noisy(5, 1))), recording())
    assert [one.verdict for one in finding] == [Verdict.GONE]
    assert not fails(finding)


def test_compare_one_kind_that_disappeared_is_gone_not_lost() -> None:
    """A task type that nobody asked for is mentioned; its swarm still reports."""
    kinds = [
        series("task_success", [(50.0, 1.0)] * 12, {"swarm_id": "a", "task_type": kind})
        for kind in ("verify", "rare")
    ]
    findings = compare(recording(*kinds), recording(kinds[0]))
    assert [finding.verdict for finding in findings] == [Verdict.GONE, Verdict.SAME]
    assert not fails(findings)


def test_compare_something_new_is_mentioned() -> None:
    """What the baseline did not have cannot be worse."""
    findings = compare(recording(), recording(series("messages", noisy(5, 1))))
    assert [one.verdict for one in findings] == [Verdict.NEW]
    assert not fails(findings)


def test_compare_from_no_errors_to_one_is_no_regression() -> None:
    """One error after an hour without is not significant; one a second is."""
    none = series("errors", [(0.0,)] * 12)
    once = series("errors", [(0.0,)] * 11 + [(1.0,)])
    many = series("errors", [(300.0 + step,) for step in range(12)])
    assert only(none, once).verdict is not Verdict.REGRESSION
    finding = only(none, many)
    assert finding.verdict is Verdict.REGRESSION
    assert not finding.relative


def test_compare_many_numbers_adjusts_for_their_number() -> None:
    """The more is compared, the stronger one number's evidence must be."""
    quiet = [series("messages", noisy(50, n), {"node_id": f"n{n}"}) for n in range(100)]
    alone = compare(
        recording(series("messages", noisy(50, 1, 0.2))),
        recording(series("messages", noisy(44, 2, 0.2))),
    )[0]
    crowd = compare(
        recording(series("messages", noisy(50, 1, 0.2)), *quiet),
        recording(series("messages", noisy(44, 2, 0.2)), *quiet),
    )
    same = next(finding for finding in crowd if dict(finding.labels) == LABELS)
    assert same.p == pytest.approx(min(1, alone.p * 101))


@given(st.lists(st.floats(0, 1e6), min_size=12, max_size=12))
def test_compare_with_itself_is_never_a_regression(values: list[float]) -> None:
    """Whatever was recorded, the very same is not worse."""
    one = series("messages", [(value,) for value in values])
    assert only(one, one).verdict in {Verdict.SAME, Verdict.UNSURE}


@given(st.randoms(use_true_random=False), st.integers(1, 1000))
def test_compare_histogram_with_itself_is_never_a_regression(
    chance: random.Random, most: int
) -> None:
    """Nor are the very same latencies."""
    bounds = metrics.TASK_LATENCY.bounds
    rows = [[float(chance.randint(0, most)) for _ in range(len(bounds) + 1)] for _ in range(12)]
    one = recording(series("task_latency", rows, bounds=bounds))
    assert not fails(compare(one, one))


def test_compare_tolerance_given_replaces_the_measures_own() -> None:
    """A user may accept a larger change, or none."""
    old, new = (recording(series("messages", noisy(mean, 1, 0.001))) for mean in (1e6, 9.7e5))
    assert not fails(compare(old, new))
    assert fails(compare(old, new, tolerance=0.01))
    assert not fails(compare(old, new, tolerance=0.5))
