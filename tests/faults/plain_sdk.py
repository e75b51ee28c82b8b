"""Stands in for `qudag_otel` in the programs of the rows: OpenTelemetry's SDK, set up by itself.

The SDK reads the same variables. A decorated call is a span and a value of a histogram, as an
application would write them by hand.
"""

from __future__ import annotations

import functools
import time
from typing import TYPE_CHECKING, Any

from opentelemetry import metrics, trace
from opentelemetry.sdk._configuration import (
    _OTelSDKConfigurator,  # pyright: ignore[reportPrivateUsage] - what its own command runs
)

if TYPE_CHECKING:
    from collections.abc import Callable


class Telemetry:
    """What `configure` returns, as far as the programs use it."""

    def force_flush(self, timeout: float = 30) -> bool:
        """Flush traces and metrics."""
        providers: tuple[Any, ...] = (trace.get_tracer_provider(), metrics.get_meter_provider())
        delivered = [one.force_flush(int(timeout * 1000)) for one in providers]
        return all(delivered)


def configure() -> Telemetry:
    """Have the SDK set itself up from the variables."""
    configurator: Any = _OTelSDKConfigurator
    configurator().configure(auto_instrumentation_version="")
    return Telemetry()


def instrumented(*, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Measure the calls of a function by a span and a histogram."""
    tracer = trace.get_tracer("t")
    seconds = metrics.get_meter("t").create_histogram("qudag.operation.duration", "s")

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def call(*arguments: Any, **options: Any) -> Any:
            began = time.perf_counter()
            with tracer.start_as_current_span(name):
                try:
                    return function(*arguments, **options)
                finally:
                    seconds.record(time.perf_counter() - began, {"qudag.operation": name})

        return call

    return decorate
