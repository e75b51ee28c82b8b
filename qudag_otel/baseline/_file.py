"""A recording as a file: JSON that a person can read and a diff can show."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NoReturn, cast

from qudag_otel.baseline._errors import BaselineError
from qudag_otel.baseline._estimators import readers
from qudag_otel.baseline._model import Recording, Row, Series, Window
from qudag_otel.baseline._statistics import blocks
from qudag_otel.baseline.measures import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FORMAT: Final = "qudag-otel baseline"
VERSION: Final = 1
_EXACT: Final = 2.0**53  # up to here a double holds every integer


def save(recording: Recording, path: Path) -> None:
    """Write a recording; the same recording gives the same bytes.

    Raises:
        BaselineError: the file cannot be written.
    """
    text = _rendered(_document(recording)) + "\n"
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BaselineError(f"cannot write {path}: {error.strerror or error}") from error


def load(path: Path) -> Recording:
    """Read a recording.

    Raises:
        BaselineError: the file is missing, is none, or is of another version.
    """
    try:
        document: object = json.loads(path.read_text(encoding="utf-8"), parse_constant=_no_number)
    except OSError as error:
        raise BaselineError(
            f"cannot read {path}: {error.strerror or error}; "
            "make one with `qudag-otel baseline record`"
        ) from error
    except ValueError as error:
        raise BaselineError(f"{path} is not a baseline: {error}") from error
    fields = cast("dict[str, Any]", document if isinstance(document, dict) else {})
    if fields.get("format") != FORMAT:
        raise BaselineError(f'{path} is not a baseline: it does not say "format": "{FORMAT}"')
    if fields.get("version") != VERSION:
        raise BaselineError(
            f"{path} has version {fields.get('version')!r}, this program reads {VERSION}: "
            "record the baseline again, or use the program that wrote it"
        )
    try:
        return _recording(fields)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        detail = f"no {error}" if isinstance(error, KeyError) else error
        raise BaselineError(f"{path} is damaged ({detail}): record the baseline again") from error


def _document(recording: Recording) -> dict[str, object]:
    window = recording.window
    return {
        "format": FORMAT,
        "version": VERSION,
        "prometheus": recording.source,
        "window": {
            "start": _time(window.start),
            "end": _time(window.end),
            "step_seconds": window.step,
        },
        "filters": {key: list(values) for key, values in recording.filters.items()},
        "dropped_values": recording.dropped,
        "series": [_one(series, window.step) for series in recording.series],
    }


def _one(series: Series, step: int) -> dict[str, object]:
    """One series; `reads` is for the reader only, since it follows from the rows."""
    merged = blocks(series.rows)
    sums = [math.fsum(column) for column in zip(*merged, strict=True)]
    values = {
        reader.name or "value": reader.of(sums)
        for reader in readers(BY_NAME[series.measure], series.bounds, step)
        if sums
    }
    histogram = {"bounds": list(series.bounds)} if series.bounds else {}
    return {
        "measure": series.measure,
        "labels": dict(series.labels),
        "reads": {
            name: float(f"{value:.4g}") for name, value in values.items() if math.isfinite(value)
        },
        **histogram,
        "rows": [None if row is None else list(row) for row in series.rows],
    }


def _recording(document: Mapping[str, Any]) -> Recording:
    start, end = (_seconds(document["window"][name]) for name in ("start", "end"))
    step = int(document["window"]["step_seconds"])
    if step <= 0 or end <= start:
        raise ValueError("the window is empty")
    window = Window(end=end, steps=(end - start) // step, step=step)
    return Recording(
        source=str(document["prometheus"]),
        window=window,
        filters={key: tuple(map(str, values)) for key, values in document["filters"].items()},
        series=tuple(_series(one, window.steps) for one in document["series"]),
        dropped=int(document["dropped_values"]),
    )


def _series(one: Mapping[str, Any], steps: int) -> Series:
    name = str(one["measure"])
    if name not in BY_NAME:
        raise ValueError(f"unknown measure {name!r}")
    bounds = tuple(float(bound) for bound in one.get("bounds", ()))
    if list(bounds) != sorted(set(bounds)):
        raise ValueError(f"the bounds of {name} do not ascend")
    width = len(bounds) + 1 if bounds else len(BY_NAME[name].columns)
    rows: tuple[Row, ...] = tuple(
        None if row is None else tuple(float(value) for value in row) for row in one["rows"]
    )
    if len(rows) != steps or any(row is not None and len(row) != width for row in rows):
        raise ValueError(f"{name} needs {steps} rows of {width} numbers")
    if any(value < 0 for row in rows if row is not None for value in row):
        raise ValueError(f"{name} has a negative number")
    return Series(
        measure=name,
        labels={str(key): str(value) for key, value in one["labels"].items()},
        bounds=bounds,
        rows=rows,
    )


def _rendered(value: object, indent: str = "") -> str:
    """JSON with sorted keys, and a list of numbers on one line."""
    inner = indent + " "
    if isinstance(value, dict) and value:
        fields = sorted(cast("dict[str, object]", value).items())
        lines = [f"{json.dumps(key)}: {_rendered(one, inner)}" for key, one in fields]
        return "{\n" + ",\n".join(inner + line for line in lines) + f"\n{indent}}}"
    if isinstance(value, list):
        items = cast("list[object]", value)
        if any(isinstance(one, dict | list) for one in items):
            lines = [_rendered(one, inner) for one in items]
            return "[\n" + ",\n".join(inner + line for line in lines) + f"\n{indent}]"
        return "[" + ", ".join(map(_rendered, items)) + "]"
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        return str(int(value))
    return json.dumps(value, allow_nan=False)


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _seconds(text: str) -> int:
    return int(datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC).timestamp())


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number a baseline can hold")
