"""The API's set-once globals, lent to a capture and given back.

The API has no public way to replace a provider, so this names its private variables.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import opentelemetry._logs._internal as logs_api
import opentelemetry.metrics._internal as metrics_api
from opentelemetry import trace as trace_api
from opentelemetry.util._once import Once

if TYPE_CHECKING:
    from collections.abc import Generator

    from opentelemetry._logs import LoggerProvider
    from opentelemetry.metrics import MeterProvider
    from opentelemetry.trace import TracerProvider


@contextlib.contextmanager
def replaced(
    tracer_provider: TracerProvider,
    meter_provider: MeterProvider,
    logger_provider: LoggerProvider,
) -> Generator[None]:
    """Make these the global providers until the block ends, then restore what was there.

    Instruments that were created before any provider was set follow. They alone do: the API
    keeps no list of the others.
    """
    proxy: Any = getattr(metrics_api, "_PROXY_METER_PROVIDER")  # noqa: B009 - private
    variables: list[tuple[object, str, object]] = [
        (trace_api, "_TRACER_PROVIDER", tracer_provider),
        (metrics_api, "_METER_PROVIDER", meter_provider),
        (logs_api, "_LOGGER_PROVIDER", logger_provider),
        (proxy, "_real_meter_provider", meter_provider),
        (trace_api, "_TRACER_PROVIDER_SET_ONCE", _done()),
        (metrics_api, "_METER_PROVIDER_SET_ONCE", _done()),
        (logs_api, "_LOGGER_PROVIDER_SET_ONCE", _done()),
    ]
    saved = [(owner, name, getattr(owner, name)) for owner, name, _ in variables]
    for owner, name, value in variables:
        setattr(owner, name, value)
    proxy.on_set_meter_provider(meter_provider)
    try:
        yield
    finally:
        for owner, name, value in saved:
            setattr(owner, name, value)
        if proxy._real_meter_provider is not None:  # noqa: SLF001 - as above
            proxy.on_set_meter_provider(proxy._real_meter_provider)  # noqa: SLF001 - as above


def _done() -> Once:
    once = Once()
    once.do_once(lambda: None)
    return once
