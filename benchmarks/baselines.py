"""How often a check is right: false alarms on identical load, and what it finds, by simulation.

`python -m benchmarks.baselines` draws windows whose truth is known, compares them with
the code that `qudag-otel baseline check` runs, and writes the shares into docs/baselines.md.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from benchmarks import synthetic
from benchmarks.synthetic import Noise
from qudag_otel.baseline._compare import ALPHA, Finding, Verdict, compare
from qudag_otel.baseline._statistics import BLOCKS
from qudag_otel.catalogue import metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qudag_otel.baseline._model import Recording

SEED: Final = 20_240_229
RUNS: Final = 1000
DOCUMENT: Final = Path("docs/baselines.md")
LOSS: Final = 0.8
"""The factor on the rate, when a fifth of the throughput is lost."""
RISE: Final = 1.3
"""The factor on every duration, when p95 rises by 30%."""

_BEGIN: Final = "<!-- figures: python -m benchmarks.baselines -->"
_END: Final = "<!-- end of figures -->"
_P95_SECONDS: Final = (8.0, 12.0, 17.0, 25.0, 40.0)  # at different places inside their buckets
_WHOLE_NODE: Final = 5  # so many times fewer runs, since each compares dozens of numbers


@dataclass(frozen=True, slots=True)
class Load:
    """A fluctuating load, and the window it is watched through.

    Args:
        variation: The standard deviation of its fluctuations, as a share of the mean.
        minutes: How long a fluctuation lasts (the correlation time).
        hours: The length of each window.
    """

    variation: float
    minutes: float
    hours: float

    @property
    def noise(self) -> Noise:
        """The same in moments of the window."""
        moments_a_minute = BLOCKS * synthetic.MOMENTS / (60 * self.hours)
        return Noise(variation=self.variation, memory=self.minutes * moments_a_minute)

    def __str__(self) -> str:
        return f"{self.variation:.0%} | {self.minutes:g} min | {self.hours:g} h"


_CALM: Final = Load(0.1, 1, 1)
_LOADS: Final = (
    Load(0.1, 0, 1),
    _CALM,
    Load(0.3, 1, 1),
    Load(0.3, 1, 6),
    Load(0.3, 5, 1),
    Load(0.3, 5, 6),
    Load(0.3, 5, 24),
    Load(0.3, 60, 1),
    Load(0.3, 60, 24),
)
_TASK_LOADS: Final = ((300.0, _CALM), (1000.0, _CALM), (10_000.0, _CALM),
                      (1000.0, Load(0.3, 1, 1)), (1000.0, Load(0.3, 1, 6)),
                      (1000.0, Load(0.3, 1, 24)))  # fmt: skip

Draw = Callable[[np.random.Generator, float], "Recording"]
"""Draws a window in which the thing of interest is multiplied by a factor."""


def outcomes(
    draws: Sequence[Draw],
    factor: float,
    *,
    runs: int,
    tolerance: float | None = None,
    title: str = "",
) -> tuple[Counter[Verdict], list[Finding]]:
    """Compare pairs of windows, the second changed by a factor.

    Args:
        draws: Draw the windows, in turn.
        factor: The change in the second window; 1 for identical load.
        runs: How many pairs.
        tolerance: As for `compare`.
        title: Count only the findings with this title; empty for all.

    Returns:
        The worst verdict of each pair, counted, and all findings that counted.
    """
    worst: Counter[Verdict] = Counter()
    every: list[Finding] = []
    order = list(Verdict)
    for run in range(runs):
        rng = np.random.default_rng((SEED, run))
        draw = draws[run % len(draws)]
        found = compare(draw(rng, 1.0), draw(rng, factor), tolerance=tolerance)
        found = [finding for finding in found if title in {"", finding.title}]
        worst[min((finding.verdict for finding in found), key=order.index)] += 1
        every.extend(found)
    return worst, every


def rate_draw(noise: Noise, rate: float) -> Draw:
    """Windows of one counter, `rate` a second."""

    def draw(rng: np.random.Generator, factor: float) -> Recording:
        counts = synthetic.counter(rng, noise, rate * factor)
        return synthetic.recording([synthetic.rate_series(counts)])

    return draw


def latency_draw(noise: Noise, rate: float, p95: float) -> Draw:
    """Windows of one latency histogram, `rate` observations a second."""
    bounds = metrics.TASK_LATENCY.bounds

    def draw(rng: np.random.Generator, factor: float) -> Recording:
        rows = synthetic.durations(rng, noise, rate=rate, p95=p95 * factor, bounds=bounds)
        return synthetic.recording([synthetic.duration_series(rows, bounds)])

    return draw


def report(runs: int) -> str:
    """The figures as Markdown.

    Args:
        runs: Pairs of windows behind each share.
    """
    shared = max(runs // _WHOLE_NODE, 1)
    return "\n".join([
        (f"Each share is of {runs} pairs of windows (whole node: {shared}), seed {SEED}; "
        f"the bound asked for is {ALPHA:.0%}."),
        "",
        *_rates(runs),
        "",
        *_latencies(runs),
        "",
        *_readings(runs),
        "",
        *_node(shared),
    ])  # fmt: skip


def _rates(runs: int) -> Iterator[str]:
    yield "Throughput, 100 messages a second:"
    yield ""
    yield (
        "| fluctuation | lasting | window | false alarms, no tolerance | false alarms | "
        "unsure though identical | 20% loss found |"
    )
    yield "|---|---|---|---|---|---|---|"
    for load in _LOADS:
        # What fluctuates during a moment is the same for any window, but a moment grows with it.
        draws = [rate_draw(load.noise, 100.0)]
        exact, _ = outcomes(draws, 1.0, runs=runs, tolerance=0.0)
        same, _ = outcomes(draws, 1.0, runs=runs)
        lost, _ = outcomes(draws, LOSS, runs=runs)
        shares = (
            exact[Verdict.REGRESSION],
            same[Verdict.REGRESSION],
            same[Verdict.UNSURE],
            lost[Verdict.REGRESSION],
        )
        yield f"| {load} | " + " | ".join(f"{share / runs:.1%}" for share in shares) + " |"


def _latencies(runs: int) -> Iterator[str]:
    places = ", ".join(f"{p95:g}" for p95 in _P95_SECONDS)
    yield f"Task latency, p95 at {places} s in turn, buckets of the catalogue:"
    yield ""
    yield (
        "| tasks an hour | fluctuation | lasting | window | false alarms, no tolerance | "
        "false alarms | 30% rise of p95 found |"
    )
    yield "|---|---|---|---|---|---|---|"
    for tasks, load in _TASK_LOADS:
        rate = tasks * load.hours / 3600
        draws = [latency_draw(load.noise, rate, p95) for p95 in _P95_SECONDS]
        exact, _ = outcomes(draws, 1.0, runs=runs, tolerance=0.0)
        same, _ = outcomes(draws, 1.0, runs=runs)
        rise, _ = outcomes(draws, RISE, runs=runs)
        shares = (one[Verdict.REGRESSION] / runs for one in (exact, same, rise))
        yield f"| {tasks:g} | {load} | " + " | ".join(f"{share:.1%}" for share in shares) + " |"


def _readings(runs: int) -> Iterator[str]:
    yield (
        "What a true rise of 30% is read as, when noise hardly matters "
        "(10,000 tasks an hour, 10% for 1 min, 1 h):"
    )
    yield ""
    yield "| p95 before | its bucket | estimated rise, median | 5% to 95% |"
    yield "|---|---|---|---|"
    each = max(runs // len(_P95_SECONDS), 1)
    for p95 in _P95_SECONDS:
        _, findings = outcomes([latency_draw(_CALM.noise, 10_000 / 3600, p95)], RISE, runs=each)
        p95s = [finding for finding in findings if finding.title.endswith("p95")]
        low, middle, high = np.nanpercentile([finding.change for finding in p95s], [5, 50, 95])
        bucket = next(finding.old.bucket for finding in p95s if finding.old) or (0.0, 0.0)
        yield (
            f"| {p95:g} s | {bucket[0]:g} to {bucket[1]:g} s | {middle:.0%} | "
            f"{low:.0%} to {high:.0%} |"
        )


def _node(runs: int) -> Iterator[str]:
    def draws(load: Load, *, affects: str) -> Draw:
        def draw(rng: np.random.Generator, factor: float) -> Recording:
            quantity = 1.0 if affects == "durations" else factor
            slowness = factor if affects == "durations" else 1.0
            return synthetic.node(rng, load.noise, load=quantity, slowness=slowness)

        return draw

    loads = (_CALM, Load(0.3, 1, 6))
    numbers = len(compare(*[synthetic.node(np.random.default_rng(SEED), _CALM.noise,
                                           load=1.0, slowness=1.0)] * 2))  # fmt: skip
    yield f"A whole node and its swarm, {numbers} numbers compared at once:"
    yield ""
    yield (
        "| fluctuation | lasting | window | any false alarm, no tolerance | any false alarm | "
        "20% loss of all rates: messages found | 30% slower: task p95 found |"
    )
    yield "|---|---|---|---|---|---|---|"
    for load in loads:
        rates, durations = draws(load, affects="rates"), draws(load, affects="durations")
        exact, _ = outcomes([rates], 1.0, runs=runs, tolerance=0.0)
        same, _ = outcomes([rates], 1.0, runs=runs)
        lost, _ = outcomes([rates], LOSS, runs=runs, title="Messages")
        rise, _ = outcomes([durations], RISE, runs=runs, title="Task latency p95")
        shares = (one[Verdict.REGRESSION] / runs for one in (exact, same, lost, rise))
        yield f"| {load} | " + " | ".join(f"{share:.1%}" for share in shares) + " |"


def rewritten(text: str, figures: str) -> str:
    """A document with its figures replaced.

    Raises:
        ValueError: the document has no place for them.
    """
    begin, end = text.find(_BEGIN), text.find(_END)
    if begin < 0 or end < begin:
        raise ValueError(f"no lines {_BEGIN!r} and {_END!r}")
    return f"{text[:begin]}{_BEGIN}\n\n{figures}\n\n{text[end:]}"


def main(argv: Sequence[str] | None = None) -> int:
    """Write the figures, or check them; returns the exit code.

    Args:
        argv: The arguments; the process's own by default.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.baselines")
    parser.add_argument("--runs", type=int, default=RUNS, help="pairs of windows a share")
    parser.add_argument("--output", type=Path, default=DOCUMENT, help="the document to write to")
    parser.add_argument("--check", action="store_true", help="exit 1 if it would change")
    arguments = parser.parse_args(argv)
    text = arguments.output.read_text(encoding="utf-8")
    new = rewritten(text, report(arguments.runs))
    if not arguments.check:
        arguments.output.write_text(new, encoding="utf-8")
    elif new != text:
        sys.stderr.write(f"{arguments.output} is stale: run {parser.prog}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
