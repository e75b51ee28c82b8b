"""A small application with the plain OpenTelemetry SDK: what the pipeline has to carry."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.metrics.view import View
    from opentelemetry.sdk.trace import SpanLimits
    from opentelemetry.util.types import AnyValue


class Application:
    """Providers for the three signals that send to one OTLP/HTTP endpoint."""

    def __init__(
        self,
        endpoint: str,
        service: str,
        *,
        resource: Mapping[str, str] | None = None,
        readers: Sequence[MetricReader] = (),
        views: Sequence[View] = (),
        limits: SpanLimits | None = None,
    ) -> None:
        described = Resource.create({"service.name": service, **(resource or {})})
        self.service = service
        self._traces = TracerProvider(
            resource=described, shutdown_on_exit=False, span_limits=limits
        )
        self._traces.add_span_processor(
            BatchSpanProcessor(
                OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces"),
                max_queue_size=50_000,
                schedule_delay_millis=200,
            )
        )
        reader = PeriodicExportingMetricReader(
            OTLPMetricExporter(endpoint=f"{endpoint}/v1/metrics"), export_interval_millis=500
        )
        self._metrics = MeterProvider(
            [reader, *readers], resource=described, views=views, shutdown_on_exit=False
        )
        self._logs = LoggerProvider(resource=described, shutdown_on_exit=False)
        self._logs.add_log_record_processor(
            BatchLogRecordProcessor(
                OTLPLogExporter(endpoint=f"{endpoint}/v1/logs"), schedule_delay_millis=200
            )
        )
        self.tracer = self._traces.get_tracer("tests.pipeline")
        self.meter = self._metrics.get_meter("tests.pipeline")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._traces.shutdown()
        self._metrics.shutdown()
        self._logs.shutdown()

    def log(
        self,
        body: AnyValue,
        attributes: Mapping[str, AnyValue] | None = None,
        *,
        severity: str = "INFO",
        event: str | None = None,
    ) -> None:
        """Emit one log record in the current context."""
        self._logs.get_logger("tests.pipeline").emit(
            LogRecord(
                severity_number=SeverityNumber.INFO,
                severity_text=severity,
                body=body,
                attributes=attributes or {},
                event_name=event,
            )
        )

    def flush(self) -> None:
        """Send what is there.

        Raises:
            AssertionError: the endpoint did not take it.
        """
        providers = (self._traces, self._metrics, self._logs)
        assert all(provider.force_flush(30_000) for provider in providers)
