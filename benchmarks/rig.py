"""What is set up before anything is measured: ours as an application does it, and the SDK beside it.

Ours exports all signals over OTLP to the sink, but only when a repeat has ended: a queue that fills
within one would be emptied on its time by one and not by another.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from benchmarks.measure import key, made
from benchmarks.sink import Sink

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.trace.sampling import Sampler

    from qudag_otel import Telemetry

LONG: Final = "3600000"
SPANS: Final = {"OTEL_BSP_SCHEDULE_DELAY": LONG, "OTEL_BSP_MAX_QUEUE_SIZE": "65536",
                "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "65536"}  # fmt: skip
LOGS: Final = {name.replace("BSP", "BLRP"): value for name, value in SPANS.items()}
EXPORTING: Final = {
    "OTEL_TRACES_EXPORTER": "otlp",
    "OTEL_METRICS_EXPORTER": "otlp",
    "OTEL_LOGS_EXPORTER": "otlp",
    "OTEL_EXPORTER_OTLP_ENDPOINT": Sink.url,
    "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
    "OTEL_SERVICE_NAME": "bench",
}
WAITING: Final = {**SPANS, **LOGS, "OTEL_METRIC_EXPORT_INTERVAL": LONG}


class Nowhere(SpanExporter):
    """Takes everything."""

    def export(self, spans: Any) -> SpanExportResult:
        del spans
        return SpanExportResult.SUCCESS


class Rig:
    """Both set-ups, in one process."""

    def __init__(self, **environ: str) -> None:
        from qudag_otel import configure

        os.environ.update({**EXPORTING, **WAITING, **environ})
        self.telemetry: Telemetry = configure(sigterm=False)
        self._spans: Any = trace.get_tracer_provider()
        self.sink = Sink()
        self.sdk = Sdk()

    def flush(self) -> None:
        """Send all that waits."""
        if not self.telemetry.force_flush(60):
            raise RuntimeError("the sink did not get everything")

    def send(self) -> None:
        """Send the spans that wait, and collect no metrics.

        After a collection a counter looks for exemplars for some hundred additions: too many of a repeat, few of
        those between two collections.
        """
        self._spans.force_flush()

    def expect(self, call: Callable[[], Any], *, spans: int = 0, **wanted: Any) -> None:
        """See at the receiver that one call exports what its row says.

        Args:
            call: What is measured.
            spans: How many spans it makes.
            wanted: `attributes` and `events` that its spans carry, and `metrics` that are there.

        Raises:
            RuntimeError: It does not.
        """
        seen = self.sink.witness(call, self.flush)
        there = {
            "attributes": {name for span in seen["spans"] for name in span["attributes"]},
            "events": {name for span in seen["spans"] for name in span["events"]},
            "metrics": set(seen["metrics"]),
        }
        missing = {kind: set(names) - there[kind] for kind, names in wanted.items()}
        if len(seen["spans"]) != spans or any(missing.values()):
            raise RuntimeError(f"expected {spans} spans and {missing}, got {seen}")

    def counted(self, metric: str, *figures: str, times: int = 1, more: int = 0) -> None:
        """See at the receiver that a metric counted every call that was made for figures of ours.

        Args:
            metric: Its name.
            figures: What was measured.
            times: How often one call counts.
            more: Calls that were made besides.

        Raises:
            RuntimeError: It did not.
        """
        found = self.sink.witness(lambda: None, self.flush)["metrics"].get(metric)
        calls = sum(made[key(what, "ours")] for what in figures) + more
        if found != calls * times:
            raise RuntimeError(f"{metric} counted {found} of {calls * times} calls")


class Sdk:
    """OpenTelemetry's SDK, with spans that are queued and metrics that are read by nobody."""

    def __init__(self, sampler: Sampler | None = None) -> None:
        provider = TracerProvider(sampler)
        self._processor = BatchSpanProcessor(
            Nowhere(),
            max_queue_size=1 << 16,
            max_export_batch_size=1 << 16,
            schedule_delay_millis=int(LONG),
        )
        provider.add_span_processor(self._processor)
        self.tracer = provider.get_tracer("bench")
        self.meter = MeterProvider([InMemoryMetricReader()]).get_meter("bench")

    def flush(self) -> None:
        """Let the spans go."""
        self._processor.force_flush()
