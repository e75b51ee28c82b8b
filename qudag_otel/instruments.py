"""Metrics bound to their labels: the catalogue's, and those that an application declares."""

from __future__ import annotations

from qudag_otel._series.instruments import (
    SCOPE,
    Names,
    exported,
    instrument,
    meter,
    scope_version,
    tracer,
)
from qudag_otel._series.labels import Labels, check, complete
from qudag_otel._series.observers import Observer, observe, observe_raw
from qudag_otel._series.own import Counter, Gauge, Histogram, counter, declared, gauge, histogram
from qudag_otel._series.registry import begin_with, on_reset, rebind, reset, series
from qudag_otel._series.series import Series

__all__ = [
    "SCOPE",
    "Counter",
    "Gauge",
    "Histogram",
    "Labels",
    "Names",
    "Observer",
    "Series",
    "begin_with",
    "check",
    "complete",
    "counter",
    "declared",
    "exported",
    "gauge",
    "histogram",
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
