"""`Telemetry`: a running set-up, from its start to its end."""

from __future__ import annotations

import logging
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Self

from opentelemetry import _logs as logs_api
from opentelemetry import metrics as metrics_api
from opentelemetry import trace as trace_api
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_NAMESPACE
from opentelemetry.sdk.trace import TracerProvider

from qudag_otel import identity
from qudag_otel._foreign import interrupts
from qudag_otel._otel import storage
from qudag_otel._warnings import warn_once
from qudag_otel.catalogue.attributes import NODE_ID
from qudag_otel.catalogue.metrics import PROCESS_ENDED
from qudag_otel.sdk import _detours as detours
from qudag_otel.sdk import _fork, _providers
from qudag_otel.sdk._lifecycle import Ending, bounded
from qudag_otel.sdk.export import otlp
from qudag_otel.sdk.export.batch import CLOSE_SECONDS, BatchSpans
from qudag_otel.sdk.settings import resource as descriptions
from qudag_otel.sdk.settings import variables as v

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk.resources import Resource

    from qudag_otel.sdk._bridge import Bridge
    from qudag_otel.sdk._providers import Plan
    from qudag_otel.sdk.fast.engine import Engine
    from qudag_otel.sdk.prometheus.endpoint import Endpoint
    from qudag_otel.sdk.settings.settings import Settings

_LOGGER: Final = logging.getLogger("qudag_otel")


