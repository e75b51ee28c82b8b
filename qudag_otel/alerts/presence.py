"""Which nodes and swarms are there, which left on purpose, and which are missed.

`rate()` of nothing is nothing: that somebody is gone shows only against what was there. What was
there is remembered in a series that carries itself on, so that an outage never ends by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qudag_otel._query.promql import aggregate
from qudag_otel.alerts._model import Level, Recorded
from qudag_otel.alerts.promql import on, series
from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue import metrics as m

if TYPE_CHECKING:
    from collections.abc import Iterator

_ENDED: Final = f"{series(m.PROCESS_ENDED)} == 1"
_PROCESS: Final = f"on ({', '.join((*a.SCOPE, 'job', 'instance'))})"
_TARGET: Final = "on (job, instance) up"
_REMEMBERED: Final = "3d"
"""How long Prometheus itself may be down without forgetting who was there."""
_NOTICED: Final = "10m"


@dataclass(frozen=True, slots=True, kw_only=True)
class Presence:
    """What is recorded about the presence of nodes or swarms, each after what it reads.

    Attributes:
        target: The scraped targets that they were on, while Prometheus still lists the target.
        present: Those that report.
        left: Those that ended on purpose: their process said so, or its target was taken away.
        expected: 1 for those that should be there, 0 for those that left.
        absent: Those that should be there and do not report.
        retired: The name of the series of those that need not come back.
        missing: The name of the series of those that must be there and are not.
    """

    target: Recorded
    present: Recorded
    left: Recorded
    expected: Recorded
    absent: Recorded
    retired: str
    missing: str

    def __iter__(self) -> Iterator[Recorded]:
        """What is recorded often; `expected` reads days of samples and is recorded seldom."""
        return iter((self.target, self.present, self.left, self.absent))


def _presence(level: Level, target: Level, noun: str, *told_by: str) -> Presence:
    """The presence at a level, told by some series."""

    def recorded(at: Level, operation: str, expression: str, description: str) -> Recorded:
        return Recorded(
            level=at,
            subject=f"qudag_{noun}",
            operation=operation,
            expression=expression,
            unit="1",
            description=description,
        )

    def name(operation: str, at: Level = level) -> str:
        return f"{at.prefix}:qudag_{noun}:{operation}"

    def group(at: Level, expression: str) -> str:
        return aggregate("group", at.labels, expression)

    reports = f"({' or '.join(told_by)})"
    listed = f"last_over_time({name('target', target)}[{_NOTICED}])"
    remembered = f"last_over_time({name('expected')}[{_REMEMBERED}]) == 1"
    same, subject = on(level), f"on ({', '.join(level.subject)})"
    return Presence(
        target=recorded(
            target, "target",
            f"{group(target, f'{reports} and {_TARGET}')} or {listed} and {_TARGET}",
            f"1 for every scraped target that a {noun} is or was on, while it is listed.",
        ),
        present=recorded(
            level, "present",
            group(level, f"{reports} unless {_PROCESS} {_ENDED}"),
            f"1 for every {noun} that reports.",
        ),
        left=recorded(
            level, "left",
            f"{group(level, f'{reports} and {_PROCESS} {_ENDED}')}"
            f" or {group(level, f'{listed} unless {_TARGET}')}",
            f"1 for every {noun} that ended on purpose, for some minutes.",
        ),
        expected=recorded(
            level, "expected",
            f"{name('present')} or 0 * {name('left')}"
            f" or ({remembered} unless {same} {name('retired')})",
            f"1 for every {noun} that should be there, 0 for one that left on purpose.",
        ),
        absent=recorded(
            level, "absent",
            f"({name('expected')} == 1 unless {same} {name('present')}"
            f" unless {same} {name('left')}) or {subject} {name('missing')}",
            f"1 for every {noun} that should be there and does not report.",
        ),
        retired=name("retired"),
        missing=name("missing"),
    )  # fmt: skip


NODES: Final = _presence(
    Level.NODE,
    Level.NODE_TARGET,
    "node",
    series(m.MESSAGE_THROUGHPUT),
    series(m.SYSTEM_MEMORY),
    series(m.OPERATION_DURATION, "_count"),
)
SWARMS: Final = _presence(
    Level.SWARM,
    Level.SWARM_TARGET,
    "swarm",
    series(m.TASKS_CREATED),
    series(m.QUEUE_DEPTH),
    series(m.AGENT_UTILIZATION),
)
WATCHES: Final = _presence(Level.NODE, Level.NODE_TARGET, "watched_node", series(m.NODE_UP))
"""Nodes that somebody watches through their RPC."""

NODES_ABSENT: Final = Recorded(
    level=Level.FLEET,
    subject="qudag_nodes_absent",
    operation="ratio",
    expression=(
        f"{aggregate('count', a.SCOPE, NODES.absent.name)}"
        f" / {aggregate('count', a.SCOPE, f'{NODES.present.name} or {NODES.absent.name}')}"
    ),
    unit="1",
    description="Share of a fleet's nodes that should be there and do not report.",
)

PRESENCE_RECORDED: Final = (*NODES, *SWARMS, *WATCHES, NODES_ABSENT)
"""Recorded with every evaluation."""

EXPECTED_RECORDED: Final = (NODES.expected, SWARMS.expected, WATCHES.expected)
"""Recorded once a minute."""
