"""OpenTelemetry's module of propagators, which reads OTEL_PROPAGATORS while it is imported.

It raises for a name that no installed package adds, and for a comma too many: whoever only wants
to decorate a function would fail at an import. Here the default propagators stand in for such a
value; `configure()` names the mistake.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_VARIABLE = "OTEL_PROPAGATORS"


def _forgiving(load: Callable[[], T]) -> T:
    try:
        return load()
    except Exception:
        value = os.environ.pop(_VARIABLE, None)
        if value is None:
            raise
        try:
            return load()
        finally:
            os.environ[_VARIABLE] = value


propagate: Any = _forgiving(lambda: importlib.import_module("opentelemetry.propagate"))


def set_default() -> None:
    """Make the propagators that the variable names, or the default ones, the global ones again.

    Raises:
        RuntimeError: The installed API keeps them under other names.
    """
    load = getattr(propagate, "_load_propagators", None)
    if load is None:
        raise RuntimeError("opentelemetry.propagate._load_propagators is gone")
    propagate.set_global_textmap(_forgiving(load))
