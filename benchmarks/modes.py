"""Rows that need a set-up of their own: P3, P4, W12 and W13. Prints JSON."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

from benchmarks.calls import work
from benchmarks.measure import Run, key, pin, race, report
from benchmarks.parts import Parts
from benchmarks.rig import Rig, Sdk
from benchmarks.wrappers import calls_of, watched

if TYPE_CHECKING:
    from collections.abc import Callable


def unsampled() -> dict[str, float]:
    """P3: nothing is sampled."""
    from qudag_otel import instrumented

    rig, sdk = Rig(OTEL_TRACES_SAMPLER="always_off"), Sdk(ALWAYS_OFF)

    def span() -> None:
        with sdk.tracer.start_as_current_span("bench", attributes={"a": "x"}):
            work()

    call = instrumented(name="u")(work)
    rig.expect(call, spans=0, metrics={"qudag.operation.duration"})
    return race("call, unsampled", ours=Run(call, rig.send), OpenTelemetry=span)


def disabled() -> dict[str, float]:
    """P4 and W12: OTEL_SDK_DISABLED."""
    os.environ["OTEL_SDK_DISABLED"] = "true"
    import qudag_otel as q

    q.configure()
    found = {
        key("decorated while disabled is the same object", "ours"): float(
            q.instrumented(work) is work
        )
    }
    bare, ours = Parts(), watched(Parts(), "off")
    rows: dict[str, tuple[Callable[[], Any], Callable[[], Any]]] = {
        "cache get": (lambda: bare.get("key"), lambda: ours.get("key")),
        "cache put": (lambda: bare.put("key", b"v"), lambda: ours.put("key", b"v")),
        "record_throughput": (work, lambda: q.record_throughput("file", "outbound")),
        "record_cache_lookup": (work, lambda: q.record_cache_lookup("file", hit=True)),
        "record_error": (work, lambda: q.record_error(None, "bench", ValueError)),
    }
    plain = calls_of(bare)
    for what, (_, call) in calls_of(ours).items():
        rows[what] = plain[what][1], call
    for what, (without, call) in rows.items():
        found |= race(f"{what}, disabled", bare=without, ours=call)
    return found


def untraced() -> dict[str, float]:
    """W13: no exporter for traces."""
    from qudag_otel import instrumented

    rig = Rig(OTEL_TRACES_EXPORTER="none")
    call, red = instrumented(name="u")(work), instrumented(name="r", spans=False)(work)
    rig.expect(call, spans=0, metrics={"qudag.operation.duration"})
    return race("call, traces exported nowhere", bare=work, ours=Run(call, rig.send)) | race(
        "call without a span", ours=Run(red, rig.send)
    )


MODES = {mode.__name__: mode for mode in (unsampled, disabled, untraced)}

if __name__ == "__main__":
    pin()
    report(MODES[sys.argv[1]]())
