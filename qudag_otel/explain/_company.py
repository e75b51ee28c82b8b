"""Which processes a subject runs in, and which nodes and swarms share them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qudag_otel._query.promql import aggregate
from qudag_otel.alerts._model import Level
from qudag_otel.alerts.sections._terms import raw
from qudag_otel.alerts.sections.binding import bound
from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue import metrics as m

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qudag_otel.explain._asked import Asked
    from qudag_otel.explain._model import Episode

_SEEN: Final = "1h"
_PROCESS: Final = Level.PROCESS.subject
_NODES: Final = (m.SYSTEM_MEMORY, m.MESSAGE_THROUGHPUT, m.OPERATION_ACTIVE, m.NODE_UP)
_SWARMS: Final = (m.QUEUE_DEPTH, m.AGENT_UTILIZATION)
_TOLD_BY: Final = {a.NODE_ID.key: (Level.NODE, _NODES), a.SWARM_ID.key: (Level.SWARM, _SWARMS)}
"""What says of a node or a swarm which process it is in."""
_MOST: Final = 5
"""A subject of more processes is a fleet: what else runs in them says nothing about it."""


def company(asked: Asked, episode: Episode) -> dict[str, list[str]]:
    """What is known of a subject: its labels, its processes, and who else is in them.

    Raises:
        PrometheusError: No answer.
    """
    known = {label: [value] for label, value in episode.labels.items()}
    for label, (level, metrics) in _TOLD_BY.items():
        if label in known and not set(_PROCESS) & set(known):
            said = " or ".join(f"last_over_time({raw(level, one)}[{_SEEN}])" for one in metrics)
            known |= _values(asked, episode, known, _PROCESS, said)
    if not set(_PROCESS) <= set(known) or len(known["instance"]) > _MOST:
        return known
    beside = dict(known)
    for label, (_, metrics) in _TOLD_BY.items():
        if label not in known:
            said = " or ".join(
                f"last_over_time({raw(Level.PROCESS, one)}[{_SEEN}])" for one in metrics
            )
            beside |= _values(asked, episode, known, (label,), said)
    return beside


def _values(
    asked: Asked,
    episode: Episode,
    known: Mapping[str, list[str]],
    labels: tuple[str, ...],
    expression: str,
) -> dict[str, list[str]]:
    found = asked.instant(bound(aggregate("group", labels, expression), known, episode.before))
    values = {label: sorted({each.get(label, "") for each, _ in found} - {""}) for label in labels}
    return {label: each for label, each in values.items() if each}
