"""Catalogue metrics bound to their labels, for wrappers and whoever records by hand."""

from __future__ import annotations

from qudag_otel._series.instruments import SCOPE, instrument, meter, scope_version, tracer
from qudag_otel._series.labels import Labels, check, complete
from qudag_otel._series.observers import Observer, observe, observe_raw
from qudag_otel._series.registry import on_reset, rebind, reset, series
from qudag_otel._series.series import Series

__all__ = [
    "SCOPE",
    "Labels",
    "Observer",
    "Series",
    "check",
    "complete",
    "instrument",
    "meter",
    "observe",
    "observe_raw",
    "on_reset",
    "rebind",
    "reset",
    "scope_version",
    "series",
    "tracer",
]
