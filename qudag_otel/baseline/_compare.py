"""What two recordings say about each other."""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from qudag_otel.baseline import _statistics as statistics
from qudag_otel.baseline._estimators import Reader, quantile_edges, readers
from qudag_otel.baseline._statistics import Estimate
from qudag_otel.baseline.measures import BY_NAME, SERIOUS, Limit, Measure, Shape, Worse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qudag_otel.baseline._model import Recording, Series

CONFIDENCE: Final = 0.95
"""Of the intervals shown."""

ALPHA: Final = 0.05
"""How often, at most, a check of an unchanged system may find any regression at all."""

_ENOUGH_COVERAGE: Final = 0.75  # of the steps that had data in the baseline
_ONE_BUCKET: Final = 0.99  # a bucket with this share of all observations hides what is in it
_POINTS: Final = {"1", "%"}  # units whose changes are shown as differences, not as ratios


class Verdict(enum.Enum):
    """What is concluded about one number, the worst first."""

    REGRESSION = "regression"
    LOST = "lost"
    UNSURE = "unsure"
    CHANGED = "changed"
    IMPROVED = "improved"
    GONE = "gone"
    NEW = "new"
    SAME = "same"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One number of one window.

    Args:
        value: The estimate.
        bucket: For a quantile, the bucket bounds that it is certainly between.
    """

    value: float
    bucket: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One number compared.

    Args:
        title: What it is, without labels.
        measure: The measure it belongs to.
        labels: Whose it is, identity first.
        unit: The unit of the values.
        verdict: The conclusion.
        old: What the baseline holds, None if nothing.
        new: What the later window holds, None if nothing.
        relative: Whether `change` is a share of the old value, instead of a difference.
        change: The estimated change; NaN if there is none.
        interval: Its confidence interval (`CONFIDENCE`).
        possible: For a quantile, the change that the buckets' bounds allow, whatever the noise.
        p: The p-value of the regression, adjusted for everything compared; NaN if not tested.
        note: What else must be known.
    """

    title: str
    measure: str
    labels: tuple[tuple[str, str], ...]
    unit: str
    verdict: Verdict = Verdict.UNSURE
    old: Reading | None = None
    new: Reading | None = None
    relative: bool = False
    change: float = math.nan
    interval: tuple[float, float] = (-math.inf, math.inf)
    possible: tuple[float, float] | None = None
    p: float = math.nan
    note: str = ""


@dataclass(frozen=True, slots=True)
class _Test:
    """A finding whose verdict waits for the p-values of all others."""

    finding: Finding
    worse: Worse
    limit: float  # the tolerance, in the unit of the finding's change
    higher: float  # the p-value against "it did not rise by more than the tolerance"
    lower: float  # and against "it did not fall by more"

    @property
    def bad(self) -> float:
        """The p-value of a regression."""
        return {Worse.HIGHER: self.higher, Worse.LOWER: self.lower, Worse.NEITHER: 1.0}[self.worse]

    @property
    def other(self) -> float:
        """The p-value of a change that is no regression."""
        both = min(1.0, 2 * min(self.higher, self.lower))
        return {Worse.HIGHER: self.lower, Worse.LOWER: self.higher, Worse.NEITHER: both}[self.worse]

    @property
    def excluded(self) -> bool:
        """Whether the interval excludes a serious change in a direction that matters."""
        low, high = self.finding.interval
        reach = {Worse.HIGHER: high, Worse.LOWER: -low, Worse.NEITHER: max(high, -low)}[self.worse]
        return reach <= SERIOUS * self.limit


