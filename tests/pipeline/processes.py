"""Run the small applications of apps/ as processes of their own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SECONDS = 60.0


class RunningApp:
    """An application that said, as JSON in its first line, what it is."""

    def __init__(self, process: subprocess.Popen[str], said: dict[str, Any]) -> None:
        self._process = process
        self.said = said

    def finish(self) -> str:
        """Ask it to end; return what it printed since its first line."""
        out, _ = self._process.communicate(timeout=_SECONDS)
        assert self._process.returncode == 0
        return out


@contextlib.contextmanager
def running(
    name: str, environment: Mapping[str, str] | None = None, *arguments: str
) -> Iterator[RunningApp]:
    """Start tests/pipeline/apps/<name>.py; it is ended when the block is left."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.pipeline.apps.{name}", *arguments],
        env={**os.environ, **(environment or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
        assert line, f"{name} ended with {process.wait(_SECONDS)}"
        app = RunningApp(process, json.loads(line))
        yield app
        if process.returncode is None:
            app.finish()
    finally:
        if process.returncode is None:
            process.kill()
            process.communicate()


def otlp_environment(endpoint: str, service: str, **resource: str) -> dict[str, str]:
    """What a deployment sets: the standard variables of OpenTelemetry, nothing else."""
    attributes = ",".join(f"{key.replace('__', '.')}={value}" for key, value in resource.items())
    return {
        "OTEL_SERVICE_NAME": service,
        "OTEL_RESOURCE_ATTRIBUTES": attributes,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_METRIC_EXPORT_INTERVAL": "500",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_BLRP_SCHEDULE_DELAY": "200",
    }
