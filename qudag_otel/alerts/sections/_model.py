"""What a section is: what it costs, where it may come from and how to tell, what to do."""

from __future__ import annotations

from typing import NamedTuple


class Check(NamedTuple):
    """A number that speaks for a cause or against it.

    Words such as `<node>` in the query stand for matchers of the alert's subject, one for each
    level of `Level`; `<before>` is a time shortly before the alert began.

    Attributes:
        measures: What the number is, in a few words.
        query: PromQL for it; several series are several candidates, of which one is enough.
        comparison: `>`, `<`, `>=`, `<=` or `==`: how it has to be to the limit.
        limit: What it is compared with.
        unit: Its UCUM unit.
    """

    measures: str
    query: str
    comparison: str
    limit: float
    unit: str = ""


class Cause(NamedTuple):
    """Where an alert may come from.

    Attributes:
        text: The cause, in a few words.
        checks: All of them hold if it is the cause. Without any, no query can tell.
    """

    text: str
    checks: tuple[Check, ...] = ()


class Section(NamedTuple):
    """What a runbook says beyond the rule.

    Attributes:
        value: PromQL for what the alert compares, without the comparison, so that it can be seen
            before the alert began; placeholders as in `Check`.
        impact: Who notices, and what.
        causes: What it usually comes from, the likeliest first.
        actions: What to do, in order.
    """

    value: str
    impact: str
    causes: tuple[Cause, ...]
    actions: tuple[str, ...]


def cause(text: str, *checks: Check) -> Cause:
    """A cause and what holds if it is one."""
    return Cause(text, checks)
