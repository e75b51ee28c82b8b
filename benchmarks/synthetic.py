"""Recordings of loads whose truth is known, for the simulation and its tests.

A window has 12 blocks of 20 moments; how long a moment is, is up to whoever counts them. Each
moment's intensity is log-normal around its mean and correlated with the moment before; counts are
Poisson, durations log-normal. Everything is drawn from one numpy generator, so a seed fixes all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Final, cast

import numpy as np

from qudag_otel.baseline._model import Recording, Series, Window
from qudag_otel.baseline._statistics import BLOCKS
from qudag_otel.baseline.measures import BY_NAME, TOLD, Measure, Shape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

MOMENTS: Final = 20
"""Moments a block."""

WINDOW: Final = Window(end=3600, steps=BLOCKS, step=300)
"""An hour, in twelve blocks of five minutes."""

SPREAD: Final = 0.8
"""The standard deviation of the logarithm of a duration: p95 is 3.7 times the median."""

_P95: Final = NormalDist().inv_cdf(0.95)
_GRID: Final = [step / 200 for step in range(-1600, 1601)]
_CUMULATIVE: Final = [NormalDist().cdf(one) for one in _GRID]


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """How a load fluctuates by itself.

    Args:
        variation: The standard deviation of a moment's intensity, as a share of its mean.
        memory: The correlation time, in moments; 0 for none.
    """

    variation: float
    memory: float


def intensities(rng: np.random.Generator, noise: Noise) -> NDArray[np.float64]:
    """Relative intensities with mean 1: a row a block, a column a moment."""
    count = BLOCKS * MOMENTS
    kept = math.exp(-1 / noise.memory) if noise.memory else 0.0
    fresh = rng.normal(size=count)
    fresh[1:] *= math.sqrt(1 - kept**2)
    for moment in range(1, count):
        fresh[moment] += kept * fresh[moment - 1]
    sigma = math.sqrt(math.log1p(noise.variation**2))
    return np.exp(sigma * fresh - sigma**2 / 2).reshape(BLOCKS, MOMENTS)


def counter(rng: np.random.Generator, noise: Noise, rate: float) -> list[float]:
    """Events in each block, for a mean of `rate` a second."""
    means = rate * WINDOW.step * intensities(rng, noise).mean(axis=1)
    drawn = cast("Sequence[int]", rng.poisson(means))
    return [float(one) for one in drawn]


def durations(
    rng: np.random.Generator,
    noise: Noise,
    *,
    rate: float,
    p95: float,
    bounds: Sequence[float],
) -> list[tuple[float, ...]]:
    """Observations in each block and bucket.

    Args:
        rng: The source of chance.
        noise: How the durations fluctuate as a whole; their number does likewise.
        rate: Observations a second.
        p95: The 95th percentile, in seconds, when the noise is at its mean.
        bounds: The finite bucket bounds.
    """
    centre = math.log(p95) - _P95 * SPREAD
    moving = np.log(intensities(rng, noise))[:, :, np.newaxis]
    scores = (np.log(bounds) - centre - moving) / SPREAD
    below = np.interp(scores, _GRID, _CUMULATIVE).mean(axis=1)
    edges = np.zeros((BLOCKS, 1))
    shares = np.diff(np.hstack([edges, below, edges + 1]), axis=1)
    totals = counter(rng, noise, rate)
    return [
        tuple(float(one) for one in rng.multinomial(int(total), share / share.sum()))
        for total, share in zip(totals, shares, strict=True)
    ]


def recording(series: Iterable[Series]) -> Recording:
    """A recording of these series."""
    return Recording(source="simulation", window=WINDOW, filters={}, series=tuple(series))


def rate_series(counts: Iterable[float], name: str = "messages") -> Series:
    """A counter's series."""
    rows = tuple((count,) for count in counts)
    return Series(measure=name, labels=_labels(BY_NAME[name], "a"), rows=rows)


def duration_series(
    rows: Iterable[tuple[float, ...]], bounds: Sequence[float], name: str = "task_latency"
) -> Series:
    """A histogram's series."""
    labels = _labels(BY_NAME[name], "a")
    return Series(measure=name, labels=labels, bounds=tuple(bounds), rows=tuple(rows))


def node(rng: np.random.Generator, noise: Noise, *, load: float, slowness: float) -> Recording:
    """Everything that a node and its swarm report, of every measure two series.

    Args:
        rng: The source of chance.
        noise: How each series fluctuates, independently of the others.
        load: The factor on all rates.
        slowness: The factor on all durations.
    """
    return recording(
        Series(
            measure=measure.name,
            labels=_labels(measure, kind),
            bounds=measure.columns[0].metric.bounds if measure.shape is Shape.HISTOGRAM else (),
            rows=tuple(_rows(rng, noise, measure, load, slowness)),
        )
        for measure in TOLD
        for kind in (("a", "b") if len(measure.by) > 1 else ("a",))
    )


def _rows(
    rng: np.random.Generator, noise: Noise, measure: Measure, load: float, slowness: float
) -> list[tuple[float, ...]]:
    if measure.shape is Shape.HISTOGRAM:
        bounds = measure.columns[0].metric.bounds
        return durations(rng, noise, rate=load, p95=0.2 * bounds[-3] * slowness, bounds=bounds)
    if measure.shape is Shape.RATE:
        return [(one,) for one in counter(rng, noise, 50 * load)]
    if measure.shape is Shape.PROPORTION:
        first, second = counter(rng, noise, 8 * load), counter(rng, noise, 2 * load)
        return list(zip(first, second, strict=True))
    level = [float(one) for one in 0.5 * intensities(rng, noise).mean(axis=1)]
    return [(one, 1.0) if measure.shape is Shape.FILL else (one,) for one in level]


def _labels(measure: Measure, kind: str) -> dict[str, str]:
    """The same owner for all, and a kind where the measure tells kinds apart."""
    rest = {attribute.key: kind for attribute in measure.by[1:]}
    return {measure.identity: f"{measure.identity}-1", **rest}
