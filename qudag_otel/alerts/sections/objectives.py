"""Runbooks of objectives of operations."""

from __future__ import annotations

from typing import Final

from qudag_otel.alerts import objectives as o
from qudag_otel.alerts._model import Level
from qudag_otel.alerts.sections import _terms as t
from qudag_otel.alerts.sections._model import Check, Section, cause
from qudag_otel.catalogue import metrics as m

_CALLS: Final = t.rate(Level.OPERATION, m.OPERATION_DURATION, suffix="_count")
_ERRORS: Final = t.rate(Level.OPERATION, m.OPERATION_DURATION, 'outcome="error"', suffix="_count")
_SHARE: Final = f"{_ERRORS} / ({_CALLS} > 0)"
_FAILS: Final = Check("share of the calls that fail", _SHARE, ">", 0.001, "1")
_SUCCEEDS: Final = Check("share of the calls that fail", _SHARE, "<=", 0.001, "1")

SECTIONS: Final[dict[str, Section]] = {
    "ObjectiveBurnsFast": Section(
        value=t.named(o.bad_ratio("1h"), Level.OPERATION),
        impact="Users notice: the error budget of a month is gone within days.",
        causes=(
            cause("a bad release", t.RELEASED),
            cause("calls fail: an outage of the operation or of what it needs", _FAILS),
            cause("calls are slow", _SUCCEEDS),
        ),
        actions=(
            "See which outcome or latency burns on the dashboard of objectives.",
            t.TRACES,
            "Take the release back if it began with one.",
        ),
    ),
    "ObjectiveBurnsSlowly": Section(
        value=t.named(o.bad_ratio("1d"), Level.OPERATION),
        impact="The error budget will not last the month.",
        causes=(
            cause("a small share of calls fails all the time", _FAILS),
            cause("a small share of calls is slow all the time", _SUCCEEDS),
        ),
        actions=(
            "Look at errors by type and at the slowest operations.",
            "Plan the repair.",
        ),
    ),
}
"""The sections, by the alert's name."""
