"""Peers on the same empty function; run by an environment of their own. Prints JSON.

Nothing leaves the process: every peer is set up to send nowhere, with its span made in full.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any

from benchmarks.measure import best, pin

if TYPE_CHECKING:
    from collections.abc import Callable


def _work() -> None:
    """The function that is measured."""


def _logfire() -> dict[str, Callable[[], Any]]:
    logfire = importlib.import_module("logfire")
    logfire.configure(send_to_logfire=False, console=False, metrics=False)
    return {"logfire.instrument": logfire.instrument(extract_args=False)(_work)}


def _autometrics() -> dict[str, Callable[[], Any]]:
    autometrics = importlib.import_module("autometrics")
    autometrics.init(tracker="prometheus", service_name="bench")
    return {"autometrics": autometrics.autometrics(_work)}


def _ddtrace() -> dict[str, Callable[[], Any]]:
    os.environ.update(DD_TRACE_ENABLED="true", DD_INSTRUMENTATION_TELEMETRY_ENABLED="false",
                      DD_REMOTE_CONFIGURATION_ENABLED="false", DD_TRACE_STARTUP_LOGS="false")  # fmt: skip
    tracer: Any = importlib.import_module("ddtrace.trace").tracer

    class Nowhere(importlib.import_module("ddtrace.trace").TraceFilter):  # type: ignore[misc]
        def process_trace(self, _: Any) -> None:
            return None

    tracer.configure(trace_processors=[Nowhere()])
    return {"ddtrace tracer.wrap": tracer.wrap()(_work)}


def _sentry() -> dict[str, Callable[[], Any]]:
    sentry = importlib.import_module("sentry_sdk")
    sentry.init(dsn="http://key@127.0.0.1:9/1", traces_sample_rate=1.0, default_integrations=False,
                before_send_transaction=lambda *_: None)  # fmt: skip
    traced = sentry.trace(_work)

    def call() -> None:
        with sentry.start_transaction(name="bench"):
            traced()

    return {"sentry transaction + trace": call}


def _elastic() -> dict[str, Callable[[], Any]]:
    elastic = importlib.import_module("elasticapm")
    client = elastic.Client(service_name="bench", disable_send=True, cloud_provider="none",
                            central_config=False, metrics_interval="0ms")  # fmt: skip
    traced = elastic.capture_span("bench")(_work)

    def call() -> None:
        client.begin_transaction("bench")
        traced()
        client.end_transaction("bench", "ok")

    return {"elastic transaction + span": call}


def _traceloop() -> dict[str, Callable[[], Any]]:
    os.environ.update(TRACELOOP_TELEMETRY="false", TRACELOOP_METRICS_ENABLED="false")
    memory = importlib.import_module("opentelemetry.sdk.trace.export")

    class Nowhere(memory.SpanExporter):  # type: ignore[misc]
        def export(self, _: Any) -> Any:
            return memory.SpanExportResult.SUCCESS

    sdk = importlib.import_module("traceloop.sdk")
    sdk.Traceloop.init(app_name="bench", exporter=Nowhere(), disable_batch=False, instruments=set())
    decorators = importlib.import_module("traceloop.sdk.decorators")
    return {"traceloop task": decorators.task(name="bench")(_work)}


PEERS: dict[str, Callable[[], dict[str, Callable[[], Any]]]] = {
    "logfire": _logfire,
    "autometrics": _autometrics,
    "ddtrace": _ddtrace,
    "sentry-sdk": _sentry,
    "elastic-apm": _elastic,
    "traceloop-sdk": _traceloop,
}

if __name__ == "__main__":
    pin()
    print(json.dumps({name: best(call) for name, call in PEERS[sys.argv[1]]().items()}))
    sys.stdout.flush()
    os._exit(0)  # peers' threads have nothing to send
