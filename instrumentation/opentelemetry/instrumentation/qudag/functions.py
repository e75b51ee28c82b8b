"""Functions that are named, not decorated: for `opentelemetry-instrument` and for files."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.instrumentor import (  # type: ignore[attr-defined]  # mypy honours its `type: ignore` file
    BaseInstrumentor,
)

from qudag_otel._calls import importing

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["FunctionsInstrumentor"]


class FunctionsInstrumentor(BaseInstrumentor):  # type: ignore[misc]  # is Any, see above
    """Instruments functions by their names, when their modules are imported.

    `opentelemetry-instrument` finds it by its entry point `qudag-functions`, and it reads
    `OTEL_PYTHON_QUDAG_INSTRUMENT`; in a configuration file its option is `functions`, a list.
    """

    def instrumentation_dependencies(self) -> Collection[str]:
        """Nothing else must be installed."""
        return ()

    def _instrument(self, **kwargs: Any) -> None:
        functions = kwargs.get("functions")
        if functions is None:
            functions = os.environ.get(importing.VARIABLE, "").split(",")
        importing.watch(one.strip() for one in functions if one.strip())

    def _uninstrument(self, **kwargs: Any) -> None:  # noqa: ARG002 - the base's signature
        importing.forget()