def compare(
    old: Recording, new: Recording, *, alpha: float = ALPHA, tolerance: float | None = None
) -> list[Finding]:
    """Compare a later window with a baseline.

    Args:
        old: The baseline.
        new: The later window.
        alpha: How often, at most, an unchanged system may give any regression (Holm).
        tolerance: A relative tolerance instead of every measure's own.

    Returns:
        One finding a number, the worst first.
    """
    before = {series.key: series for series in old.series if series.coverage}
    after = {series.key: series for series in new.series if series.coverage}
    reporting = {
        _owner(series)
        for key, series in after.items()
        if key not in before or _covers(before[key], series)
    }
    findings: list[Finding] = []
    tests: list[_Test] = []
    for key in sorted(before.keys() | after.keys()):
        first, second = before.get(key), after.get(key)
        if first is None:
            findings.append(_alone(after[key], new, Verdict.NEW))
        elif second is None or not _covers(first, second):
            findings.append(_missing(first, second, old, reporting))
        elif first.bounds != second.bounds:
            note = "the bucket bounds changed: record the baseline again"
            findings.append(replace(_alone(first, old, Verdict.UNSURE), note=note))
        else:
            tests.extend(_tests(first, second, old, new, tolerance))
    findings.extend(_decided(tests, alpha))
    order = list(Verdict)
    return sorted(findings, key=lambda one: (order.index(one.verdict), one.measure, one.labels))


def fails(findings: Sequence[Finding], *, strict: bool = False) -> bool:
    """Whether a check finds fault: a regression, or something that stopped reporting.

    Args:
        findings: The findings.
        strict: Count "unsure" as a fault.
    """
    bad = {Verdict.REGRESSION, Verdict.LOST, *([Verdict.UNSURE] if strict else [])}
    return any(finding.verdict in bad for finding in findings)


def undecided(findings: Sequence[Finding]) -> list[str]:
    """What nothing at all can be told of: a node's or swarm's measure, all of it unsure."""
    known: dict[tuple[str, str], bool] = {}
    for one in findings:
        whose = (BY_NAME[one.measure].title, " ".join(text for _, text in one.labels[:1]))
        known[whose] = known.get(whose, False) or one.verdict is not Verdict.UNSURE
    return [f"{title} ({owner})" for (title, owner), told in known.items() if not told]


def _owner(series: Series) -> tuple[str, str]:
    return series.measure, series.labels.get(BY_NAME[series.measure].identity, "")


def _covers(first: Series, second: Series) -> bool:
    return second.coverage >= _ENOUGH_COVERAGE * first.coverage


def _missing(
    first: Series, second: Series | None, old: Recording, reporting: set[tuple[str, str]]
) -> Finding:
    """A series that the later window lacks: a fault if its owner no longer reports the measure."""
    measure = BY_NAME[first.measure]
    silence_is_good = measure.shape is Shape.RATE and measure.worse is Worse.HIGHER
    lost = _owner(first) not in reporting and not silence_is_good
    finding = _alone(first, old, Verdict.LOST if lost else Verdict.GONE)
    if second is None:
        return finding
    return replace(finding, note=f"data for only {second.coverage:.0%} of the time")


def _alone(series: Series, recording: Recording, verdict: Verdict) -> Finding:
    measure = BY_NAME[series.measure]
    every = readers(measure, series.bounds, recording.window.step)
    reader = max(every, key=lambda one: one.quantile or 0.0)
    reading = _read(reader, series, _sums(statistics.blocks(series.rows)))
    finding = _finding(measure, reader, series)
    return replace(
        finding,
        verdict=verdict,
        old=None if verdict is Verdict.NEW else reading,
        new=reading if verdict is Verdict.NEW else None,
    )


def _finding(measure: Measure, reader: Reader, series: Series) -> Finding:
    return Finding(
        title=f"{measure.title} {reader.name}".rstrip(),
        measure=measure.name,
        labels=tuple((one.key, series.labels.get(one.key, "")) for one in measure.by),
        unit=reader.unit,
    )


def _sums(rows: Sequence[tuple[float, ...]]) -> list[float]:
    return [math.fsum(column) for column in zip(*rows, strict=True)]


def _read(reader: Reader, series: Series, sums: Sequence[float]) -> Reading | None:
    if not sums or math.isnan(value := reader.of(sums)):
        return None
    if reader.quantile is None:
        return Reading(value=value)
    bucket = quantile_edges(sums[:-1], series.bounds, reader.quantile)
    return Reading(value=value, bucket=bucket)


def _tests(
    first: Series, second: Series, old: Recording, new: Recording, tolerance: float | None
) -> list[_Test]:
    measure = BY_NAME[first.measure]
    pairs = zip(
        readers(measure, first.bounds, old.window.step),
        readers(measure, second.bounds, new.window.step),
        strict=True,
    )
    found: list[_Test] = []
    for before, after in pairs:
        limit = before.tolerance if tolerance is None else Limit(tolerance)
        found.append(_test(measure, limit, (before, first), (after, second)))
    return found


