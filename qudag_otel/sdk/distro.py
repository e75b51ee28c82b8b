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
_LOG_HANDLER: Final = "OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION"
_LOADER: Final = "opentelemetry.instrumentation.auto_instrumentation._load"
_CHOSEN: Final = "Configuration of %s not loaded"
"""The loader's warning that the set-up of another distribution is left out, which is meant so."""


class QudagDistro(BaseDistro):  # type: ignore[misc]  # likewise
    """Chooses `QudagConfigurator`, also where another distribution brings one of its own."""

    def _configure(self, **kwargs: Any) -> None:
        del kwargs
        os.environ.setdefault(_CONFIGURATOR, "qudag")
        # Our bridge sends what reaches the root logger; a handler beside it would send it again.
        os.environ.setdefault(_LOG_HANDLER, "false")
        logging.getLogger(_LOADER).addFilter(lambda record: _CHOSEN not in str(record.msg))


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
