"""Another prefix than `qudag` for what is measured of any code: operations and errors."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from qudag_otel.catalogue import metrics as m

if TYPE_CHECKING:
    from qudag_otel.catalogue._model import Metric

DEFAULT: Final = "qudag"
MOVED: Final = (m.OPERATION_DURATION, m.OPERATION_ACTIVE, m.ERRORS)
"""The metrics that have it."""
_NAMES: Final = frozenset(metric.name for metric in MOVED)
_VALID: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9_]*(\.[a-zA-Z0-9_]+)*")
_SERIES: Final = re.compile(
    rf"(?<![\w:.]){DEFAULT}_(?={'|'.join(m.prometheus_name.removeprefix('qudag_') for m in MOVED)})"
)


def is_valid(prefix: str) -> bool:
    """Whether names may begin with it: letters, digits, underscores and single dots."""
    return bool(_VALID.fullmatch(prefix))


def named(metric: Metric, prefix: str) -> str:
    """The OpenTelemetry name of a metric where another prefix was chosen."""
    if metric.name not in _NAMES:
        return metric.name
    return f"{prefix}{metric.name.removeprefix(DEFAULT)}"


def turned(text: str, prefix: str) -> str:
    """A text, such as of rules or dashboards, with the Prometheus names that a prefix gives."""
    return _SERIES.sub(f"{prefix.replace('.', '_')}_", text)
