"""OpenTelemetry observability for QuDAG nodes and any Python code around them.

Importing this package loads the OpenTelemetry API alone; what needs the SDK is loaded on use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from qudag_otel._calls.api import instrumented
    from qudag_otel.component import (
        ConformanceError,
        MonitoredComponent,
        check_conformance,
        monitor,
    )
    from qudag_otel.logs import (
        ComponentLogger,
        JsonFormatter,
        TextFormatter,
        get_logger,
        log_to_stderr,
    )
    from qudag_otel.objectives import Objective
    from qudag_otel.propagation import (
        ContextProcessPoolExecutor,
        ContextThreadPoolExecutor,
        carry_context,
    )
    from qudag_otel.recorders import (
        record_cache_eviction,
        record_cache_lookup,
        record_error,
        record_operation_time,
        record_pool_request,
        record_throughput,
        timed,
        update_cache_memory,
        update_pool_connections,
        update_resource_usage,
    )
    from qudag_otel.sdk import ConfigurationError, Telemetry, configure

__all__ = [
    "ComponentLogger",
    "ConfigurationError",
    "ConformanceError",
    "ContextProcessPoolExecutor",
    "ContextThreadPoolExecutor",
    "JsonFormatter",
    "MonitoredComponent",
    "Objective",
    "Telemetry",
    "TextFormatter",
    "carry_context",
    "check_conformance",
    "configure",
    "get_logger",
    "instrumented",
    "log_to_stderr",
    "monitor",
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
]

_HOMES: Final = {
    "ComponentLogger": "qudag_otel.logs",
    "ConfigurationError": "qudag_otel.sdk",
    "ConformanceError": "qudag_otel.component",
    "ContextProcessPoolExecutor": "qudag_otel.propagation",
    "ContextThreadPoolExecutor": "qudag_otel.propagation",
    "JsonFormatter": "qudag_otel.logs",
    "MonitoredComponent": "qudag_otel.component",
    "Objective": "qudag_otel.objectives",
    "Telemetry": "qudag_otel.sdk",
    "TextFormatter": "qudag_otel.logs",
    "carry_context": "qudag_otel.propagation",
    "check_conformance": "qudag_otel.component",
    "configure": "qudag_otel.sdk",
    "get_logger": "qudag_otel.logs",
    "instrumented": "qudag_otel._calls.api",
    "log_to_stderr": "qudag_otel.logs",
    "monitor": "qudag_otel.component",
    "record_cache_eviction": "qudag_otel.recorders",
    "record_cache_lookup": "qudag_otel.recorders",
    "record_error": "qudag_otel.recorders",
    "record_operation_time": "qudag_otel.recorders",
    "record_pool_request": "qudag_otel.recorders",
    "record_throughput": "qudag_otel.recorders",
    "timed": "qudag_otel.recorders",
    "update_cache_memory": "qudag_otel.recorders",
    "update_pool_connections": "qudag_otel.recorders",
    "update_resource_usage": "qudag_otel.recorders",
}
"""The module of each public name, loaded when the name is first used."""


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
