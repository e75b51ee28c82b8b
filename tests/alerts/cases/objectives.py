"""Objectives: what is recorded for one, and how fast its budget may burn."""

from __future__ import annotations

from typing import Final

from qudag_otel import Objective
from qudag_otel.catalogue import metrics as m
from tests.alerts.scenario import Case, Fires, Scenario, Series, counter, gauge, joined

EXAMPLE: Final = {
    ("orders.place", "shop"): Objective(success=0.99, latency=0.5, target=0.9),
}
"""The objective of alerts/tests/example/objectives.yaml."""

_COMPONENT: Final = 'component="shop"'


_ALLOWED: Final = 1 / 16
"""A power of two: the alerts' factors of it are exact."""


def _labels(operation: str, sli: str = "success") -> str:
    return f'operation="{operation}",{_COMPONENT},sli="{sli}"'


def _burning(  # a helper of many numbers is shorter than its repetition
    operation: str, windows: tuple[str, str], long: float, short: float, bad: float, minutes: float
) -> Series:
    """The share of bad calls over two ranges, beside what an objective allows."""
    of = _labels(operation)
    step = 60
    healthy = (0.0, 10.0)
    return {
        f"operation:qudag_objective_allowed:ratio{{{of}}}": gauge((_ALLOWED, minutes), step=step),
        f"operation:qudag_objective_bad:ratio_rate{windows[0]}{{{of}}}": gauge(
            healthy, (long, minutes), step=step
        ),
        f"operation:qudag_objective_bad:ratio_rate{windows[1]}{{{of}}}": gauge(
            healthy, (short, minutes), step=step
        ),
        f"operation:qudag_objective_bad:increase{windows[0]}{{{of}}}": gauge(
            healthy, (bad, minutes), step=step
        ),
    }


def _burns(operation: str, share: str, window: str, factor: str) -> Fires:
    return Fires(
        labels={"operation": operation, "component": "shop", "sli": "success", "window": window},
        description=f"{share} of the calls of {operation} (shop) missed its success objective"
        f" within the last {window}, more than {factor} times what the objective allows.",
    )


def _window(
    long: str, short: str, factor: float, before: str, after: str, minutes: float
) -> tuple[Case, ...]:
    """The cases of one pair of ranges."""
    limit = factor * _ALLOWED
    over, under = limit * 1.05, limit * 0.95
    windows = (long, short)

    def series(operation: str, *numbers: float) -> Series:
        long, short, bad = numbers
        return _burning(operation, windows, long, short, bad, minutes)

    return (
        Case(
            name=f"{long} and {short} burn over {factor:g} times the budget",
            series=joined(
                series("burns", over, over, 1000),
                series("long_only", over, under, 1000),
                series("short_only", under, over, 1000),
                series("exactly_long", limit, over, 1000),
                series("exactly_short", over, limit, 1000),
                series("too_few", over, over, 4.8),
                series("just_enough", over, over, 5),
            ),
            at={
                before: (),
                after: tuple(
                    _burns(each, f"{over * 100:.4g}%", long, f"{factor:g}")
                    for each in ("burns", "just_enough")
                ),
            },
        ),
    )


FAST: Final = Scenario(
    name="ObjectiveBurnsFast",
    rules=("objectives",),
    severity="critical",
    concern="objective",
    interval=60,
    cases=(
        *_window("1h", "5m", 14.4, "11m", "12m", 60),
        *_window("6h", "30m", 6, "24m", "25m", 60),
    ),
)
SLOW: Final = Scenario(
    name="ObjectiveBurnsSlowly",
    rules=("objectives",),
    severity="warning",
    concern="objective",
    interval=60,
    cases=(
        *_window("1d", "2h", 3, "69m", "70m", 120),
        *_window("3d", "6h", 1, "189m", "190m", 300),
    ),
)

