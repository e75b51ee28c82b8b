"""Peers doing the same, each in a process of an environment of their own. Prints JSON.

Nothing leaves the process: every peer is set up to send nowhere, with what it records made in full.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from benchmarks.measure import Run, arace, key, pin, race, report, threads

if TYPE_CHECKING:
    from collections.abc import Callable

VALUES = {"a": "x", "b": "y", "c": "z"}


@dataclass(frozen=True)
class Peer:
    """A peer's ways of doing what is measured.

    Args:
        who: Its name in the tables.
        call: A call as its decorator records it, alone.
        acall: The same of a coroutine function.
        rows: Further rows.
    """

    who: str
    call: Callable[[], Any] | None = None
    acall: Callable[[], Any] | None = None
    rows: dict[str, Callable[[], Any] | Run] = field(
        default_factory=dict[str, "Callable[[], Any] | Run"]
    )


def _work() -> None:
    """The function that is measured."""


async def _awork() -> None:
    """The coroutine function that is measured."""


def _fail() -> None:
    raise ValueError("text")


def _caught(call: Callable[[], Any]) -> Callable[[], None]:
    def catching() -> None:
        with contextlib.suppress(ValueError):
            call()

    return catching


def _logfire() -> Peer:
    logfire = importlib.import_module("logfire")
    logfire.configure(send_to_logfire=False, console=False, metrics=False)
    traced = logfire.instrument(extract_args=False)
    trace = importlib.import_module("opentelemetry.trace")

    def setting() -> None:
        trace.get_current_span().set_attribute("key", 1)

    def captured(number: int, text: str) -> None: ...

    arguments = logfire.instrument(extract_args=["number", "text"])(captured)
    return Peer("logfire", traced(_work), traced(_awork), {
        "call with 2 captured arguments": lambda: arguments(1, "text"),
        "call with set_attribute": traced(setting),
        "call that raises": _caught(traced(_fail)),
        "log line": lambda: logfire.info("hello", number=1, text="some text", share=0.5),
    })  # fmt: skip


def _autometrics() -> Peer:
    autometrics = importlib.import_module("autometrics")
    autometrics.init(tracker="prometheus", service_name="bench")
    traced = autometrics.autometrics
    return Peer(
        "autometrics", traced(_work), traced(_awork), {"call that raises": _caught(traced(_fail))}
    )


def _ddtrace() -> Peer:
    os.environ.update(DD_TRACE_ENABLED="true", DD_INSTRUMENTATION_TELEMETRY_ENABLED="false",
                      DD_REMOTE_CONFIGURATION_ENABLED="false", DD_TRACE_STARTUP_LOGS="false")  # fmt: skip
    module: Any = importlib.import_module("ddtrace.trace")
    tracer: Any = module.tracer

    class Nowhere(module.TraceFilter):  # type: ignore[misc]
        def process_trace(self, _: Any) -> None:
            return None

    tracer.configure(trace_processors=[Nowhere()])

    def setting() -> None:
        tracer.current_span().set_tag("key", "1")

    return Peer("ddtrace", tracer.wrap()(_work), tracer.wrap()(_awork), {
        "call with set_attribute": tracer.wrap()(setting),
        "call that raises": _caught(tracer.wrap()(_fail)),
    })  # fmt: skip


def _sentry() -> Peer:
    sentry = importlib.import_module("sentry_sdk")
    sentry.init(dsn="http://key@127.0.0.1:9/1", traces_sample_rate=1.0, default_integrations=False,
                before_send_transaction=lambda *_: None)  # fmt: skip

    def setting() -> None:
        sentry.get_current_span().set_data("key", 1)

    traced, atraced = sentry.trace(_work), sentry.trace(_awork)
    around = contextlib.ExitStack()

    def call() -> None:
        with sentry.start_transaction(name="bench"):
            traced()

    async def acall() -> None:
        with sentry.start_transaction(name="bench"):
            await atraced()

    def renew() -> None:
        around.close()
        around.enter_context(sentry.start_transaction(name="bench"))

    renew()
    return Peer("sentry", call, acall, {
        "call below another": Run(traced, renew),
        "call with set_attribute": Run(sentry.trace(setting), renew),
        "call that raises": Run(_caught(sentry.trace(_fail)), renew),
    })  # fmt: skip


def _elastic() -> Peer:
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

    client.begin_transaction("bench")
    return Peer("elastic", call, acall, {"call below another": Run(traced, renew)})


def _traceloop() -> Peer:
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
    return Peer("traceloop", traced(_work), traced(_awork))


PEERS: dict[str, Callable[[], Peer]] = {
    "logfire": _logfire,
    "autometrics": _autometrics,
    "ddtrace": _ddtrace,
    "sentry-sdk": _sentry,
    "elastic-apm": _elastic,
    "traceloop-sdk": _traceloop,
}


def main(name: str) -> dict[str, float]:
    """All rows of one peer."""
    peer = PEERS[name]()
    found: dict[str, float] = {}
    # Inside of their transactions first: a call alone ends the one that is open.
    for what, run in peer.rows.items():
        found |= race(what, **{peer.who: run})
    if peer.call is not None and peer.acall is not None:
        found |= race("call", **{peer.who: peer.call})
        found |= arace("call, coroutine function", **{peer.who: peer.acall})
        found[key("call, 8 threads", peer.who)] = threads(peer.call, 8)
    return found


if __name__ == "__main__":
    pin()
    report(main(sys.argv[1]))
