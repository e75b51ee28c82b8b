"""The three providers, made of what the settings say. Nothing here touches the API's globals."""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.metrics import (
    Counter,
    Histogram,
    MeterProvider,
    ObservableCounter,
)
from opentelemetry.sdk.metrics.export import AggregationTemporality
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation

from qudag_otel._calls.timed import CARRIED
from qudag_otel.catalogue.metrics import METRICS
from qudag_otel.instruments import SCOPE
from qudag_otel.sdk import _detours as detours
from qudag_otel.sdk._bridge import Bridge
from qudag_otel.sdk._following import following
from qudag_otel.sdk._records import OurLoggerProvider
from qudag_otel.sdk.export import otlp
from qudag_otel.sdk.export.batch import BatchLogs, BatchSpans
from qudag_otel.sdk.export.exporting import Exporting
from qudag_otel.sdk.export.observed import Observed, observe_price
from qudag_otel.sdk.export.outage import hold_exporter_lines
from qudag_otel.sdk.export.periodic import PeriodicReader
from qudag_otel.sdk.export.wire import RecordExporter
from qudag_otel.sdk.fast.engine import Engine, OurTracerProvider
from qudag_otel.sdk.fast.export import CallExporter
from qudag_otel.sdk.settings import plugins, sampling
from qudag_otel.sdk.settings import variables as v
from qudag_otel.sdk.settings.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from opentelemetry.sdk._logs import LogRecordProcessor
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.metrics.view import Aggregation, View
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor

    from qudag_otel.sdk.export.exporting import SdkExporter
    from qudag_otel.sdk.prometheus.reader import PrometheusReader
    from qudag_otel.sdk.settings.settings import Settings

CONSOLE: Final = "console"
PROMETHEUS: Final = "prometheus"
OTLP: Final = "otlp"
_BUILT_IN: Final = {
    "traces": (OTLP, CONSOLE, "none"),
    "metrics": (OTLP, PROMETHEUS, CONSOLE, "none"),
    "logs": (OTLP, CONSOLE, "none"),
}
# The Python SDK's own names for OTLP with the protocol in the name.
_OTLP_ALIASES: Final = {"otlp_proto_grpc": "grpc", "otlp_proto_http": "http/protobuf"}


class Plan:
    """What the providers are made of; making it checks all settings and starts nothing.

    Args:
        settings: The effective configuration.
        resource: What produces the telemetry.
        span_processors: The application's; `add_exporters` puts ours behind them.
        metric_readers: The application's; likewise.
        log_record_processors: The application's; likewise.
        views: The application's.

    Raises:
        ConfigurationError: A sampler, an id generator or its like cannot be used.
    """

    def __init__(
        self,
        settings: Settings,
        resource: Resource,
        *,
        span_processors: Sequence[SpanProcessor] = (),
        metric_readers: Sequence[MetricReader] = (),
        log_record_processors: Sequence[LogRecordProcessor] = (),
        views: Sequence[View] = (),
    ) -> None:
        self.settings = settings
        self.resource = resource
        self.span_processors = list(span_processors)
        self.metric_readers = list(metric_readers)
        self.log_record_processors = list(log_record_processors)
        self.views = list(views)
        self.sampler = sampling.sampler(settings)
        self.id_generator = sampling.id_generator(settings)
        self.span_limits = sampling.span_limits(settings)
        self.log_limits = sampling.log_limits(settings)
        self.exemplar_filter = sampling.exemplar_filter(settings)
        self.prometheus: PrometheusReader | None = None
        self.following: BatchSpans | None = None
        self.costs: dict[str, Callable[[], float]] = {}
        """What takes CPU time for telemetry, each with its seconds so far."""

    def cost_of_threads(self) -> float:
        """The CPU seconds that threads of ours took, and scrapes on those that serve them."""
        seconds = sum(part.cpu_seconds for part in self.closing())
        return seconds + (self.prometheus.cpu_seconds if self.prometheus else 0.0)

    @property
    def parts(self) -> Iterator[SpanProcessor | MetricReader | LogRecordProcessor]:
        """All processors and readers, the application's and ours."""
        yield from self.span_processors
        yield from self.metric_readers
        yield from self.log_record_processors

    def closing(self) -> list[BatchSpans | BatchLogs | PeriodicReader]:
        """List the parts of ours that send what they hold before the program ends."""
        ours: list[BatchSpans | BatchLogs | PeriodicReader] = [
            part for part in self.parts if isinstance(part, (BatchSpans, BatchLogs, PeriodicReader))
        ]
        # First, as the application's processors may export what they are given.
        return ours if self.following is None else [self.following, *ours]


