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


def _labels(operation: str, sli: str = "success") -> str:
    return f'operation="{operation}",{_COMPONENT},sli="{sli}"'


def _burning(  # a helper of many numbers is shorter than its repetition
    operation: str, windows: tuple[str, str], long: float, short: float, bad: float, minutes: float
) -> Series:
    """The share of bad calls over two ranges, beside an objective that allows 1%."""
    of = _labels(operation)
    step = 60
    healthy = (0.0, 10.0)
    return {
        f"operation:qudag_objective_allowed:ratio{{{of}}}": gauge((0.01, minutes), step=step),
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
    limit = factor * 0.01
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
_STEP: Final = 300
_PLACE: Final = f'operation="orders.place",{_COMPONENT}'


def _calls(
    outcome: str,
    rate: float,
    within: float,
    node: str,
    minutes: float = 3 * _DAY,
    step: int = _STEP,
) -> Series:
    """Calls with an outcome: all of them, and those of half a second or less."""
    of = f'{_PLACE},node_id="{node}",outcome="{outcome}"'

    def series(each: float) -> str:
        return counter((each, minutes), step=step)

    return {
        f"{_DURATION}_count{{{of}}}": series(rate),
        f'{_DURATION}_bucket{{{of},le="0.5"}}': series(within),
        f'{_DURATION}_bucket{{{of},le="0.25"}}': series(0),
        f'{_DURATION}_bucket{{{of},le="+Inf"}}': series(rate),
    }


def _value(name: str, sli: str, value: float) -> dict[str, float]:
    return {f"{name}{{{_labels('orders.place', sli)}}}": value}


_WINDOWS: Final = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
_BAD: Final = "operation:qudag_objective_bad"
_SECONDS: Final = {"1h": 3600, "6h": 21600, "1d": 86400, "3d": 259200}


def _all(name: str) -> str:
    return f'{name}{{operation="orders.place"}}'


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
                {
                    f'{_DURATION}_count{{operation="other",{_COMPONENT},outcome="error"}}': counter(
                        (9, 3 * _DAY), step=_STEP
                    ),
                    f'{_DURATION}_count{{operation="orders.place",component="other",'
                    'outcome="error"}': counter((9, 3 * _DAY), step=_STEP),
                },
            ),
            interval=_STEP,
            values={
                ("operation:qudag_objective_allowed:ratio", "3d"): {
                    **_value("operation:qudag_objective_allowed:ratio", "success", 0.01),
                    **_value("operation:qudag_objective_allowed:ratio", "latency", 0.1),
                },
                **{
                    (_all(f"{_BAD}:ratio_rate{window}"), "3d"): {
                        **_value(f"{_BAD}:ratio_rate{window}", "success", 0.05),
                        **_value(f"{_BAD}:ratio_rate{window}", "latency", 0.25),
                    }
                    for window in _WINDOWS[1:]
                },
                **{
                    (f"round({_all(f'{_BAD}:increase{window}')})", "3d"): {
                        f"{{{_labels('orders.place', 'success')}}}": 0.5 * seconds,
                        f"{{{_labels('orders.place', 'latency')}}}": 2.5 * seconds,
                    }
                    for window, seconds in _SECONDS.items()
                },
            },
        ),
        Case(
            name="the shortest range needs a sample a minute",
            series=joined(
                _calls("ok", 6, 5, "n1", 12 * 60, 60), _calls("error", 2, 1, "n2", 12 * 60, 60)
            ),
            interval=60,
            values={
                (_all(f"{_BAD}:ratio_rate5m"), "12h"): {
                    **_value(f"{_BAD}:ratio_rate5m", "success", 0.25),
                    **_value(f"{_BAD}:ratio_rate5m", "latency", 0.25),
                }
            },
        ),
        Case(
            name="no call fails, and errors have no series",
            series=_calls("ok", 10, 10, "n1"),
            interval=_STEP,
            values={
                (_all(f"{_BAD}:ratio_rate1h"), "3d"): {
                    **_value(f"{_BAD}:ratio_rate1h", "success", 0),
                    **_value(f"{_BAD}:ratio_rate1h", "latency", 0),
                }
            },
        ),
        Case(
            name="no calls: no share",
            series=_calls("ok", 0, 0, "n1"),
            interval=_STEP,
            values={(_all(f"{_BAD}:ratio_rate1h"), "1d"): {}},
        ),
    ),
)

SCENARIOS: Final = (FAST, SLOW, RECORDED)
