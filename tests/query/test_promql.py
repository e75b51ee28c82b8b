"""PromQL as text: what cannot break out of a string, durations, and one quoter in the house."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import qudag_otel
from qudag_otel._query import promql

SOURCES = Path(qudag_otel.__file__).parent


@given(st.text())
def test_literal_any_text_matches_itself_alone(text: str) -> None:
    """A value chosen by anybody is no regular expression."""
    pattern = promql.literal(text)
    assert re.fullmatch(pattern, text, re.DOTALL)
    assert not re.fullmatch(pattern, text + "x", re.DOTALL)


@pytest.mark.parametrize(
    ("text", "expected"),
    [("plain", '"plain"'), ('a"b', r'"a\"b"'), ("a\\b", r'"a\\b"'), ("a\nb", r'"a\nb"')],
)  # fmt: skip
def test_quoted_any_text_is_one_string(text: str, expected: str) -> None:
    """Quotes, backslashes and line ends stay inside the string."""
    assert promql.quoted(text) == expected


@given(st.integers(min_value=1, max_value=10**12))
def test_duration_any_length_is_read_back(milliseconds: int) -> None:
    """What is spelled has the length it had."""
    assert promql.seconds(promql.duration(milliseconds / 1000)) == milliseconds / 1000


@pytest.mark.parametrize("text", ["", "5", "m", "5x", "1h 30m", "-5m", "1h30"])
def test_seconds_no_duration_is_refused(text: str) -> None:
    """Half a duration is none."""
    with pytest.raises(ValueError, match="is no duration"):
        promql.seconds(text)


def test_scaled_divides_ranges_and_offsets_alone() -> None:
    """A number, a label's value and a name keep what they are."""
    expression = 'avg_over_time(a:b:rate5m{x="1h"}[1h] offset 23h30m) > 5'
    assert (
        promql.scaled(expression, 60) == 'avg_over_time(a:b:rate5m{x="1h"}[1m] offset 23m30s) > 5'
    )


@pytest.mark.parametrize("spelled", ["histogram_quantile(", "urlopen(", "build_opener("])
def test_sources_spell_it_in_one_room(spelled: str) -> None:
    """Quantiles and requests are written where this room writes them, for everybody."""
    found = {
        path.relative_to(SOURCES).parts[0]
        for path in SOURCES.rglob("*.py")
        if spelled in path.read_text(encoding="utf-8")
    }
    assert found <= {"_query", "sdk"}
