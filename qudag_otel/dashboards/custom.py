"""A dashboard of a user's own operations, found by importing their modules."""

from __future__ import annotations

import importlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NamedTuple

from qudag_otel import objectives
from qudag_otel._calls.registry import all_sites
from qudag_otel.catalogue import attributes as a
from qudag_otel.dashboards._promql import equals, one_of
from qudag_otel.dashboards._view import CLEAR, YELLOW, Board, Placed, Section, Step
from qudag_otel.dashboards.views import operations
from qudag_otel.dashboards.views.objectives import budget

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qudag_otel.objectives import Objective

_UID_LENGTH: Final = 40
"""Grafana's limit."""


class Operation(NamedTuple):
    """One instrumented operation, as its metrics name it."""

    component: str
    name: str


class NoOperationsError(LookupError):
    """The modules instrument nothing; the message says what would be found."""


def found(modules: Sequence[str]) -> tuple[Operation, ...]:
    """Import modules, and tell what they instrument.

    Args:
        modules: Names as in an import statement.

    Raises:
        ImportError: A module cannot be imported.
        NoOperationsError: They instrument nothing.
    """
    for module in modules:
        importlib.import_module(module)
    names = {
        Operation(site.options.component, site.options.operation)
        for site in all_sites()
        if site.options.metrics
    }
    names |= {Operation(component, name) for name, component in objectives.registered()}
    if not names:
        raise NoOperationsError(
            f"{', '.join(modules)}: nothing there is decorated with @instrumented (functions "
            "that are decorated when they are first called are not found by an import)"
        )
    return tuple(sorted(names))


def board(modules: Sequence[str]) -> Board:
    """The dashboard of what some modules instrument: all at a glance, then one row each.

    Args:
        modules: Names as in an import statement.

    Raises:
        ImportError: A module cannot be imported.
        NoOperationsError: They instrument nothing.
    """
    names = found(modules)
    promised = objectives.registered()
    every = (
        one_of(a.COMPONENT, sorted({name.component for name in names})),
        one_of(a.OPERATION, sorted({name.name for name in names})),
    )
    slug = re.sub(r"[^a-z0-9]+", "-", "-".join(modules).lower()).strip("-")
    return Board(
        uid=f"qudag-own-{slug}"[:_UID_LENGTH].rstrip("-"),
        title=f"Operations of {', '.join(modules)}",
        description="Which of these operations is called how often, fails, or is slow?",
        sections=(
            Section(
                "",
                (
                    Placed(1, operations.calls(*every)),
                    Placed(2, operations.failures(*every)),
                    Placed(3, operations.duration(*every)),
                ),
            ),
            *(
                _row(number, name, promised.get((name.name, name.component)))
                for number, name in enumerate(names, start=1)
            ),
        ),
    )


def _row(number: int, name: Operation, promised: Objective | None) -> Section:
    """One operation's row; what it promises is a threshold, and a budget."""
    one = (equals(a.COMPONENT, name.component), equals(a.OPERATION, name.name))
    steps: tuple[Step, ...] = ()
    if promised is not None and promised.latency is not None:
        steps = (Step(None, CLEAR), Step(promised.latency, YELLOW))
    views = [
        operations.outcomes(*one),
        operations.failures(*one),
        operations.duration(*one, steps=steps),
        operations.heatmap(*one),
    ]
    if promised is not None:
        views[1] = replace(budget(*one), title=f"Error budget of {name.name}")
    first = 10 * number
    return Section(
        f"{name.component}: {name.name}",
        tuple(Placed(first + n, view, 6) for n, view in enumerate(views, start=1)),
        panel_id=first,
        folded=True,
    )
