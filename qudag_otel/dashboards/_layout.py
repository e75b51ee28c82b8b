"""Where the panels of a section stand: on a grid of 24 columns, for every writer the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

    from qudag_otel.dashboards._view import Placed

COLUMNS: Final = 24
REFRESH: Final = "5s"
"""How often a dashboard asks again."""


def arranged(
    panels: Sequence[Placed], top: int
) -> tuple[list[tuple[Placed, tuple[int, int]]], int]:
    """Where each panel's upper left corner goes, and the first free line below all.

    Each takes the highest place in which it fits, the leftmost of those.
    """
    free = [top] * COLUMNS
    positions: list[tuple[Placed, tuple[int, int]]] = []
    for placed in panels:
        y, x = min((max(free[x : x + placed.width]), x) for x in range(COLUMNS - placed.width + 1))
        free[x : x + placed.width] = [y + placed.height] * placed.width
        positions.append((placed, (x, y)))
    return positions, max(free)
