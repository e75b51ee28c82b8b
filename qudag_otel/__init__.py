"""OpenTelemetry observability for QuDAG nodes and any Python code around them.

Importing this package loads the OpenTelemetry API alone; what needs the SDK is loaded on use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from qudag_otel._calls.api import instrumented as instrumented
    from qudag_otel._calls.operation import Operation as Operation
    from qudag_otel.component import ConformanceError as ConformanceError
    from qudag_otel.component import MonitoredComponent as MonitoredComponent
    from qudag_otel.component import check_conformance as check_conformance
    from qudag_otel.component import monitor as monitor
    from qudag_otel.instruments import counter as counter
    from qudag_otel.instruments import gauge as gauge
    from qudag_otel.instruments import histogram as histogram
    from qudag_otel.logs import ComponentLogger as ComponentLogger
    from qudag_otel.logs import JsonFormatter as JsonFormatter
    from qudag_otel.logs import TextFormatter as TextFormatter
    from qudag_otel.logs import get_logger as get_logger
    from qudag_otel.logs import log_to_stderr as log_to_stderr
    from qudag_otel.objectives import Objective as Objective
    from qudag_otel.process import watch_event_loop as watch_event_loop
    from qudag_otel.propagation import ContextProcessPoolExecutor as ContextProcessPoolExecutor
    from qudag_otel.propagation import ContextThreadPoolExecutor as ContextThreadPoolExecutor
    from qudag_otel.propagation import carry_context as carry_context
    from qudag_otel.recorders import record_cache_eviction as record_cache_eviction
    from qudag_otel.recorders import record_cache_lookup as record_cache_lookup
    from qudag_otel.recorders import record_error as record_error
    from qudag_otel.recorders import record_operation_time as record_operation_time
    from qudag_otel.recorders import record_pool_request as record_pool_request
    from qudag_otel.recorders import record_throughput as record_throughput
    from qudag_otel.recorders import timed as timed
    from qudag_otel.recorders import update_cache_memory as update_cache_memory
    from qudag_otel.recorders import update_pool_connections as update_pool_connections
    from qudag_otel.recorders import update_resource_usage as update_resource_usage
    from qudag_otel.sdk import ConfigurationError as ConfigurationError
    from qudag_otel.sdk import Telemetry as Telemetry
    from qudag_otel.sdk import configure as configure

    __version__: str

_HOMES: Final = {
    "qudag_otel._calls.api": ("instrumented",),
    "qudag_otel._calls.operation": ("Operation",),
    "qudag_otel.component": (
        "ConformanceError",
        "MonitoredComponent",
        "check_conformance",
        "monitor",
    ),
    "qudag_otel.instruments": ("counter", "gauge", "histogram"),
    "qudag_otel.logs": (
        "ComponentLogger",
        "JsonFormatter",
        "TextFormatter",
        "get_logger",
        "log_to_stderr",
    ),
    "qudag_otel.objectives": ("Objective",),
    "qudag_otel.process": ("watch_event_loop",),
    "qudag_otel.propagation": (
        "ContextProcessPoolExecutor",
        "ContextThreadPoolExecutor",
        "carry_context",
    ),
    "qudag_otel.recorders": (
        "record_cache_eviction",
        "record_cache_lookup",
        "record_error",
        "record_operation_time",
        "record_pool_request",
        "record_throughput",
        "timed",
        "update_cache_memory",
        "update_pool_connections",
        "update_resource_usage",
    ),
    "qudag_otel.sdk": ("ConfigurationError", "Telemetry", "configure"),
}
"""The public names, by the module that is loaded when one of them is first used."""

_MODULES: Final = {name: module for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name == "__all__":
        return sorted(_MODULES)
    if name == "__version__":
        from importlib.metadata import version

        return version("qudag-otel")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(_MODULES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULES})
