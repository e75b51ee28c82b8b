"""Findings and recordings as text: a table, or JSON."""

from __future__ import annotations

import importlib.util
import json
import math
import sys
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from qudag_otel._query.units import quantity
from qudag_otel.baseline._compare import CONFIDENCE, Finding, Reading, Verdict
from qudag_otel.baseline._estimators import readers
from qudag_otel.baseline._statistics import FEWEST, Estimate, blocks, difference_interval, estimate
from qudag_otel.baseline.measures import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qudag_otel.baseline._model import Recording, Series

_COLORS: Final = {
    Verdict.REGRESSION: "bold red",
    Verdict.LOST: "bold red",
    Verdict.UNSURE: "yellow",
    Verdict.CHANGED: "cyan",
    Verdict.IMPROVED: "green",
}


def value(number: float, unit: str) -> str:
    """A value with its unit; what lies above all buckets is beyond, what is unknown a dash."""
    if not math.isfinite(number):
        return "beyond" if number > 0 else "-"
    return quantity(number, unit)


def reading(one: Reading | None, unit: str) -> str:
    """A reading; of a quantile, with the bounds of its bucket."""
    if one is None:
        return "-"
    if one.bucket is None:
        return value(one.value, unit)
    low, high = (value(bound, unit) for bound in one.bucket)
    return f"{value(one.value, unit)} [{low}..{high}]"


def change(finding: Finding) -> str:
    """The change and its confidence interval."""
    if math.isnan(finding.change):
        return "-"
    low, high = finding.interval
    ends = (_amount(one, finding) for one in (low, high))
    return f"{_amount(finding.change, finding)} ({' to '.join(ends)})"


def _amount(number: float, finding: Finding) -> str:
    if math.isinf(number):
        return "any"
    if finding.relative:
        return f"{100 * number:+.0f}%"
    if finding.unit in {"1", "%"}:
        return f"{(100 if finding.unit == '1' else 1) * number:+.2g} pt"
    return f"{'-' if number < 0 else '+'}{value(abs(number), finding.unit)}"


def _possible(finding: Finding) -> str:
    if finding.possible is None:
        return ""
    return " to ".join(
        "any" if math.isinf(one) else f"{100 * one:+.0f}%" for one in finding.possible
    )


def _labels(finding: Finding) -> str:
    return " ".join(f"{key}={text}" for key, text in finding.labels)


_HEADER: Final = (
    "verdict", "what", "of", "baseline", "now", f"change ({CONFIDENCE:.0%} interval)",
    "buckets allow", "adjusted p", "note",
)  # fmt: skip


def check_rows(findings: Sequence[Finding]) -> list[tuple[str, ...]]:
    """One row of text a finding, in the columns of the table."""
    return [
        (
            finding.verdict.value,
            finding.title,
            _labels(finding),
            reading(finding.old, finding.unit),
            reading(finding.new, finding.unit),
            change(finding),
            _possible(finding),
            "" if math.isnan(finding.p) else f"{finding.p:.2g}",
            finding.note,
        )
        for finding in findings
    ]


def show_check(findings: Sequence[Finding], old: Recording, new: Recording) -> None:
    """Print the table of a check, and what it adds up to."""
    _print(f"baseline: {_span(old)}\nnow:      {_span(new)}")
    styles = [_COLORS.get(finding.verdict, "") for finding in findings]
    _table(_HEADER, check_rows(findings), styles)
    counts = Counter(finding.verdict for finding in findings)
    summary = ", ".join(
        f"{counts[verdict]} {verdict.value}" for verdict in Verdict if counts[verdict]
    )
    _print(summary or "nothing to compare")


def show_recording(recording: Recording) -> None:
    """Print what a recording holds: every number with its confidence interval."""
    _print(_span(recording))
    header = ("what", "of", "value", f"{CONFIDENCE:.0%} interval", "data")
    rows = [row for series in recording.series for row in _series_rows(series, recording)]
    _table(header, rows, [""] * len(rows))


def _series_rows(series: Series, recording: Recording) -> Iterator[tuple[str, ...]]:
    measure = BY_NAME[series.measure]
    labels = " ".join(f"{one.key}={series.labels.get(one.key, '')}" for one in measure.by)
    merged = blocks(series.rows)
    if len(merged) < FEWEST:
        yield measure.title, labels, "-", "-", f"{series.coverage:.0%}"
        return
    sums = [math.fsum(column) for column in zip(*merged, strict=True)]
    for reader in readers(measure, series.bounds, recording.window.step):
        title = f"{measure.title} {reader.name}".rstrip()
        if math.isnan(reader.of(sums)):
            yield title, labels, "-", "-", f"{series.coverage:.0%}"
            continue
        found = estimate(merged, reader.of, reader.floor(sums))
        # The difference from a sure zero is the value itself, with its own error.
        ends = difference_interval(Estimate(0.0, 0.0, found.freedom), found, CONFIDENCE)
        # Nothing here can be negative; a symmetric interval can.
        interval = " to ".join(value(max(end, 0.0), reader.unit) for end in ends)
        yield title, labels, value(found.value, reader.unit), interval, f"{series.coverage:.0%}"


def as_json(findings: Sequence[Finding]) -> str:
    """The findings as JSON, for other programs; what is not finite becomes null."""

    def plain(number: float) -> float | None:
        return number if math.isfinite(number) else None

    def side(one: Reading | None) -> dict[str, object] | None:
        if one is None:
            return None
        return {
            "value": plain(one.value),
            "bucket": None if one.bucket is None else [plain(bound) for bound in one.bucket],
        }

    return json.dumps(
        [
            {
                "verdict": finding.verdict.value,
                "measure": finding.measure,
                "title": finding.title,
                "labels": dict(finding.labels),
                "unit": finding.unit,
                "baseline": side(finding.old),
                "now": side(finding.new),
                "relative": finding.relative,
                "change": plain(finding.change),
                "interval": [plain(one) for one in finding.interval],
                "p": plain(finding.p),
                "note": finding.note,
            }
            for finding in findings
        ],
        indent=1,
    )


def _span(recording: Recording) -> str:
    start, end = (
        datetime.fromtimestamp(one, UTC).strftime("%Y-%m-%d %H:%M:%S")
        for one in (recording.window.start, recording.window.end)
    )
    steps = f"{recording.window.steps} steps of {recording.window.step} s"
    text = f"{start} to {end} UTC, {steps}, {recording.source}"
    if recording.dropped:
        text += f"; {recording.dropped} values were NaN or infinite and are left out"
    return text


def _table(header: Sequence[str], rows: Sequence[tuple[str, ...]], styles: Sequence[str]) -> None:
    """A table: rich's on a terminal where rich is installed, otherwise plain columns."""
    if sys.stdout.isatty() and importlib.util.find_spec("rich"):
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text

        table = Table(*header)
        for row, style in zip(rows, styles, strict=True):
            table.add_row(*map(Text, row), style=style)
        Console().print(table)
        return
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    for line in (header, *rows):
        _print(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
