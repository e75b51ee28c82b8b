"""Any /metrics as tables: calls, latencies, errors, rates and gauges, whatever they are called."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeAlias, TypeVar

from qudag_otel._query import units as u
from qudag_otel.cli._history import quantile_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from qudag_otel.cli._history import History

T = TypeVar("T")
Key: TypeAlias = tuple[tuple[str, str], ...]

TITLES: Final = ("calls", "latencies", "errors", "rates", "gauges")
"""The tables, in the order in which they are read; the keys are their places."""
SHARES: Final = (0.5, 0.95, 0.99)
_UNITS: Final = {"seconds": "s", "bytes": "By", "ratio": "1", "percent": "%"}
_CALL: Final = {"operation", "outcome"}
_WRONG: Final = re.compile(
    "error|fail|exception|dropp|refus|reject|panic|lost|abort|timeout", re.IGNORECASE
)
_OUTCOMES: Final = {"outcome", "result", "status", "state"}
_CODES: Final = {"code", "status", "status_code", "http_response_status_code", "http_status_code"}
_TYPES: Final = {"error_type", "error", "exception", "exception_type"}
_MOMENT: Final = 1e9
_NOTHING: Final = {"", "none", "false", "0"}


@dataclass(frozen=True, slots=True)
class Row:
    """A line of a table.

    Args:
        name: What it is of.
        labels: Its labels, those that are the same everywhere left out.
        cells: Its values, as text.
        rate: How busy it is, for sorting.
        size: How slow or large it is, for sorting.
        wrong: Whether it tells of something bad.
        now: The value whose course is shown.
    """

    name: str
    labels: str
    cells: tuple[str, ...]
    rate: float
    size: float
    wrong: bool = False
    now: float = 0.0


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table.

    Args:
        title: What it shows.
        columns: Above the cells.
        rows: Its rows, in no order.
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[Row]


@dataclass(slots=True)
class _Recorded:
    """What a histogram recorded within the window: counts by bound, in all and in errors."""

    buckets: dict[float, float]
    failed: float = 0.0
    seconds: float = 1.0

    @property
    def count(self) -> float:
        return max(self.buckets.values(), default=0.0)


def sheets(history: History) -> list[Sheet]:
    """All tables that have a row, in the order in which they are read."""
    kinds = {name: kind for name, kind in history.kinds().items() if not name.endswith("_created")}
    histograms = sorted(name for name, kind in kinds.items() if kind == "histogram")
    calls: list[Row] = []
    latencies: list[Row] = []
    for name in histograms:
        if name.endswith("_bucket"):
            (calls if _is_of_calls(history, name) else latencies).extend(_recorded(history, name))
    errors, rates = _counted(history, kinds)
    gauges = _gauges(history, kinds)
    columns = (
        ("calls/s", "errors", "p50", "p95", "p99"),
        ("/s", "p50", "p95", "p99"),
        ("/s", "in all"),
        ("/s", "in all"),
        ("now",),
    )
    rows = (calls, latencies, errors, rates, gauges)
    found = map(Sheet, TITLES, columns, rows)
    return [sheet for sheet in found if sheet.rows]


def _is_of_calls(history: History, name: str) -> bool:
    """Whether a histogram is that of `@instrumented`, whatever prefix it has."""
    return any(dict(labels).keys() >= _CALL for _, labels, _ in history.series(name))


def _recorded(history: History, name: str) -> Iterator[Row]:
    """A histogram's rows: of calls by operation, of others by labels."""
    family = name.removesuffix("_bucket")
    of_calls = _is_of_calls(history, name)
    grouped: dict[Key, _Recorded] = {}
    for url, labels, increase, seconds in history.increases(name):
        known = dict(labels)
        bound = float(known.pop("le", "inf"))
        failed = of_calls and known.pop("outcome", "") == "error"
        group = _group(history, url, known)
        one = grouped.setdefault(group, _Recorded({}, seconds=seconds))
        one.buckets[bound] = one.buckets.get(bound, 0.0) + increase
        if failed and bound == float("inf"):
            one.failed += increase
    unit = unit_of(family)
    for group, one in _short(grouped).items():
        quantiles = [quantile_of(one.buckets, share) for share in SHARES] if one.count else []
        shown = [u.quantity(value, unit) for value in quantiles] or ["–"] * len(SHARES)  # noqa: RUF001 - a dash
        rate = one.count / one.seconds
        share = one.failed / one.count if one.count else 0.0
        cells = (u.number(rate), *([u.quantity(share, "1")] if of_calls else []), *shown)
        own = dict(group)
        title = own.pop("operation", "") if of_calls else ""
        yield Row(
            title or family, _text(own.items()), cells, rate,
            quantiles[1] if quantiles else 0.0, wrong=one.failed > 0,
            now=quantiles[1] if quantiles else 0.0,
        )  # fmt: skip


