"""What a node's traffic is like while it has some: how much, and in how many bursts.

Silence means a stall only where there is none as a rule. Both series keep their last value while
the node is silent, however long.
"""

from __future__ import annotations

from typing import Final

from qudag_otel.alerts import recording as r
from qudag_otel.alerts._model import Level, Recorded
from qudag_otel.alerts.promql import on

_MESSAGES: Final = r.MESSAGES_RATE.name
_RANGE: Final = "6h"


def _recorded(operation: str, expression: str, unit: str, description: str) -> Recorded:
    return Recorded(
        level=Level.NODE,
        subject="qudag_messages",
        operation=operation,
        expression=expression,
        unit=unit,
        description=description,
    )


def _kept(operation: str, expression: str, unit: str, description: str) -> Recorded:
    """A series that keeps its last value while no message flows."""
    before = f"last_over_time(node:qudag_messages:{operation}[{_RANGE}])"
    return _recorded(
        operation,
        f"{expression} and {_MESSAGES} > 0 or {before} and {on(Level.NODE)} {_MESSAGES}",
        unit,
        description,
    )


FLOWING: Final = _recorded(
    "flowing",
    f"{_MESSAGES} > bool 0",
    "1",
    "1 while messages were processed within the last five minutes, else 0.",
)
USUAL: Final = _kept(
    "usual",
    f"avg_over_time({_MESSAGES}[{_RANGE}])",
    "{message}/s",
    "Messages a second on average of six hours, as it was when messages flowed last.",
)
CHANGES: Final = _kept(
    "changes6h",
    f"changes({FLOWING.name}[{_RANGE}])",
    "{change}",
    "How often the flow of messages began or ended within six hours, when messages flowed last.",
)

UNBROKEN: Final = _kept(
    "unbroken",
    f"min_over_time({FLOWING.name}[8m])",
    "1",
    "1 if messages flowed for eight minutes without a break when they flowed last, else 0.",
)

ACTIVITY_RECORDED: Final = (FLOWING, USUAL, CHANGES, UNBROKEN)
"""Recorded for every node, in this order."""
