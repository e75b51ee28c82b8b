"""The catalogue's thresholds as colours, so that a panel and an alert never disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qudag_otel.catalogue import Comparison, Severity, thresholds
from qudag_otel.dashboards._view import BLUE, CLEAR, RED, YELLOW, Step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qudag_otel.catalogue import Alert

_COLORS: Final = {Severity.CRITICAL: RED, Severity.WARNING: YELLOW, Severity.INFO: BLUE}
_BASELINES: Final = {baseline.name: baseline for baseline in thresholds.BASELINES}
_ALERTS: Final = {alert.name: alert for alert in thresholds.ALERTS}
JUST_ABOVE_ZERO: Final = 0.001
"""Where "more than nothing" begins: a step belongs to its colour from its own value on."""


def of_baseline(name: str, *, scale: float = 1.0, healthy: str = CLEAR) -> tuple[Step, ...]:
    """The warning and critical values of a baseline.

    Args:
        name: The baseline's name in the catalogue.
        scale: What the values are multiplied by, to reach the panel's unit.
        healthy: The colour where nothing is wrong.
    """
    baseline = _BASELINES[name]
    limits = [(baseline.warning * scale, YELLOW)]
    if baseline.critical is not None:
        limits.append((baseline.critical * scale, RED))
    return _steps(baseline.comparison, limits, healthy)


def of_alert(name: str, *, scale: float = 1.0, healthy: str = CLEAR) -> tuple[Step, ...]:
    """The threshold of an alert, in the colour of its severity; arguments as `of_baseline`."""
    alert = _ALERTS[name]
    limits = [(alert.threshold * scale, _COLORS[alert.severity])]
    return _steps(alert.comparison, limits, healthy)


def of_alerts(alerts: Sequence[Alert], *, healthy: str = CLEAR) -> tuple[Step, ...]:
    """The thresholds of alerts on one value, each in the colour of its severity."""
    first = alerts[0]
    limits = {alert.threshold: _COLORS[alert.severity] for alert in reversed(alerts)}
    # What must not be 1 is bad from there on; what must not be 0 is bad below.
    above = first.comparison is Comparison.EQUAL and first.threshold > 0
    comparison = Comparison.ABOVE if above else first.comparison
    return _steps(comparison, list(limits.items()), healthy)


def of_duration(name: str) -> tuple[Step, ...]:
    """How long an alert's condition has to hold, in seconds, in the colour of its severity."""
    alert = _ALERTS[name]
    return (Step(None, CLEAR), Step(alert.duration, _COLORS[alert.severity]))


def burn(*, healthy: str = CLEAR) -> tuple[Step, ...]:
    """The burn rates of error budgets from which alerts fire."""
    limits = [(window.factor, _COLORS[window.severity]) for window in thresholds.BURN_WINDOWS]
    return _steps(Comparison.ABOVE, limits, healthy)


def common_critical(*names: str, healthy: str = CLEAR) -> tuple[Step, ...]:
    """The critical value that several baselines share.

    Raises:
        ValueError: They have none in common, so no single line would be true.
    """
    values = {_BASELINES[name].critical for name in names}
    [value] = values if len(values) == 1 else [None]
    if value is None:
        raise ValueError(f"{', '.join(names)} share no critical value: {values}")
    return (Step(None, healthy), Step(value, RED))


def _steps(
    comparison: Comparison, limits: Sequence[tuple[float, str]], healthy: str
) -> tuple[Step, ...]:
    """Grafana's steps, upwards; each colours what is at its value and above, up to the next."""
    if comparison is Comparison.ABOVE:
        return (
            Step(None, healthy),
            *(Step(value or JUST_ABOVE_ZERO, color) for value, color in sorted(limits)),
        )
    upwards = sorted(limits)
    colors = [*(color for _, color in upwards), healthy]
    edges = [None, *(value or JUST_ABOVE_ZERO for value, _ in upwards)]
    return tuple(Step(value, color) for value, color in zip(edges, colors, strict=True))


POOL_WAIT: Final = (Step(None, CLEAR), Step(thresholds.POOL_WAIT_WARNING_SECONDS, YELLOW))
"""The wait for a connection from which on it is logged as a warning."""
