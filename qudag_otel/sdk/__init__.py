"""Set-up of OpenTelemetry for an application: `configure` and what it returns.

Importing this package loads the OpenTelemetry SDK, but no exporter.
"""

from __future__ import annotations

from qudag_otel.sdk._configure import configure, current, reset
from qudag_otel.sdk._errors import ConfigurationError
from qudag_otel.sdk._telemetry import Telemetry

__all__ = ["ConfigurationError", "Telemetry", "configure", "current", "reset"]
