"""Service-level objectives of instrumented operations, from which alerts are generated."""

from __future__ import annotations

import math
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from qudag_otel._warnings import warn_once

if TYPE_CHECKING:
    from collections.abc import Mapping

LIMIT: Final = 1000
"""How many operations may have an objective in a process."""

# No lock: a destructor or a signal handler may register, too, and a child is forked at any moment.
_registered: Final[dict[tuple[str, str], Objective]] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """What an operation promises.

    Args:
        success: The share of calls that do not end in an error, such as 0.999.
        latency: Seconds within which `target` of the calls end.
        target: The share of calls that end within `latency`.

    Raises:
        ValueError: A share is not between 0 and 1 exclusive, the latency is not positive, or
            neither `success` nor `latency` is given.
    """

    success: float | None = None
    latency: float | None = None
    target: float = 0.99

    def __post_init__(self) -> None:
        if self.success is None and self.latency is None:
            raise ValueError("an objective needs success=, latency=, or both")
        for name, share in (("success", self.success), ("target", self.target)):
            if share is not None and not 0 < share < 1:
                raise ValueError(f"{name}={share!r} must be a share between 0 and 1, such as 0.999")
        if self.latency is not None and not (self.latency > 0 and math.isfinite(self.latency)):
            raise ValueError(f"latency={self.latency!r} must be a positive number of seconds")


def register(operation: str, component: str, objective: Objective) -> None:
    """Remember an operation's objective; the decorator calls it.

    After `LIMIT` operations further ones are not remembered, with a warning: they are named after
    data, and no one would want the alerts.
    """
    key = operation, component
    if len(_registered) < LIMIT or key in _registered:
        _registered[key] = objective
        return
    warn_once(
        "objectives",
        "there are objectives of %d operations; that of %s is not kept: name operations after code",
        LIMIT, operation,
    )  # fmt: skip


def registered() -> Mapping[tuple[str, str], Objective]:
    """The objectives of everything instrumented so far, keyed by (operation, component)."""
    return MappingProxyType(_registered.copy())


def reset() -> None:
    """Forget all objectives; for tests."""
    _registered.clear()
