"""Telemetry for a process of the demo: /metrics always, OTLP if an endpoint is set."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from qudag_otel.logs import ROOT, log_to_stderr
from qudag_otel.sdk import configure

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qudag_otel.demo.tap import Tap
    from qudag_otel.sdk import Telemetry

_OTLP: Final = tuple(
    f"OTEL_EXPORTER_OTLP_{signal}ENDPOINT" for signal in ("", "TRACES_", "METRICS_", "LOGS_")
)
_METRICS: Final = "OTEL_METRICS_EXPORTER"
_PROMETHEUS: Final = "prometheus"


LOGS: Final = ("text", "json", "view", "none")
"""Where log records are seen: standard error as text or JSON, the live view, or nowhere."""


def show_logs(where: str) -> None:
    """Decide where log records are seen.

    Args:
        where: One of `LOGS`.
    """
    # The nodes' records of what is normal are part of what there is to see.
    nodes = logging.getLogger(ROOT)
    nodes.setLevel(logging.INFO)
    if where == "text":
        log_to_stderr(style="text", logger=ROOT)
    elif where == "json":
        log_to_stderr(style="json", logger=ROOT)
    else:
        # Or `logging` would write warnings to standard error by itself: into the live view's
        # screen, or between the progress lines for every file that is not delivered.
        quiet = logging.getLogger() if where == "view" else nodes
        quiet.addHandler(logging.NullHandler())


def telemetry(environ: Mapping[str, str], tap: Tap, node_id: str | None = None) -> Telemetry:
    """Set up telemetry for the demo: /metrics always, OTLP if an endpoint is set.

    Args:
        environ: The environment.
        tap: What the live view reads traces and log lines from.
        node_id: The node, if the process is a single one.

    Raises:
        ConfigurationError: If a variable of the environment cannot be used.
    """
    pushed = "otlp" if any(environ.get(name) for name in _OTLP) else "none"
    pulled = _PROMETHEUS if pushed == "none" else f"{_PROMETHEUS},{pushed}"
    chosen = environ.get(_METRICS, "")
    if chosen and _PROMETHEUS not in chosen:
        # The view and the summary read /metrics, so it is there whatever else is chosen.
        kept = [name for name in chosen.split(",") if name.strip() != "none"]
        environ = {**environ, _METRICS: ",".join([*kept, _PROMETHEUS])}
    return configure(
        service_name="qudag-demo",
        traces_exporter=pushed,
        metrics_exporter=pulled,
        logs_exporter=pushed,
        prometheus_shared=False,  # another demo is no worker of this one
        span_processors=[tap],
        log_record_processors=[tap.logs],
        sigterm=False,
        environ=environ,
        node_id=node_id,
    )