def _test(
    measure: Measure, limit: Limit, old: tuple[Reader, Series], new: tuple[Reader, Series]
) -> _Test:
    rows = [statistics.blocks(series.rows) for _, series in (old, new)]
    readings = [_read(*side, _sums(merged)) for side, merged in zip((old, new), rows, strict=True)]
    finding = replace(_finding(measure, *old), old=readings[0], new=readings[1])
    note = _obstacle(rows, readings)
    if note:
        return _Test(replace(finding, note=note), measure.worse, math.nan, 1.0, 1.0)
    first, second = (
        statistics.estimate(merged, reader.of, reader.floor(_sums(merged)))
        for (reader, _), merged in zip((old, new), rows, strict=True)
    )
    finding = _measured(finding, first, second)
    if old[0].quantile is not None and all(_blind(_sums(merged)) for merged in rows):
        finding = replace(finding, note="nearly all are in one bucket, which hides what is in it")
    scale = first.value if finding.relative else 1.0
    return _Test(
        finding,
        measure.worse,
        (limit.relative * abs(first.value) + limit.absolute) / scale,
        statistics.excess(first, second, factor=1 + limit.relative, shift=limit.absolute),
        statistics.excess(
            _negative(first), _negative(second), factor=1 - limit.relative, shift=limit.absolute
        ),
    )


def _obstacle(
    rows: Sequence[Sequence[tuple[float, ...]]], readings: Sequence[Reading | None]
) -> str:
    """Why there is nothing to test, if there is not."""
    if min(map(len, rows)) < statistics.FEWEST:
        return f"fewer than {statistics.FEWEST} blocks of time have data: take a longer window"
    if None in readings:
        return "too few observations: take a longer window"
    return ""


def _negative(one: Estimate) -> Estimate:
    return Estimate(-one.value, one.error, one.freedom)


def _measured(finding: Finding, old: Estimate, new: Estimate) -> Finding:
    """With the change, its interval, and what the buckets alone leave open."""
    if finding.unit in _POINTS or old.value <= 0:
        return replace(
            finding,
            change=new.value - old.value,
            interval=statistics.difference_interval(old, new, CONFIDENCE),
        )
    low, high = statistics.ratio_interval(old, new, CONFIDENCE)
    return replace(
        finding,
        relative=True,
        change=new.value / old.value - 1,
        interval=(low - 1, high - 1),
        possible=_possible(finding),
    )


def _possible(finding: Finding) -> tuple[float, float] | None:
    old, new = (side.bucket if side else None for side in (finding.old, finding.new))
    if old is None or new is None:
        return None
    least = new[0] / old[1] - 1 if old[1] else math.inf
    most = new[1] / old[0] - 1 if old[0] else math.inf
    return least, most


def _blind(sums: Sequence[float]) -> bool:
    """Whether one bucket holds nearly everything, so that nothing can be seen to move."""
    return max(sums[:-1]) >= _ONE_BUCKET * math.fsum(sums[:-1])


def _decided(tests: Sequence[_Test], alpha: float) -> list[Finding]:
    """The verdicts, once all are known: one false regression among all is what alpha bounds."""
    judged = [test for test in tests if not math.isnan(test.limit)]
    family = [test for test in judged if test.worse is not Worse.NEITHER]
    bad = dict(zip(map(id, family), statistics.holm(one.bad for one in family), strict=True))
    other = dict(zip(map(id, judged), statistics.holm(one.other for one in judged), strict=True))
    return [
        replace(
            test.finding,
            p=bad.get(id(test), math.nan),
            verdict=_verdict(test, bad.get(id(test), 1.0), other.get(id(test), 1.0), alpha),
        )
        for test in tests
    ]


def _verdict(test: _Test, bad: float, other: float, alpha: float) -> Verdict:
    if bad < alpha:
        return Verdict.REGRESSION
    if other < alpha:
        return Verdict.CHANGED if test.worse is Worse.NEITHER else Verdict.IMPROVED
    return Verdict.SAME if test.excluded and not test.finding.note else Verdict.UNSURE
