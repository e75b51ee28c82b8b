"""`configure`: from the environment and arguments to a running set-up."""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Any, Final

from qudag_otel import _warnings, identity, instruments
from qudag_otel._calls import importing
from qudag_otel._calls.signal import SIGNALS
from qudag_otel._otel import globals as otel_globals
from qudag_otel._otel.propagators import propagate
from qudag_otel._redact import texts
from qudag_otel._warnings import warn_once
from qudag_otel.catalogue import prefix
from qudag_otel.process import observe_process
from qudag_otel.sdk import _providers
from qudag_otel.sdk._telemetry import Telemetry
from qudag_otel.sdk.settings import file as config_file
from qudag_otel.sdk.settings import resource as descriptions
from qudag_otel.sdk.settings import sampling
from qudag_otel.sdk.settings import variables as v
from qudag_otel.sdk.settings.errors import ConfigurationError
from qudag_otel.sdk.settings.settings import Settings, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk._logs import LogRecordProcessor
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.metrics.view import View
    from opentelemetry.sdk.trace import SpanProcessor
    from opentelemetry.util.types import AttributeValue

_GIVE_BACK_SECONDS: Final = 1.0  # for threads of a set-up that failed; they have nothing to send
_SDK_LOGGER: Final = logging.getLogger("opentelemetry")
_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "fatal": logging.CRITICAL,
    "none": logging.CRITICAL + 1,
}

_lock = threading.RLock()
_current: Telemetry | None = None
_reading: list[Callable[[], None]] = []
"""What ends the metrics of the process."""


def configure(
    *,
    service_name: str | None = None,
    node_id: str | None = None,
    swarm_id: str | None = None,
    resource_attributes: Mapping[str, AttributeValue] | None = None,
    traces_exporter: str | None = None,
    metrics_exporter: str | None = None,
    logs_exporter: str | None = None,
    prometheus_host: str | None = None,
    prometheus_port: int | None = None,
    prometheus_scope_labels: bool = False,
    prometheus_gauges: Mapping[str, str] | None = None,
    prometheus_shared: bool = True,
    span_processors: Sequence[SpanProcessor] = (),
    log_record_processors: Sequence[LogRecordProcessor] = (),
    metric_readers: Sequence[MetricReader] = (),
    views: Sequence[View] = (),
    process_metrics: bool = False,
    sigterm: bool = True,
    environ: Mapping[str, str] | None = None,
) -> Telemetry:
    """Set up OpenTelemetry for this process, as the OTEL_* variables say.

    Arguments are defaults: a variable of the environment wins over the argument of the same
    meaning, and the specification's default holds where neither is given. See
    docs/configuration.md for the variables.

    While a set-up is live, another call returns it, with one warning if it asks for something
    else. Signals whose provider the application has set already are left to the application.

    Args:
        service_name: As OTEL_SERVICE_NAME.
        node_id: The node, for the label `node_id` and the resource attribute `qudag.node.id`.
        swarm_id: The swarm, for the label `swarm_id` and the attribute `qudag.swarm.id`.
        resource_attributes: Further resource attributes.
        traces_exporter: As OTEL_TRACES_EXPORTER, such as "otlp,console".
        metrics_exporter: As OTEL_METRICS_EXPORTER, such as "prometheus,otlp".
        logs_exporter: As OTEL_LOGS_EXPORTER.
        prometheus_host: As OTEL_EXPORTER_PROMETHEUS_HOST.
        prometheus_port: As OTEL_EXPORTER_PROMETHEUS_PORT; also adds prometheus to the metrics
            exporters, unless the environment names those.
        prometheus_scope_labels: Put `otel_scope_name` and its like on each series of /metrics.
        prometheus_gauges: How a gauge of several workers becomes one on their /metrics, by the
            instrument's name: "sum", "min", "max", or "each" with the label `pid`, as by default.
        prometheus_shared: Share the port of /metrics with the other workers of the service. Without
            this, a port that is taken is an error; children of this process share it all the same.
        span_processors: Further span processors, called before ours.
        log_record_processors: Further log record processors, called before ours.
        metric_readers: Further metric readers.
        views: Views of the metrics.
        process_metrics: As OTEL_PYTHON_QUDAG_PROCESS_METRICS.
        sigterm: Send what is recorded when SIGTERM comes; only possible on the main thread.
        environ: Instead of the process's environment.

    Returns:
        The running set-up.

    Raises:
        ConfigurationError: A variable or argument cannot be used; the message says which, why
            and what to do. Nothing is left running.
    """
    arguments: dict[str, object] = {
        "service_name": service_name,
        "node_id": node_id,
        "swarm_id": swarm_id,
        "resource_attributes": dict(resource_attributes or {}),
        "traces_exporter": traces_exporter,
        "metrics_exporter": metrics_exporter,
        "logs_exporter": logs_exporter,
        "prometheus_host": prometheus_host,
        "prometheus_port": prometheus_port,
        "prometheus_scope_labels": prometheus_scope_labels,
        "prometheus_gauges": _gauges(prometheus_gauges or {}),
        "prometheus_alone": not prometheus_shared,
        "span_processors": list(span_processors),
        "log_record_processors": list(log_record_processors),
        "metric_readers": list(metric_readers),
        "views": list(views),
        "process_metrics": process_metrics,
    }
    # What was left at its default asks for nothing; a port of 0 asks for something.
    arguments = {
        name: value
        for name, value in arguments.items()
        if value or (value == 0 and not isinstance(value, bool))
    }
    global _current  # noqa: PLW0603 - a process has one set-up
    with _lock:
        if _current is not None and _current.live:
            _compare(_current, arguments)
            return _current
        environ = os.environ if environ is None else environ
        settings = Settings(environ, _given(arguments))
        SIGNALS.choose(environ)
        for name, problem in settings.ignored.items():
            warn_once(f"variable:{name}", "%s It counts as false.", problem)
        for name, meant in settings.suspects.items():
            warn_once(f"variable:{name}", "%s is read nowhere; did you mean %s?", name, meant)
        telemetry = Telemetry(settings, arguments)
        if not settings[v.SDK_DISABLED]:
            if _current is not None:
                otel_globals.reset_api_globals()  # the providers of the closed set-up are of no use
                _current = None
            instruments.begin_with(settings[v.PREFIX])
            try:
                if settings[v.CONFIG_FILE]:
                    telemetry.keep(config_file.apply(settings[v.CONFIG_FILE]), sigterm=sigterm)
                else:
                    _start(telemetry, arguments, sigterm=sigterm)
            except BaseException:
                telemetry.shutdown(_GIVE_BACK_SECONDS)
                _current = telemetry if telemetry.has_set_providers else None
                raise
        instruments.rebind(disabled=settings[v.SDK_DISABLED])
        _stop_reading()
        if settings[v.PROCESS_METRICS] and not settings[v.SDK_DISABLED]:
            _reading.append(observe_process())
        if settings[v.INSTRUMENT] and not settings[v.SDK_DISABLED]:
            importing.watch(settings[v.INSTRUMENT])
        _current = telemetry
        return telemetry


