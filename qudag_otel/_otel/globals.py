"""The set-once globals of the OpenTelemetry API, and how a test puts them back.

The API offers no public way to unset a provider. Where it keeps its globals elsewhere, they stay
as they are, with one warning.
"""

from __future__ import annotations

import contextlib
import logging
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from opentelemetry import _logs as logs_api
from opentelemetry import metrics as metrics_api
from opentelemetry import trace as trace_api

from qudag_otel._otel import propagators
from qudag_otel._otel.names import find, has

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping

# ruff: noqa: SLF001 - private names are what this room is about

_LOGGER: Final = logging.getLogger("qudag_otel")
# The module and the prefix of its globals: <prefix>_PROVIDER, <prefix>_PROVIDER_SET_ONCE, and
# _PROXY_<prefix>_PROVIDER, which is handed out while no provider is set. Then the public getter.
_SIGNALS: Final[Mapping[str, tuple[str, str, Callable[[], object]]]] = {
    "traces": ("opentelemetry.trace", "TRACER", trace_api.get_tracer_provider),
    "metrics": ("opentelemetry.metrics._internal", "METER", metrics_api.get_meter_provider),
    "logs": ("opentelemetry._logs._internal", "LOGGER", logs_api.get_logger_provider),
}


_SETTERS: Final[Mapping[str, Callable[[Any], None]]] = {
    "traces": trace_api.set_tracer_provider,
    "metrics": metrics_api.set_meter_provider,
    "logs": logs_api.set_logger_provider,
}


class _Globals(NamedTuple):
    """Where the API keeps one signal's globals."""

    module: Any
    provider: str
    once: str
    proxy: str


def _globals_of(signal: str) -> _Globals | None:
    path, prefix, _ = _SIGNALS[signal]
    names = (f"_{prefix}_PROVIDER", f"_{prefix}_PROVIDER_SET_ONCE", f"_PROXY_{prefix}_PROVIDER")
    if find(path, *names) is None:
        _LOGGER.warning("the OpenTelemetry API keeps the provider of %s elsewhere now", signal)
        return None
    package, _, name = path.rpartition(".")
    (module,) = find(package, name) or (None,)
    return _Globals(module, *names)


def _once(of: _Globals, *, done: bool) -> Any:
    """A lock of a set-once global, used up or not."""
    made = type(getattr(of.module, of.once))()
    if done:
        made.do_once(lambda: None)
    return made


@contextlib.contextmanager
def replaced(providers: Mapping[str, Any]) -> Generator[None]:
    """Make these the global providers until the block ends, then restore what was there.

    Instruments that were created before any provider was set follow. Where the globals cannot be
    restored, those that are set stay, and those that are not are set for good.

    Args:
        providers: A provider by signal, of "traces", "metrics" and "logs".
    """
    with contextlib.ExitStack() as stack:
        for signal, provider in providers.items():
            of = _globals_of(signal)
            if of is None:
                if not provider_is_set(signal):
                    _SETTERS[signal](provider)
                continue
            for name, value in ((of.provider, provider), (of.once, _once(of, done=True))):
                stack.callback(setattr, of.module, name, getattr(of.module, name))
                setattr(of.module, name, value)
            proxy = getattr(of.module, of.proxy)
            if has(proxy, "on_set_meter_provider", "_real_meter_provider"):
                stack.callback(_follow, proxy, proxy._real_meter_provider)
                _follow(proxy, provider)
        yield


def _follow(proxy: Any, provider: Any) -> None:
    """Have the instruments that a proxy made record into a provider; into none for None."""
    if provider is None:
        proxy._real_meter_provider = None
    else:
        proxy.on_set_meter_provider(provider)


def release(meter: object) -> None:
    """Have the API forget a meter that was made while no provider was set, and its instruments.

    It would make them anew for each provider that is ever set.
    """
    of = _globals_of("metrics")
    waiting: Any = None if of is None else getattr(getattr(of.module, of.proxy), "_meters", None)
    if isinstance(waiting, list) and meter in waiting:
        cast("list[object]", waiting).remove(meter)


def reset_api_globals() -> None:
    """Make the API forget its tracer, meter and logger provider and its propagators.

    Tracers and loggers that were handed out before keep the provider they were bound to; whoever
    holds one must ask again. Instruments follow to the next provider. Meant for tests.
    """
    for signal in _SIGNALS:
        of = _globals_of(signal)
        if of is None:
            continue
        proxy = getattr(of.module, of.proxy)
        if has(proxy, "_real_meter_provider"):
            # It knows the instruments that were made early, and binds them to the next provider.
            proxy._real_meter_provider = None
        else:
            setattr(of.module, of.proxy, type(proxy)())
        setattr(of.module, of.provider, None)
        setattr(of.module, of.once, _once(of, done=False))
    propagators.set_default()


def provider_is_set(signal: str) -> bool:
    """Tell whether the application has set a provider.

    Args:
        signal: "traces", "metrics" or "logs".
    """
    of = _globals_of(signal)
    if of is None:
        return "Proxy" not in type(_SIGNALS[signal][2]()).__name__
    return getattr(of.module, of.provider) is not None
