"""Set-up of OpenTelemetry for an application: `configure` and what it returns.

Importing this package loads the OpenTelemetry SDK, but no exporter. In a sub-interpreter it raises
ConfigurationError.
"""

from __future__ import annotations

from qudag_otel.sdk._interpreter import refuse_sub_interpreter
from qudag_otel.sdk.settings.errors import ConfigurationError

refuse_sub_interpreter()  # the SDK starts threads while it is imported

# First: whatever imports OpenTelemetry's own module would fail where a variable names none.
from qudag_otel._otel import propagators as propagators  # noqa: E402
from qudag_otel.sdk._configure import configure, current, reset  # noqa: E402
from qudag_otel.sdk._telemetry import Telemetry  # noqa: E402

__all__ = ["ConfigurationError", "Telemetry", "configure", "current", "reset"]