def _compare(telemetry: Telemetry, arguments: Mapping[str, object]) -> None:
    if any(telemetry.arguments.get(name) != value for name, value in arguments.items()):
        warn_once(
            "configure:again",
            "configure() was called again with other arguments; the first call counts",
        )


def _start(telemetry: Telemetry, arguments: Mapping[str, Any], *, sigterm: bool) -> None:
    settings = telemetry.settings
    exporters = v.EXPORTER["metrics"]
    if "prometheus_port" in arguments and settings.origin(exporters) != "environment":
        names = (*settings[exporters], _providers.PROMETHEUS)
        settings.put(exporters, tuple(dict.fromkeys(names)), "argument")
    propagator = sampling.propagator(settings)
    resource = descriptions.describe(
        settings,
        arguments.get("resource_attributes", {}),
        node_id=arguments.get("node_id"),
        swarm_id=arguments.get("swarm_id"),
    )
    plan = _providers.Plan(
        settings,
        resource,
        span_processors=arguments.get("span_processors", ()),
        metric_readers=arguments.get("metric_readers", ()),
        log_record_processors=arguments.get("log_record_processors", ()),
        views=arguments.get("views", ()),
    )
    telemetry.start(plan, _ours(), sigterm=sigterm)
    propagate.set_global_textmap(propagator)
    if settings.given(v.LOG_LEVEL):
        _SDK_LOGGER.setLevel(_LEVELS[settings[v.LOG_LEVEL]])


def _given(arguments: Mapping[str, object]) -> dict[str, object]:
    variables: dict[str, v.Variable[Any]] = {
        "service_name": v.SERVICE_NAME,
        "traces_exporter": v.EXPORTER["traces"],
        "metrics_exporter": v.EXPORTER["metrics"],
        "logs_exporter": v.EXPORTER["logs"],
        "prometheus_host": v.PROMETHEUS_HOST,
        "prometheus_port": v.PROMETHEUS_PORT,
        "process_metrics": v.PROCESS_METRICS,
    }
    return {
        variables[name].name: parse(variables[name], _word(value), name)
        for name, value in arguments.items()
        if name in variables
    }


def _word(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _gauges(modes: Mapping[str, str]) -> dict[str, str]:
    known = ("sum", "min", "max", "each")
    for name, mode in modes.items():
        if mode not in known:
            raise ConfigurationError(
                f"prometheus_gauges[{name!r}]", mode, "unknown", f"Use one of {', '.join(known)}."
            )
    return dict(modes)


def _ours() -> tuple[str, ...]:
    taken = [signal for signal in v.SIGNALS if otel_globals.provider_is_set(signal)]
    for signal in taken:
        warn_once(
            f"provider:{signal}",
            "the application has set a provider for %s already; configure() leaves them to it",
            signal,
        )
    return tuple(signal for signal in v.SIGNALS if signal not in taken)


def _stop_reading() -> None:
    while _reading:
        _reading.pop()()


def current() -> Telemetry | None:
    """Return the live set-up of this process, if there is one."""
    return _current if _current is not None and _current.live else None


def reset() -> None:
    """Close the set-up and make the process as if `configure` had never been called.

    Meant for tests: providers, instruments, identity, warnings and what is secret are forgotten.
    """
    global _current  # noqa: PLW0603 - a process has one set-up
    with _lock:
        if _current is not None:
            _current.shutdown()
            _current = None
        otel_globals.reset_api_globals()
        identity.reset()
        instruments.begin_with(prefix.DEFAULT)
        instruments.reset()
        importing.forget()
        _stop_reading()
        _warnings.reset()
        texts.reset()
        SIGNALS.choose(os.environ)
        _SDK_LOGGER.setLevel(logging.NOTSET)
