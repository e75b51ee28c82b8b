"""Every metric, attribute, span, baseline and alert, as data.

This room imports nothing of ours and no OpenTelemetry; everything else derives from it.
"""

from qudag_otel.catalogue._model import (
    OTHER,
    Alert,
    Attribute,
    Baseline,
    Comparison,
    Group,
    Instrument,
    Metric,
    Panel,
    Severity,
    Span,
)

__all__ = [
    "OTHER",
    "Alert",
    "Attribute",
    "Baseline",
    "Comparison",
    "Group",
    "Instrument",
    "Metric",
    "Panel",
    "Severity",
    "Span",
]
