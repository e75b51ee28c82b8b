"""The set-once globals of the OpenTelemetry API, and how a test puts them back.

This is the one place that knows their private names. The API offers no public way to unset a
provider; a release that renames one makes `reset_api_globals` raise, naming what is missing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import opentelemetry._logs._internal as logs_api
import opentelemetry.metrics._internal as metrics_api
from opentelemetry import trace as trace_api
from opentelemetry.util._once import Once

from qudag_otel._otel import propagators

if TYPE_CHECKING:
    from types import ModuleType

# module, prefix of the globals: <prefix>_PROVIDER, <prefix>_PROVIDER_SET_ONCE, and the proxy that
# is handed out while no provider is set.
_SIGNALS: tuple[tuple[ModuleType, str], ...] = (
    (trace_api, "TRACER"),
    (metrics_api, "METER"),
    (logs_api, "LOGGER"),
)


def _checked(module: ModuleType, name: str) -> Any:
    try:
        return getattr(module, name)
    except AttributeError:
        raise RuntimeError(
            f"{module.__name__}.{name} is gone: opentelemetry-api keeps its globals elsewhere now; "
            "use one that pyproject.toml allows"
        ) from None


def reset_api_globals() -> None:
    """Make the API forget its tracer, meter and logger provider and its propagators.

    Tracers and loggers that were handed out before keep the provider they were bound to; whoever
    holds one must ask again. Instruments follow to the next provider. Meant for tests.

    Raises:
        RuntimeError: The installed API keeps its globals under other names.
    """
    for module, signal in _SIGNALS:
        proxy = f"_PROXY_{signal}_PROVIDER"
        fresh = _checked(module, proxy)
        if hasattr(fresh, "_real_meter_provider"):
            # It knows the instruments that were made early, and binds them to the next provider.
            fresh._real_meter_provider = None  # noqa: SLF001 - this module's purpose
        else:
            fresh = type(fresh)()
        for name, value in (
            (f"_{signal}_PROVIDER", None),
            (f"_{signal}_PROVIDER_SET_ONCE", Once()),
            (proxy, fresh),
        ):
            _checked(module, name)
            setattr(module, name, value)
    propagators.set_default()


def provider_is_set(signal: str) -> bool:
    """Tell whether the application has set a provider.

    Args:
        signal: "traces", "metrics" or "logs".
    """
    module, prefix = _SIGNALS[("traces", "metrics", "logs").index(signal)]
    return _checked(module, f"_{prefix}_PROVIDER") is not None
