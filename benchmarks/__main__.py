"""`python -m benchmarks` measures everything in one run and writes docs/performance.*.

--check compares the ratios with the goals instead; --rows measures some rows and writes nothing; --profile prints where
the time of ours goes.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks.environments import ROOT, interpreter
from benchmarks.goals import ROWS, STEPS, Step
from benchmarks.page import PAGE, markdown, missed, plot

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


PROFILE = "QUDAG_BENCH_PROFILE"


def main() -> int:
    """Run the command; 1 if a goal is missed under --check."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare with the goals")
    parser.add_argument("--rows", default="", help="only these, such as W3,W4 (writes nothing)")
    parser.add_argument(
        "--profile", action="store_true", help="print where the time of ours goes (writes nothing)"
    )
    arguments = parser.parse_args()
    if arguments.profile:
        os.environ[PROFILE] = "1"
    rows = tuple(arguments.rows.split(",")) if arguments.rows else ROWS
    unknown = set(rows) - set(ROWS)
    if unknown:
        parser.error(f"no such rows: {', '.join(sorted(unknown))}; there are {', '.join(ROWS)}")
    found = measure([step for step in STEPS if set(step.rows) & set(rows)])
    text = markdown(found, rows)
    print(text)
    if not (arguments.check or arguments.rows or arguments.profile):
        PAGE.write_text(text, encoding="utf-8")
        plot(found)
    shortfalls = missed(found, rows)
    print(*shortfalls, sep="\n")
    return 1 if arguments.check and shortfalls else 0


def measure(steps: Sequence[Step], *, short: bool = False) -> dict[str, float]:
    """The figures of steps, one after the other.

    Where two measure the same, the least counts.

    Args:
        steps: What is run.
        short: Each row once and roughly: whether it runs and measures what it says.
    """
    found: dict[str, float] = {}
    with sink() as url:
        for step in steps:
            for name, value in run(step, url, short=short).items():
                found[name] = min(value, found.get(name, value))
    return found


@contextmanager
def sink() -> Iterator[str]:
    """A receiver of OTLP; its URL."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sink"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.kill()


def run(step: Step, url: str, *, short: bool) -> dict[str, float]:
    """The figures of one step.

    Args:
        step: What is run.
        url: The sink's.
        short: As in `measure`.

    Raises:
        SystemExit: It failed; the message says how.
    """
    words = [
        interpreter(word) if word.isupper() and not word[1:].isdigit() else word
        for word in step.words
    ]
    python = sys.executable if step.python == "own" else interpreter(step.python)
    title = " ".join((step.module, *step.words))
    sys.stderr.write(f"benchmarks: {title}\n")
    kept = {
        name: value
        for name, value in os.environ.items()
        if name == PROFILE or not name.startswith(("OTEL_", "QUDAG_"))
    }
    environ = {**kept, "QUDAG_BENCH_SINK": url, "PYTHONPATH": str(ROOT)}
    if short:
        environ["QUDAG_BENCH_SHORT"] = "1"
    ended = subprocess.run(
        [python, "-m", step.module, *words],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
        env=environ,
    )
    if PROFILE in environ:
        sys.stderr.write(ended.stderr)
    if ended.returncode:
        raise SystemExit(f"{title} failed:\n{ended.stderr[-3000:]}")
    found: dict[str, float] = json.loads(ended.stdout.splitlines()[-1])
    return found


if __name__ == "__main__":
    sys.exit(main())