def exporters(settings: Settings, signal: str) -> tuple[str, ...]:
    """Read which exporters a signal has.

    Raises:
        ConfigurationError: One of them is unknown.
    """
    names = settings[v.EXPORTER[signal]]
    for name in names:
        if name not in _BUILT_IN[signal] and name not in _OTLP_ALIASES:
            plugins.load(_group(signal), name, v.EXPORTER[signal].name, _BUILT_IN[signal])
    return names


def _group(signal: str) -> str:
    return f"opentelemetry_{signal}_exporter"


def exporting(settings: Settings, signal: str, name: str) -> Exporting:
    """Make what sends one signal through one exporter.

    Args:
        settings: The effective configuration.
        signal: "traces", "metrics" or "logs".
        name: The exporter.

    Raises:
        ConfigurationError: The settings of the exporter contradict each other.
    """
    if name == OTLP or name in _OTLP_ALIASES:
        if name in _OTLP_ALIASES:
            settings.put(v.OTLP_PROTOCOL[signal], _OTLP_ALIASES[name], v.EXPORTER[signal].name)
        to = otlp.receiver(settings, signal)
        return Exporting(otlp.load(to), signal, to.endpoint, to.protocol)
    if name == CONSOLE:
        return Exporting(functools.partial(_console, signal), signal, "the console", CONSOLE)
    hold_exporter_lines()
    factory = plugins.load(_group(signal), name, v.EXPORTER[signal].name, _BUILT_IN[signal])
    return Exporting(factory, signal, name, name)


def _console(signal: str) -> SdkExporter:
    from opentelemetry.sdk._logs.export import ConsoleLogRecordExporter
    from opentelemetry.sdk.metrics.export import ConsoleMetricExporter
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter

    classes: dict[str, type[Any]] = {
        "traces": ConsoleSpanExporter,
        "metrics": ConsoleMetricExporter,
        "logs": ConsoleLogRecordExporter,
    }
    exporter: SdkExporter = classes[signal](out=sys.stdout)  # of now, not of their import
    return exporter


def add_exporters(plan: Plan, signals: Sequence[str]) -> None:
    """Add a processor or reader for every exporter of these signals; this starts threads.

    Prometheus is added by the caller, which owns its port.

    Raises:
        ConfigurationError: A setting cannot be used.
    """
    settings = plan.settings
    chosen = {signal: exporters(settings, signal) for signal in signals}
    for name in chosen.get("traces", ()):
        export = exporting(settings, "traces", name)
        export.wrap(CallExporter)
        plan.span_processors.append(BatchSpans(export, **_sizes(settings, "traces")))
    for name in chosen.get("logs", ()):
        export = exporting(settings, "logs", name)
        export.wrap(RecordExporter)
        plan.log_record_processors.append(BatchLogs(export, **_sizes(settings, "logs")))
    for name in chosen.get("metrics", ()):
        if name != PROMETHEUS:
            plan.metric_readers.append(_metric_reader(settings, name))


def _sizes(settings: Settings, signal: str) -> dict[str, Any]:
    batch, queue = v.BATCH[signal]["batch"], v.BATCH[signal]["queue"]
    size, limit = settings[batch], settings[queue]
    if size > limit and settings.given(batch):
        raise ConfigurationError(
            batch.name, size, f"a batch larger than the queue of {limit}",
            f"Set it to {limit} or less, or raise {queue.name}.",
        )  # fmt: skip
    return {
        "delay": settings[v.BATCH[signal]["delay"]],
        "size": min(size, limit),
        "limit": limit,
        "timeout": settings[v.BATCH[signal]["timeout"]],
    }


def _metric_reader(settings: Settings, name: str) -> MetricReader:
    from opentelemetry.sdk.metrics.export import MetricReader as Reader

    timing: dict[str, Any] = {
        "interval": settings[v.METRIC_EXPORT_INTERVAL],
        "timeout": settings[v.METRIC_EXPORT_TIMEOUT],
    }
    if name == OTLP or name in _OTLP_ALIASES:
        temporality, aggregation = _preferences(settings)
        export = exporting(settings, "metrics", name)
        return PeriodicReader(export, temporality=temporality, aggregation=aggregation, **timing)
    if name == CONSOLE:
        return PeriodicReader(exporting(settings, "metrics", name), **timing)
    made = plugins.load(_group("metrics"), name, v.EXPORTER["metrics"].name, _BUILT_IN["metrics"])()
    if isinstance(made, Reader):
        return made
    return PeriodicReader(Exporting(lambda: made, "metrics", name, name), **timing)


