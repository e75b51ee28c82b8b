"""Every test of the core that asks for `telemetry` runs on both roads that a call can take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import metrics, trace

from qudag_otel.sdk.fast.engine import Engine
from qudag_otel.testing import Captured, capture

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from qudag_otel.testing import Span


@pytest.fixture(params=["plain", "fast"])
def telemetry(request: pytest.FixtureRequest) -> Iterator[Captured]:
    """What was captured, on the plain road or on the fast one."""
    with capture() as captured:
        if request.param == "plain":
            yield captured
            return
        tracers: Any = trace.get_tracer_provider()
        meters: Any = metrics.get_meter_provider()

        def queue(calls: Sequence[Any]) -> None:
            for call in calls:
                tracers._active_span_processor.on_end(call.site.readable(call))

        engine = Engine(tracers, meters, [queue])

        class Drained(Captured):
            @property
            def spans(self) -> Sequence[Span]:
                engine.drain_all()
                return sorted(super().spans, key=lambda span: span.end)

            def tree(self) -> str:
                engine.drain_all()
                return super().tree()

        captured.__class__ = Drained
        engine.install()
        yield captured
        engine.uninstall()
