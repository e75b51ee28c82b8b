"""Asking OpenTelemetry for what it keeps private, by name.

A capability asks here for every private name that it uses, and takes the public route where one
is missing: which release is installed does not matter, what it has does. Tests put names into
`HIDDEN` to see that the public route gives the same.
"""

from __future__ import annotations

import importlib
from typing import Any, Final

HIDDEN: Final[set[str]] = set()


def has(owner: object, *names: str) -> bool:
    """Whether an object has all these attributes."""
    return HIDDEN.isdisjoint(names) and all(hasattr(owner, name) for name in names)


def find(module: str, *names: str) -> tuple[Any, ...] | None:
    """Attributes of a module, the last part of a dotted name hidden or not.

    Args:
        module: The module, imported if need be.
        names: The attributes.

    Returns:
        Their values in order; None if the module or one of them is missing.
    """
    if not HIDDEN.isdisjoint(names) or not HIDDEN.isdisjoint(module.split(".")):
        return None
    try:
        loaded = importlib.import_module(module)
        return tuple(getattr(loaded, name) for name in names)
    except (ImportError, AttributeError):
        return None
