"""Entry points for `opentelemetry-instrument`: set-up without touching the application's code."""

from __future__ import annotations

import logging
import os
from typing import Any, Final

from opentelemetry.instrumentation.distro import BaseDistro  # type: ignore[attr-defined]  # mypy honours its `type: ignore` file

from qudag_otel.sdk._configure import configure
from qudag_otel.sdk.settings.errors import ConfigurationError

_LOGGER: Final = logging.getLogger("qudag_otel")
_CONFIGURATOR: Final = "OTEL_PYTHON_CONFIGURATOR"


class QudagDistro(BaseDistro):  # type: ignore[misc]  # likewise
    """Chooses `QudagConfigurator`, also where another distribution brings one of its own."""

    def _configure(self, **kwargs: Any) -> None:
        del kwargs
        os.environ.setdefault(_CONFIGURATOR, "qudag")


class QudagConfigurator:
    """Calls `qudag_otel.configure()` before the application starts.

    What cannot be set up is logged as one error, and the application runs without telemetry.
    """

    def configure(self, **kwargs: object) -> None:
        """Set up telemetry from the environment."""
        version = kwargs.get("auto_instrumentation_version")
        attributes = {"telemetry.auto.version": str(version)} if version else {}
        try:
            configure(resource_attributes=attributes)
        except ConfigurationError as error:
            _LOGGER.error("telemetry is off: %s", error)  # noqa: TRY400 - the message says it all