def _counted(history: History, kinds: Mapping[str, str]) -> tuple[list[Row], list[Row]]:
    """Rows of counters: those that tell of errors, and the others."""
    errors: list[Row] = []
    rates: list[Row] = []
    for name, kind in sorted(kinds.items()):
        counts = kind in {"histogram", "summary"} and name.endswith("_count")
        if not (kind == "counter" or counts):
            continue
        if counts and _is_of_calls(history, name):
            continue  # calls tell their errors
        totals = {(url, labels): total for url, labels, total in history.series(name)}
        grouped = {
            _group(history, url, dict(labels)): (increase / seconds, totals[url, labels])
            for url, labels, increase, seconds in history.increases(name)
        }
        for group, (rate, total) in _short(grouped).items():
            wrong = _is_wrong(name, dict(group), kind)
            cells = (u.number(rate), u.quantity(total, unit_of(name.removesuffix("_total"))))
            row = Row(name, _text(group), cells, rate, total, wrong=wrong and rate > 0, now=rate)
            if wrong and total:
                errors.append(row)
            elif not wrong and kind == "counter":
                rates.append(row)
    return errors, rates


def _gauges(history: History, kinds: Mapping[str, str]) -> list[Row]:
    rows: list[Row] = []
    for name, kind in sorted(kinds.items()):
        if kind not in {"gauge", "unknown", "summary"} or name.endswith(
            ("_info", "_sum", "_count")
        ):
            continue
        grouped = {
            _group(history, url, dict(labels)): (before, value)
            for url, labels, before, value in history.changes(name)
        }
        for group, (before, value) in _short(grouped).items():
            size = abs(before) + abs(value)
            moved = abs(value - before) / size if size else 0.0
            cells = (_gauge(name, value),)
            rows.append(Row(name, _text(group), cells, moved, value, now=value))
    return rows


def _gauge(name: str, value: float) -> str:
    unit = unit_of(name)
    if unit == "s" and value > _MOMENT:
        days = (time.time() - value) / 86400  # a moment: so long ago
        return f"-{u.number(days)} d" if days >= 1 else f"-{u.quantity(86400 * days, unit)}"
    return u.quantity(value, unit)


def _is_wrong(name: str, labels: Mapping[str, str], kind: str) -> bool:
    for key, value in labels.items():
        if key in _CODES and value[:1] == "5" and len(value) == 3:  # noqa: PLR2004 - as 503 has
            return True
        if key in _TYPES and value.lower() not in _NOTHING:
            return True
        if key in _OUTCOMES and _WRONG.search(value):
            return True
    return kind == "counter" and bool(_WRONG.search(name))


def unit_of(name: str) -> str:
    """The unit that a name in Prometheus' style ends with."""
    return _UNITS.get(name.rpartition("_")[2], "")


def _group(history: History, url: str, labels: dict[str, str]) -> Key:
    if history.several:
        labels["endpoint"] = _endpoint(history, url)
    return tuple(sorted(labels.items()))


def _endpoint(history: History, url: str) -> str:
    """What tells an endpoint from the others: its port, if they are all of one host."""
    host, _, port = url.partition("://")[2].partition("/")[0].rpartition(":")
    return port if host and history.one_host else f"{host}:{port}".lstrip(":")


def _short(grouped: dict[Key, T]) -> dict[Key, T]:
    """The same without labels that are equal on all of several rows."""
    if len(grouped) == 1:
        return grouped
    groups = [set(group) for group in grouped]
    common = {one for group in groups[:1] for one in group if all(one in other for other in groups)}
    return {tuple(one for one in group if one not in common): v for group, v in grouped.items()}


def _text(labels: Iterable[tuple[str, str]]) -> str:
    return " ".join(f"{key}={value}" for key, value in labels if value)
