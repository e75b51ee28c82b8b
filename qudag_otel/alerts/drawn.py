"""What an alert compares, read from its rule: the value, and the limits that are no numbers.

A panel that draws these cannot say anything else than the alert does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qudag_otel.alerts._model import AlertRule

_JOINED: Final = re.compile(r" (?:and|or|unless) ")
_MATCHED: Final = re.compile(r"(?:on|ignoring) \([^)]*\) (?:group_(?:left|right) \([^)]*\) )?")
_COMPARED: Final = re.compile(r" (==|!=|>=|<=|>|<) (?!bool)")
_NUMBER: Final = re.compile(r"-?[0-9.e+]+")


class Drawn(NamedTuple):
    """What a panel draws of an alert.

    Attributes:
        value: PromQL of the value that the alert shows.
        limits: PromQL of what it is compared with, where that is no number.
    """

    value: str
    limits: tuple[str, ...] = ()


def drawn(rule: AlertRule) -> Drawn:
    """The value and the limits of a rule: those of its first comparison, and of the same value."""
    if rule.drawn:
        return Drawn(rule.drawn)
    compared = list(_comparisons(rule.expression))
    if not compared:
        return Drawn(rule.expression)
    value = compared[0][0]
    limits = (limit for left, limit in compared if left == value)
    different = dict.fromkeys(limit for limit in limits if not _NUMBER.fullmatch(limit))
    return Drawn(value, tuple(different))


def _comparisons(expression: str) -> Iterator[tuple[str, str]]:
    """The two sides of each comparison that stands in no function or aggregation."""
    parts = list(_split(expression, _JOINED))
    if len(parts) > 1:
        for part in parts:
            yield from _comparisons(_MATCHED.sub("", part, count=1) if part[0] in "oi" else part)
        return
    inner = _unwrapped(expression)
    if inner != expression:
        yield from _comparisons(inner)
        return
    sides = list(_split(expression, _COMPARED))
    if len(sides) > 1:
        yield sides[0], sides[-1]


def _split(expression: str, at: re.Pattern[str]) -> Iterator[str]:
    """The parts between matches that are inside of no parentheses."""
    begin = 0
    for found in at.finditer(expression):
        if _depth(expression[begin : found.start()]) == 0:
            yield expression[begin : found.start()]
            begin = found.end()
    yield expression[begin:]


def _unwrapped(expression: str) -> str:
    """An expression without the parentheses around all of it."""
    if not (expression.startswith("(") and expression.endswith(")")):
        return expression
    inner = expression[1:-1]
    closed = (_depth(inner[:end]) < 0 for end in range(len(inner)))
    return expression if any(closed) else inner


def _depth(text: str) -> int:
    """How many parentheses and braces are open at the end of a text."""
    return sum((each in "({[") - (each in ")}]") for each in text)
