"""Peers on the same empty function; run by an environment of their own. Prints JSON.

Nothing leaves the process: every peer is set up to send nowhere, with its span made in full.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from benchmarks.measure import awaiting, best, pin, threads

if TYPE_CHECKING:
    from collections.abc import Callable


class Forms(NamedTuple):
    """How a peer is called. `inside` is its span within one transaction, which `renew` ends."""

    name: str
    call: Callable[[], Any]
    acall: Callable[[], Any]
    inside: Callable[[], Any] | None = None
    renew: Callable[[], Any] | None = None


def _work() -> None:
    """The function that is measured."""


async def _awork() -> None:
    """The coroutine function that is measured."""


def _logfire() -> Forms:
    logfire = importlib.import_module("logfire")
    logfire.configure(send_to_logfire=False, console=False, metrics=False)
    traced = logfire.instrument(extract_args=False)
    return Forms("logfire.instrument", traced(_work), traced(_awork))


def _autometrics() -> Forms:
    autometrics = importlib.import_module("autometrics")
    autometrics.init(tracker="prometheus", service_name="bench")
    traced = autometrics.autometrics
    return Forms("autometrics", traced(_work), traced(_awork))


def _ddtrace() -> Forms:
    os.environ.update(DD_TRACE_ENABLED="true", DD_INSTRUMENTATION_TELEMETRY_ENABLED="false",
                      DD_REMOTE_CONFIGURATION_ENABLED="false", DD_TRACE_STARTUP_LOGS="false")  # fmt: skip
    tracer: Any = importlib.import_module("ddtrace.trace").tracer

    class Nowhere(importlib.import_module("ddtrace.trace").TraceFilter):  # type: ignore[misc]
        def process_trace(self, _: Any) -> None:
            return None

    tracer.configure(trace_processors=[Nowhere()])
    return Forms("ddtrace tracer.wrap", tracer.wrap()(_work), tracer.wrap()(_awork))


def _sentry() -> Forms:
    sentry = importlib.import_module("sentry_sdk")
    sentry.init(dsn="http://key@127.0.0.1:9/1", traces_sample_rate=1.0, default_integrations=False,
                before_send_transaction=lambda *_: None)  # fmt: skip
    traced, atraced = sentry.trace(_work), sentry.trace(_awork)

    def call() -> None:
        with sentry.start_transaction(name="bench"):
            traced()

    async def acall() -> None:
        with sentry.start_transaction(name="bench"):
            await atraced()

    around = contextlib.ExitStack()

    def renew() -> None:
        around.close()
        around.enter_context(sentry.start_transaction(name="bench"))

    return Forms("sentry transaction + trace", call, acall, traced, renew)


def _elastic() -> Forms:
    elastic = importlib.import_module("elasticapm")
    client = elastic.Client(service_name="bench", disable_send=True, cloud_provider="none",
                            central_config=False, metrics_interval="0ms")  # fmt: skip
    traced = elastic.capture_span("bench")(_work)
    atraced = elastic.async_capture_span("bench")(_awork)

    def call() -> None:
        client.begin_transaction("bench")
        traced()
        client.end_transaction("bench", "ok")

    async def acall() -> None:
        client.begin_transaction("bench")
        await atraced()
        client.end_transaction("bench", "ok")

    def renew() -> None:
        client.end_transaction("bench", "ok")
        client.begin_transaction("bench")

    return Forms("elastic transaction + span", call, acall, traced, renew)


def _traceloop() -> Forms:
    os.environ.update(TRACELOOP_TELEMETRY="false", TRACELOOP_METRICS_ENABLED="false")
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Nowhere(SpanExporter):
        def export(self, spans: Any) -> SpanExportResult:
            del spans
            return SpanExportResult.SUCCESS

    sdk = importlib.import_module("traceloop.sdk")
    sdk.Traceloop.init(app_name="bench", exporter=Nowhere(), disable_batch=False, instruments=set())
    decorators = importlib.import_module("traceloop.sdk.decorators")
    traced = decorators.task(name="bench")
    return Forms("traceloop task", traced(_work), traced(_awork))


PEERS: dict[str, Callable[[], Forms]] = {
    "logfire": _logfire,
    "autometrics": _autometrics,
    "ddtrace": _ddtrace,
    "sentry-sdk": _sentry,
    "elastic-apm": _elastic,
    "traceloop-sdk": _traceloop,
}


def main(peer: str) -> dict[str, float]:
    """One peer: plain, as a coroutine function, and from 8 threads."""
    forms = PEERS[peer]()
    found = {
        forms.name: best(forms.call),
        f"{forms.name}, coroutine function": awaiting(forms.acall),
        f"{forms.name}, 8 threads": threads(forms.call, 8),
    }
    if forms.inside is not None and forms.renew is not None:
        forms.renew()
        found[f"{forms.name}, the span alone"] = best(forms.inside, between=forms.renew)
    return found


if __name__ == "__main__":
    pin()
    print(json.dumps(main(sys.argv[1])))
    sys.stdout.flush()
    os._exit(0)  # peers' threads have nothing to send
