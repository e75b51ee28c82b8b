"""P7 and W18: how long importing and setting up take, each time in a new process. Prints JSON."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.measure import SHORT, key, report
from benchmarks.rig import EXPORTING

TIMES = 1 if SHORT else 12
BY_HAND = """
from opentelemetry import _logs, metrics, trace
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
resource = Resource.create({"service.name": "bench"})
tracers = TracerProvider(resource=resource)
tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(tracers)
reader = PeriodicExportingMetricReader(OTLPMetricExporter())
metrics.set_meter_provider(MeterProvider([reader], resource=resource))
loggers = LoggerProvider(resource=resource)
loggers.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
_logs.set_logger_provider(loggers)
assert trace.get_tracer("bench").start_span("x").is_recording()
"""
PROGRAMS = {
    key("import", "ours"): "import qudag_otel; qudag_otel.instrumented",
    key("import", "OpenTelemetry"): (
        "import opentelemetry.sdk.trace, opentelemetry.sdk.metrics,"
        "opentelemetry.exporter.prometheus,"
        "opentelemetry.exporter.otlp.proto.http.trace_exporter,"
        "opentelemetry.exporter.otlp.proto.http.metric_exporter"
    ),
    key("import of what both set up", "OpenTelemetry"): (
        "import requests, opentelemetry.sdk.trace, opentelemetry.sdk.metrics, opentelemetry.sdk._logs,"
        "opentelemetry.exporter.otlp.proto.common.trace_encoder,"
        "opentelemetry.exporter.otlp.proto.common.metrics_encoder,"
        "opentelemetry.exporter.otlp.proto.common._log_encoder"
    ),
    key("ready to export, import included", "ours"): (
        "import qudag_otel; live = qudag_otel.configure();"
        "from opentelemetry import trace;"
        "assert trace.get_tracer('bench').start_span('x').is_recording()"
    ),
    key("ready to export, import included", "OpenTelemetry"): BY_HAND,
}
PEERS = {
    key("ready to export, import included", "logfire"): (
        "import logfire; logfire.configure(send_to_logfire=False, console=False)"
    ),
    key("ready to export, import included", "ddtrace"): "import ddtrace.auto",
    key("ready to export, import included", "sentry"): (
        "import sentry_sdk; sentry_sdk.init(dsn='http://key@127.0.0.1:9/1', traces_sample_rate=1.0)"
    ),
}


def took(python: str, code: str) -> float:
    """Nanoseconds, without the start of the interpreter."""
    timed = (
        "import time, sys, os; began = time.perf_counter_ns()\n"
        f"{code}\nprint(time.perf_counter_ns() - began)\nsys.stdout.flush(); os._exit(0)"
    )
    quiet = {"DD_INSTRUMENTATION_TELEMETRY_ENABLED": "false", "DD_REMOTE_CONFIGURATION_ENABLED": "false",
             "DD_TRACE_STARTUP_LOGS": "false"}  # fmt: skip
    ended = subprocess.run(
        [python, "-c", timed], check=True, capture_output=True, text=True,
        env={**os.environ, **EXPORTING, **quiet},
    )  # fmt: skip
    return float(ended.stdout)


def main(peers: str = "") -> dict[str, float]:
    """The least of some processes, in turn.

    Args:
        peers: The interpreter of the peers' environment.
    """
    least: dict[str, float] = {}
    programs = [(sys.executable, *program) for program in PROGRAMS.items()]
    if peers:
        programs += [(peers, *program) for program in PEERS.items()]
    for _ in range(TIMES):
        for python, name, code in programs:
            least[name] = min(least.get(name, float("inf")), took(python, code))
    return least


if __name__ == "__main__":
    report(main(*sys.argv[1:]))