_DURATION: Final = m.OPERATION_DURATION.prometheus_name
_DAY: Final = 24 * 60.0
_STEP: Final = 120
"""Seconds between samples: the shortest range holds two or three of them."""
_PLACE: Final = f'operation="orders.place",{_COMPONENT}'


def _calls(outcome: str, rate: float, within: float, node: str) -> Series:
    """Three days of calls with an outcome: all of them, and those of half a second or less."""
    of = f'{_PLACE},node_id="{node}",outcome="{outcome}"'

    def series(each: float) -> str:
        return counter((each, 3 * _DAY), step=_STEP)

    return {
        f"{_DURATION}_count{{{of}}}": series(rate),
        f'{_DURATION}_bucket{{{of},le="0.5"}}': series(within),
        f'{_DURATION}_bucket{{{of},le="0.25"}}': series(0),
        f'{_DURATION}_bucket{{{of},le="+Inf"}}': series(rate),
    }


def _other(of: str) -> Series:
    """Calls that the objective is not about: all of them fail."""
    labels = f'{of},node_id="n1",outcome="error"'
    return {
        f"{_DURATION}_count{{{labels}}}": counter((9, 3 * _DAY), step=_STEP),
        f'{_DURATION}_bucket{{{labels},le="0.5"}}': counter((0, 3 * _DAY), step=_STEP),
    }


_WINDOWS: Final = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
_BAD: Final = "operation:qudag_objective_bad"
_SECONDS: Final = {"1h": 3600, "6h": 21600, "1d": 86400, "3d": 259200}


def _measured(
    name: str, expected: dict[str, float], nearest: float
) -> dict[tuple[str, str], dict[str, float]]:
    """What a recorded series of the objective is after three days, rounded, by sli."""
    return {
        (f'round({name}{{operation="orders.place"}}, {nearest:g})', "3d"): {
            f"{{{_labels('orders.place', sli)}}}": value for sli, value in expected.items()
        }
    }


def _shares(**expected: float) -> dict[tuple[str, str], dict[str, float]]:
    """The shares of bad calls, over every range."""
    return {
        key: values
        for window in _WINDOWS
        for key, values in _measured(f"{_BAD}:ratio_rate{window}", expected, 0.001).items()
    }


def _counts(**per_second: float) -> dict[tuple[str, str], dict[str, float]]:
    """How many bad calls there were, over every long range."""
    return {
        key: values
        for window, seconds in _SECONDS.items()
        for key, values in _measured(
            f"{_BAD}:increase{window}",
            {sli: each * seconds for sli, each in per_second.items()},
            1,
        ).items()
    }


RECORDED: Final = Scenario(
    name="Objectives",
    rules=("example/objectives",),
    # Looked at once, so they need not be reckoned for three days.
    interval=12 * 3600,
    cases=(
        Case(
            name="a twentieth of the calls fails, a quarter takes over half a second",
            series=joined(
                _calls("ok", 6, 5, "n1"),
                # "cancelled" is no error, and counts as a call.
                _calls("cancelled", 3.5, 2.5, "n2"),
                _calls("error", 0.5, 0, "n2"),
                _other(f'operation="other",{_COMPONENT}'),
                _other('operation="orders.place",component="other"'),
            ),
            interval=_STEP,
            values={
                **_measured(
                    "operation:qudag_objective_allowed:ratio",
                    {"success": 0.01, "latency": 0.1},
                    0.001,
                ),
                **_shares(success=0.05, latency=0.25),
                **_counts(success=0.5, latency=2.5),
            },
        ),
        Case(
            name="few calls: none fails, errors have no series, half of them are late",
            series=_calls("ok", 0.1, 0.05, "n1"),
            interval=_STEP,
            values=_shares(success=0, latency=0.5),
        ),
        Case(
            name="no calls: no share",
            series=_calls("ok", 0, 0, "n1"),
            interval=_STEP,
            values=_shares(),
        ),
    ),
)

SCENARIOS: Final = (FAST, SLOW, RECORDED)