class Telemetry:
    """A running set-up; made by `configure`, closed by itself when the program ends.

    As a context manager it is closed at the end of the block.
    """

    def __init__(self, settings: Settings, arguments: Mapping[str, object]) -> None:
        self._settings = settings
        self.arguments = arguments
        self._ending: Ending | None = None
        self._plan: Plan | None = None
        self._providers: list[Any] = []
        self._meter_provider: MeterProvider | None = None
        self._span_resources: list[Resource] = []
        self._engine: Engine | None = None
        self._endpoint: Endpoint | None = None
        self.bridge: Bridge | None = None
        self._stop_watching: Callable[[], None] | None = None
        self._closing = threading.Lock()
        self._closed: bool | None = None
        self.has_set_providers = False

    @property
    def settings(self) -> Settings:
        """The effective configuration: iterate for name, value and origin; secrets are masked."""
        return self._settings

    @property
    def metrics_url(self) -> str | None:
        """Where what this process measures is shown, by itself or by another worker; or None."""
        return self._endpoint.url if self._endpoint else None

    @property
    def detours(self) -> tuple[str, ...]:
        """Why calls of this process go round the fast path; empty if they take it."""
        if self._engine is not None:
            return tuple(self._engine.detours)
        if self._settings[v.SDK_DISABLED]:
            return ()
        file = self._settings[v.CONFIG_FILE]
        return (detours.CONFIG_FILE if file else detours.NOT_OURS.format("metrics"),)

    @property
    def live(self) -> bool:
        """Whether it is still open."""
        return self._closed is None

    def force_flush(self, timeout_seconds: float = 10.0) -> bool:
        """Send everything recorded so far.

        Args:
            timeout_seconds: How long to wait.

        Returns:
            Whether all of it reached every receiver in time.
        """
        if self._closed is not None:
            return False
        deadline = time.monotonic() + timeout_seconds
        ours = self._plan.closing() if self._plan else []
        waiting = [(part, part.begin_flush()) for part in ours]  # all at once, then wait
        done = self._bounded(self._flush_foreign, deadline)
        for part, event in waiting:
            done &= event.wait(max(0.0, deadline - time.monotonic())) and part.delivered
        return done

    def shutdown(self, timeout_seconds: float = CLOSE_SECONDS) -> bool:
        """Send everything recorded so far and end: threads, the port, the SIGTERM handler.

        Further calls do nothing.

        Args:
            timeout_seconds: How long to wait; what is not sent by then is lost.

        Returns:
            Whether all of it reached every receiver in time.
        """
        with self._closing:
            if self._closed is None:
                self._closed = self._shut_down(time.monotonic() + timeout_seconds)
            return self._closed

    def _shut_down(self, deadline: float) -> bool:
        _quietly(self._tell_the_end)
        if self.bridge:
            self.bridge.remove()
        if self._engine:
            self._engine.uninstall()
        ours = self._plan.closing() if self._plan else []
        for part in ours:
            part.begin_close(deadline)
        if self._endpoint:
            self._endpoint.close()
            self._endpoint = None
        done = True
        for part in ours:
            done &= part.close(deadline)
        done &= self._bounded(self._shut_down_providers, deadline)
        if self._ending:
            self._ending.forget()
        if self._stop_watching:
            self._stop_watching()
        return done

    def _bounded(self, function: Callable[[], bool], deadline: float) -> bool:
        results: list[bool] = []
        left = max(0.0, deadline - time.monotonic())
        return bounded(lambda: results.append(function()), left) and all(results)

    def _flush_foreign(self) -> bool:
        ours = self._plan.closing() if self._plan else []
        foreign = [part for part in (self._plan.parts if self._plan else ()) if part not in ours]
        if self._plan is None:
            foreign = self._providers
        return all(list(map(_flushed, foreign)))

    def _tell_the_end(self) -> None:
        """Let the last export say that this is no outage; an uncaught exception is one."""
        if self._meter_provider is None or hasattr(sys, "last_value"):
            return
        ended = self._meter_provider.get_meter("qudag_otel").create_gauge(
            PROCESS_ENDED.name, PROCESS_ENDED.unit, PROCESS_ENDED.description
        )
        ended.set(1, {NODE_ID.key: identity.node_id()})

    def _shut_down_providers(self) -> bool:
        return all(list(map(_shut_down, self._providers)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()

    # -- set-up, called by configure

    def start(self, plan: Plan, signals: Sequence[str], *, sigterm: bool) -> None:
        """Make and set the providers of these signals.

        Raises:
            ConfigurationError: A setting cannot be used; whoever called closes what is running.
        """
        self._plan = plan
        self._listen(plan, signals)
        _providers.add_exporters(plan, signals)
        tracers = None
        if "traces" in signals:
            tracers = _providers.build_tracer_provider(plan)
            self._own(tracers, trace_api.set_tracer_provider)
        if "metrics" in signals:
            meters = _providers.build_meter_provider(plan)
            self._own(meters, metrics_api.set_meter_provider)
            self._engine = _providers.fast_path(plan, tracers, meters)
            self._engine.install()
            if self._endpoint:
                self._endpoint.start()
        if "logs" in signals:
            loggers = _providers.build_logger_provider(plan)
            self._own(loggers, logs_api.set_logger_provider)
            bridged = plan.settings[v.LOGGING_BRIDGE]
            if bridged and plan.log_record_processors:
                self.bridge = _providers.bridge(plan, loggers)
                self.bridge.install()
        self.keep((), sigterm=sigterm)

    def _own(self, provider: Any, make_global: Callable[[Any], None]) -> None:
        self._providers.append(provider)
        self.has_set_providers = True
        make_global(provider)

    def _listen(self, plan: Plan, signals: Sequence[str]) -> None:
        settings = plan.settings
        if "metrics" not in signals or _providers.PROMETHEUS not in settings[v.EXPORTER["metrics"]]:
            return
        from qudag_otel.sdk.prometheus.endpoint import Endpoint, service_name
        from qudag_otel.sdk.prometheus.reader import PrometheusReader

        gauges: Any = self.arguments.get("prometheus_gauges")
        plan.prometheus = PrometheusReader(
            scope_labels=bool(self.arguments.get("prometheus_scope_labels")), gauges=gauges
        )
        plan.metric_readers.append(plan.prometheus)
        attributes = plan.resource.attributes
        self._endpoint = Endpoint(
            plan.prometheus,
            settings[v.PROMETHEUS_HOST],
            settings[v.PROMETHEUS_PORT],
            service_name(
                str(attributes[SERVICE_NAME]),
                str(attributes.get(SERVICE_NAMESPACE, "")),
                str(attributes.get(identity.NODE_ATTRIBUTE, "")),
            ),
            settings[v.PROMETHEUS_WEB_CONFIG],
            settings[v.PROMETHEUS_TOKEN],
            shared=not self.arguments.get("prometheus_alone"),
        )

    def keep(self, providers: Sequence[Any], *, sigterm: bool) -> None:
        """Watch for the end of the program and for forks.

        Args:
            providers: Providers that somebody else made, to be closed at the end.
            sigterm: Watch for SIGTERM, too.
        """
        self._providers.extend(providers)
        self._meter_provider = next(
            (one for one in self._providers if isinstance(one, MeterProvider)), None
        )
        self._span_resources = self._resources_of_spans()
        self._ending = Ending(self.force_flush, self.shutdown)
        self._ending.watch(sigterm=sigterm)
        self._stop_watching = _fork.watch(self._in_child, self._in_parent)

    def _in_child(self, in_thread: bool) -> None:  # noqa: FBT001 - a callback
        self._closing = threading.Lock()
        if self._closed is not None:
            return
        if self._engine:
            self._engine.after_fork()
        if self._meter_provider:
            storage.renew(self._meter_provider)
        parents = self._be_another_process()
        if self._plan:
            if self._plan.prometheus:
                self._plan.prometheus.after_fork()
            if self._endpoint:
                self._endpoint.after_fork()
            for part in self._plan.closing():
                part.after_fork()
                if isinstance(part, BatchSpans):
                    part.parents += parents
        if self._ending:
            self._ending.after_fork(in_thread=in_thread)

    def _in_parent(self) -> None:
        for part in self._plan.closing() if self._plan else ():
            if part.export.kind == otlp.GRPC and part.export.connected:
                warn_once(
                    "fork:grpc",
                    "this process forked after it had exported over gRPC, whose library may hang "
                    "in the child: set %s=http/protobuf, or call configure() in the children alone",
                    "OTEL_EXPORTER_OTLP_PROTOCOL",
                )

    def _be_another_process(self) -> tuple[Resource, ...]:
        """Give the providers this process's resource, and return what spans had before."""
        before = self._span_resources  # the SDK has changed them already, in a hook of its own
        for provider in self._providers:
            storage.update_resource(provider, descriptions.of_this_process())
        self._span_resources = self._resources_of_spans()
        return tuple(one for one in before if all(one is not now for now in self._span_resources))

    def _resources_of_spans(self) -> list[Resource]:
        return [one.resource for one in self._providers if isinstance(one, TracerProvider)]


def _flushed(part: Any) -> bool:
    return _quietly(part.force_flush)


def _shut_down(provider: Any) -> bool:
    return _quietly(provider.shutdown)


def _quietly(function: Callable[[], object]) -> bool:
    try:
        return function() is not False
    except BaseException as error:  # one part's failure must not keep the others open
        if interrupts(error):
            raise
        _LOGGER.debug("a part of telemetry failed to flush or close: %r", error)
        return False
