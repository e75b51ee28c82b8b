"""P1 to P3, P8, and W7 to W9: a decorated call, and what happens inside of one."""

from __future__ import annotations

import io
import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import prometheus_client
from opentelemetry import trace

from benchmarks.measure import Run, arace, key, race, stepping, threads
from benchmarks.wrappers import timed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from benchmarks.rig import Rig

THREE = {"a": "x", "b": "y", "c": "z"}
TEN = {f"key{number}": f"value{number}" for number in range(10)}


def work() -> None:
    """The function that is measured."""


async def awork() -> None:
    """The coroutine function that is measured."""


class Red:
    """Rate, errors, duration and calls in flight by hand, with prometheus_client and the SDK."""

    def __init__(self, rig: Rig) -> None:
        registry = prometheus_client.CollectorRegistry()
        histogram = prometheus_client.Histogram("red_seconds", "d", registry=registry)
        errors = prometheus_client.Counter("red_errors", "d", registry=registry)
        active = prometheus_client.Gauge("red_active", "d", registry=registry)
        self.prometheus = active.track_inprogress()(
            errors.count_exceptions()(histogram.time()(work))
        )
        meter = rig.sdk.meter
        self._tracer = rig.sdk.tracer
        self._histogram = meter.create_histogram("duration", "s")
        self._calls, self._active = meter.create_counter("calls"), meter.create_up_down_counter("n")

    def sdk(
        self, attributes: dict[str, str], inside: Callable[[], Any] = work
    ) -> Callable[[], None]:
        """A call with metrics and a span."""
        import time

        def call() -> None:
            self._active.add(1, attributes)
            began = time.perf_counter()
            try:
                with self._tracer.start_as_current_span("bench", attributes=attributes):
                    inside()
            finally:
                self._histogram.record(time.perf_counter() - began, attributes)
                self._calls.add(1, attributes)
                self._active.add(-1, attributes)

        return call


def decorated(rig: Rig) -> dict[str, float]:  # noqa: C901 - one small function after the other
    """W9 and the rows of the first benchmark."""
    from qudag_otel import instrumented

    red = Red(rig)
    duration = rig.sdk.meter.create_histogram("recorded", "s")

    def ours(function: Any = work, **options: Any) -> Run:
        return Run(instrumented(**options)(function), rig.send)

    def sdk(attributes: dict[str, str]) -> Run:
        return Run(red.sdk(attributes), rig.sdk.flush)

    async def ared() -> None:
        red.sdk(THREE)()
        await awork()

    def forever() -> Iterator[int]:
        while True:
            yield 1

    inner = instrumented(name="inner")(work)

    def nested() -> None:
        for _ in range(10):
            inner()

    def tenfold() -> None:
        for _ in range(10):
            work()

    def block() -> None:
        with instrumented.block("block"):
            work()

    call = ours(name="f")
    rig.expect(call.call, spans=1, metrics={"qudag.operation.duration"})
    rig.expect(nested, spans=10)
    eight = ours(name="eight").call
    found = {
        **timed(),
        **race("call", bare=work, ours=call, prometheus_client=red.prometheus,
               OpenTelemetry=sdk({})),
        **race("metrics alone", ours=ours(name="r", spans=False)),
        **race("histogram.record, 3 attributes",
               OpenTelemetry=lambda: duration.record(0.1, THREE)),
        **race("call, 3 attributes", ours=ours(name="3", attributes=THREE),
               OpenTelemetry=sdk(THREE)),
        **race("call, 10 attributes", ours=ours(name="10", attributes=TEN), OpenTelemetry=sdk(TEN)),
        **arace("call, coroutine function", bare=awork, ours=ours(awork, name="a"),
               OpenTelemetry=Run(ared, rig.sdk.flush)),
        **race("call of a block", ours=Run(block, rig.send)),
        key("call, 8 threads", "bare"): threads(work, 8),
        key("call, 8 threads", "ours"): threads(eight, 8, after=rig.send),
        key("call, 8 threads", "prometheus_client"): threads(red.prometheus, 8),
        key("call, 8 threads", "OpenTelemetry"): threads(red.sdk(THREE), 8, after=rig.sdk.flush),
        key("generator step", "bare"): stepping(forever),
        key("generator step", "ours"): stepping(instrumented(name="g")(forever)),
    }  # fmt: skip
    around = instrumented.block("around")
    with around:
        tens = race("ten calls below another", bare=tenfold, ours=Run(nested, rig.send))
    for who in ("bare", "ours"):
        found[key("call below another", who)] = tens[key("ten calls below another", who)] / 10
    return found


def inside(rig: Rig) -> dict[str, float]:
    """W7: captured arguments, an attribute, an event, a log line."""
    from qudag_otel import get_logger, instrumented
    from qudag_otel.logs import JsonFormatter

    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(JsonFormatter())
    parent = logging.getLogger("qudag")
    parent.setLevel(logging.INFO)
    parent.propagate = False
    parent.addHandler(handler)
    log = get_logger("bench")
    current = trace.get_current_span

    def taking(number: int, text: str) -> None: ...

    def setting() -> None:
        current().set_attribute("key", 1)

    def telling() -> None:
        current().add_event("event", {"key": 1})

    def logging_() -> None:
        log.info("hello", operation="x", number=1)

    def empty() -> None:
        rig.send()
        handler.setStream(io.StringIO())

    captured = instrumented(name="captured", capture=("number", "text"))(taking)
    rows: dict[str, tuple[Callable[[], None], Callable[[], None], dict[str, Any]]] = {
        "call with 2 captured arguments": (
            lambda: captured(1, "text"), work, {"attributes": {"qudag.argument.number", "qudag.argument.text"}}),
        "call with set_attribute": (
            instrumented(name="s")(setting), setting, {"attributes": {"key"}}),
        "call with add_event": (instrumented(name="e")(telling), telling, {"events": {"event"}}),
    }  # fmt: skip
    sdk = Red(rig).sdk
    found = timed()
    for what, (call, body, wanted) in rows.items():
        rig.expect(call, spans=1, **wanted)
        found |= race(
            what, ours=Run(call, rig.send), OpenTelemetry=Run(sdk({}, body), rig.sdk.flush)
        )
    call = instrumented(name="l")(logging_)
    call()
    if '"trace_id"' not in handler.stream.getvalue():
        raise RuntimeError(f"no trace id in {handler.stream.getvalue()!r}")
    return found | race("call with a log line", bare=Run(logging_, empty), ours=Run(call, empty))


def raising(rig: Rig) -> dict[str, float]:
    """W8: a call that raises."""
    from qudag_otel import instrumented

    def fail() -> None:
        raise ValueError("text")

    def caught(call: Callable[[], Any]) -> Callable[[], None]:
        def catching() -> None:
            with suppress(ValueError):
                call()

        return catching

    def span() -> None:
        with rig.sdk.tracer.start_as_current_span("bench"):
            fail()

    registry = prometheus_client.CollectorRegistry()
    counted = prometheus_client.Counter("failures", "d", registry=registry).count_exceptions()
    call = caught(instrumented(name="fail", component="bench")(fail))
    rig.expect(call, spans=1, events={"exception"}, metrics={"qudag.errors"})
    return race("call that raises", bare=caught(fail), ours=Run(call, rig.send),
                prometheus_client=caught(counted(fail)),
                OpenTelemetry=Run(caught(span), rig.sdk.flush))  # fmt: skip
