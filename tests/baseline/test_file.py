"""Recordings as files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qudag_otel.baseline import BaselineError, Recording, Series, Window, load, save
from qudag_otel.baseline.measures import MEASURES, Shape

if TYPE_CHECKING:
    from pathlib import Path

    from qudag_otel.baseline.measures import Measure


@st.composite
def some_series(draw: st.DrawFn, measure: Measure, steps: int) -> Series:
    bounds = (0.5, 30.0) if measure.shape is Shape.HISTOGRAM else ()
    width = len(bounds) + 1 if bounds else len(measure.columns)
    row = st.tuples(*[st.floats(0, 1e12)] * width)
    labels = st.fixed_dictionaries({attribute.key: st.text() for attribute in measure.by})
    rows = st.lists(st.none() | row, min_size=steps, max_size=steps)
    return Series(measure=measure.name, labels=draw(labels), bounds=bounds, rows=tuple(draw(rows)))


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    window = Window(
        end=draw(st.integers(1_000_000, 4_000_000_000)),
        steps=draw(st.integers(1, 14)),
        step=draw(st.integers(1, 3600)),
    )
    measures = st.lists(st.sampled_from(MEASURES), max_size=4)
    return Recording(
        source=draw(st.text()),
        window=window,
        filters=draw(st.dictionaries(st.text(), st.tuples(st.text()), max_size=2)),
        series=tuple(draw(some_series(measure, window.steps)) for measure in draw(measures)),
        dropped=draw(st.integers(0, 10)),
    )


@given(recording=recordings())
def test_save_any_recording_loads_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, recording: Recording
) -> None:
    """Nothing is lost or changed in a file, and writing again gives the same bytes."""
    path = tmp_path_factory.mktemp("baseline") / "file.json"
    save(recording, path)
    text = path.read_bytes()
    again = load(path)
    save(again, path)
    assert again == recording
    assert path.read_bytes() == text


def small(path: Path) -> dict[str, Any]:
    one = Series(measure="messages", labels={"node_id": "a"}, rows=((60.0,), None))
    window = Window(end=1_700_000_120, steps=2, step=60)
    save(Recording(source="http://p", window=window, filters={}, series=(one,)), path)
    document: dict[str, Any] = json.loads(path.read_text())
    return document


def test_save_small_recording_is_readable(tmp_path: Path) -> None:
    """Keys are sorted, numbers of a row share a line, and the value stands there to be read."""
    path = tmp_path / "b.json"
    document = small(path)
    assert list(document) == sorted(document)
    assert document["series"][0]["reads"] == {"value": 1}
    assert document["window"]["end"] == "2023-11-14T22:15:20Z"
    assert "    [60],\n" in path.read_text()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"version": 2}, "version 2, this program reads 1: record the baseline again"),
        ({"version": None}, "has version None"),
        ({"format": "other"}, "is not a baseline"),
        ({"series": [{"measure": "messages", "labels": {}, "rows": [[1]]}]}, "2 rows of 1"),
        ({"series": [{"measure": "none", "labels": {}, "rows": []}]}, "unknown measure 'none'"),
        ({"series": [{"measure": "messages", "labels": {}, "rows": [[1], [1, 2]]}]}, "2 rows"),
        ({"series": [{"labels": {}}]}, "no 'measure'"),
        ({"series": 3}, "damaged"),
        ({"window": {}}, "no 'start'"),
        ({"window": {"start": "now", "end": "now", "step_seconds": 60}}, "damaged"),
    ],
)
def test_load_wrong_content_names_fault_and_remedy(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    """A file of another version or a damaged one is refused, with what to do."""
    path = tmp_path / "b.json"
    path.write_text(json.dumps({**small(path), **change}))
    with pytest.raises(BaselineError, match=message):
        load(path)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_load_not_a_number_is_refused(tmp_path: Path, number: str) -> None:
    """NaN is no JSON and no measurement."""
    path = tmp_path / "b.json"
    small(path)
    path.write_text(path.read_text().replace("[60]", f"[{number}]"))
    with pytest.raises(BaselineError, match=f"{number} is no number"):
        load(path)


def test_load_negative_number_is_refused(tmp_path: Path) -> None:
    """Nothing that is recorded can be negative."""
    path = tmp_path / "b.json"
    small(path)
    path.write_text(path.read_text().replace("[60]", "[-60]"))
    with pytest.raises(BaselineError, match="negative"):
        load(path)


def test_load_no_json_is_refused(tmp_path: Path) -> None:
    """Any other file is not taken for a baseline."""
    path = tmp_path / "b.json"
    path.write_text("hello")
    with pytest.raises(BaselineError, match="is not a baseline"):
        load(path)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BaselineError, match="is not a baseline"):
        load(path)
    path.write_text("[1, 2]")
    with pytest.raises(BaselineError, match="is not a baseline"):
        load(path)


def test_load_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    """The remedy for a missing file is to record one."""
    with pytest.raises(BaselineError, match="qudag-otel baseline record"):
        load(tmp_path / "none.json")


def test_save_unwritable_path_is_a_clear_error(tmp_path: Path) -> None:
    """A folder that does not exist is named."""
    window = Window(end=1_700_000_000, steps=2, step=60)
    empty = Recording(source="", window=window, filters={}, series=())
    with pytest.raises(BaselineError, match=r"cannot write .*No such file"):
        save(empty, tmp_path / "none" / "b.json")
