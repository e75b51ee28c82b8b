"""Times, ages and pairs of label and value, read with a clear no."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime

from qudag_otel._query import promql
from qudag_otel.cli._command import told


@told
def length(text: str) -> int:
    """Seconds of `90`, `90s`, `5m`, `1h30m`, `2d`, `1w`; one at least."""
    seconds = _age(text)
    if seconds < 1:
        raise ValueError("a duration must be longer than 0 s")
    return seconds


def _age(text: str) -> int:
    return int(text if text.isdecimal() else promql.seconds(text))


@told
def moment(text: str) -> int:
    """Unix seconds of a time, of Unix seconds, or of an age; `0h` is now."""
    if re.fullmatch(r"\d{9,11}(\.\d*)?", text):
        return int(float(text))
    if re.fullmatch(r"(\d+[smhdw])+|\d+", text):
        return int(time.time()) - _age(text)
    try:
        named = datetime.fromisoformat(text)
    except ValueError as error:
        raise ValueError(
            f"{text!r} is no time: write 2026-01-31T12:00:00Z, Unix seconds, or an age such as 1d"
        ) from error
    return int((named if named.tzinfo else named.replace(tzinfo=UTC)).timestamp())


@told
def pair(text: str) -> tuple[str, str]:
    label, separator, value = text.partition("=")
    if not separator or not re.fullmatch(r"[a-zA-Z_]\w*", label, re.ASCII):
        raise ValueError(f"{text!r} is no LABEL=VALUE")
    return label, value.strip('"')
