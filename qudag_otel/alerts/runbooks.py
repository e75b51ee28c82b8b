"""docs/runbooks.md: a section for every alert; what an alert is comes from its rule."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Final

from qudag_otel._query.promql import number
from qudag_otel._query.units import duration, quantity
from qudag_otel.alerts.groups import ALERT_RULES
from qudag_otel.alerts.sections import (
    hosts,
    machines,
    messages,
    objectives,
    pipeline,
    pools,
    presence,
    stack,
    swarms,
)
from qudag_otel.catalogue import thresholds as t

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qudag_otel.alerts._model import AlertRule
    from qudag_otel.alerts.sections._model import Cause, Check, Section

_HEAD: Final = """\
<!-- Generated from qudag_otel/alerts/sections by `python -m qudag_otel.alerts`; do not edit. -->
# Runbooks

A section for every alert, named as the alert; the alert's annotation `runbook_url` leads here.
`qudag-otel explain ALERT` does what the section says: it asks, and says which causes fit.

The queries are for Prometheus. Those under "Confirm" are those of the rules: a result is a subject
that the alert is about. A cause fits if all of its queries have a result. In them, words such as
`<node>` stand for the labels of that subject, `node_id="node-1"` for example, and `<before>` for a
time before the alert began, in Unix seconds. Severity critical goes to a page, warning to a ticket,
info to a note.
"""

SECTIONS: Final[dict[str, Section]] = dict(
    chain.from_iterable(
        room.SECTIONS.items()
        for room in (
            messages,
            pools,
            hosts,
            machines,
            swarms,
            presence,
            pipeline,
            stack,
            objectives,
        )
    )
)
"""The section of every alert."""


def markdown() -> str:
    """The document."""
    lines = [_HEAD]
    for alert in t.ALERTS:
        rules = [rule for rule in ALERT_RULES if rule.alert.name == alert.name]
        lines += _section(alert.name, SECTIONS[alert.name], rules)
    return "\n".join(lines)


def condition(check: Check, query: str = "") -> str:
    """A check as PromQL that has a result if it holds.

    Args:
        check: The check.
        query: Its query with the subject filled in; by default with placeholders.
    """
    return f"{query or check.query} {check.comparison} {number(check.limit)}"


def words(check: Check) -> str:
    """What a check asks, as people say it."""
    limit = quantity(check.limit, check.unit)
    return f"{check.measures} {check.comparison} {limit}"


def _section(name: str, section: Section, rules: list[AlertRule]) -> Iterator[str]:
    first = rules[0]
    after = f", after {duration(first.duration)}" if first.duration else ""
    yield f"## {name}\n"
    yield f"{first.alert.summary} Severity {first.severity.value}{after}.\n"
    yield f"**Impact.** {section.impact}\n"
    yield "**Confirm.**\n"
    for rule in rules:
        yield f"```promql\n{rule.expression}\n```\n"
    yield "**Likely causes.**\n"
    yield "\n".join(chain.from_iterable(map(_cause, section.causes))) + "\n"
    yield "**What to do.**\n"
    yield (
        "\n".join(f"{number}. {action}" for number, action in enumerate(section.actions, 1)) + "\n"
    )


def _cause(cause: Cause) -> Iterator[str]:
    if not cause.checks:
        yield f"- {cause.text}"
        return
    yield f"- {cause.text}, if:"
    for check in cause.checks:
        yield f"    - {words(check)}: `{condition(check)}`"