def _preferences(
    settings: Settings,
) -> tuple[dict[type, AggregationTemporality], dict[type, Aggregation]]:
    delta: dict[str, tuple[type, ...]] = {
        "cumulative": (),
        "delta": (Counter, ObservableCounter, Histogram),
        "lowmemory": (Counter, Histogram),
    }
    temporality = dict.fromkeys(delta[settings[v.OTLP_TEMPORALITY]], AggregationTemporality.DELTA)
    aggregation: dict[type, Aggregation] = {}
    if settings[v.OTLP_HISTOGRAMS].startswith("base2"):
        aggregation[Histogram] = ExponentialBucketHistogramAggregation()
    return temporality, aggregation


def build_tracer_provider(plan: Plan) -> OurTracerProvider:
    """Make the tracer provider."""
    provider = OurTracerProvider(
        sampler=plan.sampler,
        resource=plan.resource,
        shutdown_on_exit=False,
        id_generator=plan.id_generator,
        span_limits=plan.span_limits,
    )
    for processor in plan.span_processors:
        provider.add_span_processor(processor)
    return provider


def pinned(plan: Plan) -> list[View]:
    """Views that keep the catalogue's histograms readable to rules and panels, which use buckets.

    OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION would take their bounds away. A view
    of the application's for one of them counts instead.
    """
    if not plan.settings[v.OTLP_HISTOGRAMS].startswith("base2"):
        return []
    from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, View

    from qudag_otel._otel.storage import is_named

    return [
        View(
            instrument_name=metric.name,
            meter_name=SCOPE,
            aggregation=ExplicitBucketHistogramAggregation(boundaries=metric.bounds),
        )
        for metric in METRICS
        if metric.bounds and not any(is_named(view, metric.name) for view in plan.views)
    ]


def build_meter_provider(plan: Plan) -> MeterProvider:
    """Make the meter provider."""
    provider = MeterProvider(
        metric_readers=plan.metric_readers,
        resource=plan.resource,
        exemplar_filter=plan.exemplar_filter,
        shutdown_on_exit=False,
        views=[*plan.views, *pinned(plan)],
    )
    if plan.prometheus:
        from qudag_otel._otel.storage import quicken

        quicken(provider, plan.prometheus)
    return provider


def fast_path(plan: Plan, tracers: OurTracerProvider | None, meters: MeterProvider) -> Engine:
    """Make the fast path for providers that are all ours.

    Spans take it where nobody but our exporters, and processors that only want ended spans, looks
    at them: not with a sampler or id generator of the application's own.
    """
    ours = [part for part in plan.span_processors if isinstance(part, BatchSpans)]
    others = [part for part in plan.span_processors if not isinstance(part, BatchSpans)]
    why = (
        [detours.NOT_OURS.format("traces")]
        if tracers is None
        else detours.of_spans(tracers, others)
    )
    engine = Engine(None if why else tracers, meters, [part.put_all for part in ours])
    engine.detours += why
    for part in ours:
        part.gather_from(engine)
    if tracers is not None:
        _follow(plan, tracers, engine, others)
    if plan.settings[v.SDK_METRICS]:
        Observed(meters).add(plan.parts, prometheus=plan.prometheus, engine=engine)
    carried = CARRIED.seconds  # under set-ups before this one
    plan.costs["calls"] = lambda: engine.cost_of_calls() + CARRIED.seconds - carried
    plan.costs["threads"] = plan.cost_of_threads
    observe_price(meters, plan.costs)
    return engine


def _follow(
    plan: Plan, tracers: OurTracerProvider, engine: Engine, followers: list[SpanProcessor]
) -> None:
    """Hand ended spans to the application's processors, also to those that it adds later."""

    def begin() -> None:
        part = plan.following = following(followers)
        tracers.before_flush = part.flushed
        engine.follow(part.put_all)
        part.gather_from(engine)

    def extended(processor: SpanProcessor) -> None:
        why = detours.of_processor(processor)
        if why:
            engine.leave_spans(why)
        elif not engine.detours:
            followers.append(processor)
            if plan.following is None:
                begin()

    tracers.when_extended = extended
    if followers and not engine.detours:
        begin()


def build_logger_provider(plan: Plan) -> OurLoggerProvider:
    """Make the logger provider."""
    provider = OurLoggerProvider(
        resource=plan.resource,
        shutdown_on_exit=False,
        log_record_limits=plan.log_limits,
    )
    for processor in plan.log_record_processors:
        provider.add_log_record_processor(processor)
    return provider


def bridge(plan: Plan, provider: OurLoggerProvider) -> Bridge:
    """Make what brings records of `logging` to a provider: the short way if all is ours."""
    ours = [part for part in plan.log_record_processors if isinstance(part, BatchLogs)]
    short = len(ours) == len(plan.log_record_processors)
    made = Bridge(provider, [part.put for part in ours] if short else None)
    plan.costs["logs"] = made.cost
    return made
