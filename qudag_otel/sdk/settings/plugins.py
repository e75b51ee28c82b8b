"""What installed packages add by entry point: samplers, exporters, propagators, id generators."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from qudag_otel._foreign import interrupts
from qudag_otel.sdk.settings.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterable


def load(group: str, name: str, variable: str, known: Iterable[str]) -> Any:
    """Load what a package registered under a name.

    Args:
        group: The entry point group.
        name: The name in the variable.
        variable: The variable, for the message.
        known: The names that need no package, for the message.

    Raises:
        ConfigurationError: There is no such name, or it cannot be loaded.
    """
    found = {entry.name: entry for entry in entry_points(group=group)}
    allowed = ", ".join(dict.fromkeys([*known, *sorted(found)]))
    if name not in found:
        raise ConfigurationError(
            variable, name, "unknown, and no installed package adds it",
            f"Set it to one of: {allowed}; or install the package that adds it.",
        )  # fmt: skip
    try:
        return found[name].load()
    except BaseException as error:
        if interrupts(error):
            raise
        raise ConfigurationError(
            variable, name, f"{found[name].value} cannot be loaded: {error!r}",
            "Repair or remove the package that adds it.",
        ) from error  # fmt: skip
