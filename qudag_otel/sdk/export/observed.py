"""The metrics of the SDK itself, read from the ledgers when somebody collects: recording is free.

The Python SDK's own switch turns its instruments on as well. What both would count, spans and
records as they are made and collections, is then left to the SDK.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from opentelemetry.metrics import CallbackOptions, Observation

from qudag_otel import identity
from qudag_otel.catalogue import attributes as a
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue import sdk as c
from qudag_otel.catalogue._model import Instrument
from qudag_otel.instruments import SCOPE, scope_version
from qudag_otel.sdk.export.batch import BatchLogs, BatchSpans
from qudag_otel.sdk.export.ledger import QUEUE_FULL
from qudag_otel.sdk.export.periodic import PeriodicReader
from qudag_otel.sdk.fast.price import Share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.metrics import MeterProvider

    from qudag_otel.catalogue import Metric
    from qudag_otel.sdk.export.exporting import Exporting
    from qudag_otel.sdk.fast.engine import Engine
    from qudag_otel.sdk.prometheus.reader import PrometheusReader

    Pairs = Mapping[str, str | int]
    Observe = Callable[[], Iterable[Observation]]

SWITCH: Final = "OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED"
_PROCESSOR: Final = {"traces": "batching_span_processor", "logs": "batching_log_processor"}
_PROTOCOL: Final = {
    "grpc": "otlp_grpc",
    "http/protobuf": "otlp_http",
    "http/json": "otlp_http_json",
}
_EXPORTER: Final = {"traces": "span", "metrics": "metric", "logs": "log"}
_PORTS: Final = {"http": 80, "https": 443}
_SAMPLED: Final = {c.SAMPLING_RESULT.key: "RECORD_AND_SAMPLE"}


class Observed:
    """Gives a meter provider the metrics of the queues, exporters and readers beside it.

    Args:
        meters: The meter provider.
    """

    def __init__(self, meters: MeterProvider) -> None:
        self._meter = meters.get_meter(SCOPE, scope_version())
        self._counted: Counter[str] = Counter()
        self._by_sdk = os.environ.get(SWITCH, "").strip().lower() == "true"
        self._observers: dict[str, list[Observe]] = {}

    def add(
        self,
        parts: Iterable[object],
        *,
        prometheus: PrometheusReader | None,
        engine: Engine,
    ) -> None:
        """Observe these.

        Args:
            parts: Processors and readers; others than ours are passed over.
            prometheus: What is behind /metrics.
            engine: The fast path.
        """
        ours = [part for part in parts if isinstance(part, (BatchSpans, BatchLogs, PeriodicReader))]
        for part in ours:
            self._exporter(part.export)
            if isinstance(part, PeriodicReader):
                part.collected = self._collections("periodic_metric_reader")
            else:
                self._processor(part)
        if prometheus is not None:
            prometheus.collected = self._collections("prometheus_http_text_metric_exporter")
        spans = next((part for part in ours if isinstance(part, BatchSpans)), None)
        if spans is not None:
            self._spans(spans, engine)
        logs = next((part for part in ours if isinstance(part, BatchLogs)), None)
        if logs is not None:
            self._logs(logs)

    def _component(self, kind: str) -> dict[str, str | int]:
        number = self._counted[kind]
        self._counted[kind] += 1
        return {c.COMPONENT_TYPE.key: kind, c.COMPONENT_NAME.key: f"{kind}/{number}"}

    def _exporter(self, export: Exporting) -> None:
        kind, signal = export.kind, export.signal
        if kind in _PROTOCOL:
            kind = f"{_PROTOCOL[kind]}_{_EXPORTER[signal]}_exporter"
        pairs = {**self._component(kind), **_server(export.where)}

        def exported() -> list[Observation]:
            ledger = export.ledger
            failed = dict(ledger.failed)
            return [
                Observation(ledger.delivered, pairs),
                *(Observation(n, {**pairs, c.FAILURE.key: why}) for why, n in failed.items()),
            ]

        self._observe(c.EXPORTED[signal], exported)
        self._observe(c.IN_FLIGHT[signal], lambda: [Observation(export.ledger.in_flight, pairs)])
        duration: Any = self._histogram(c.EXPORT_DURATION)

        def took(seconds: float, failure: str) -> None:
            duration.record(seconds, {**pairs, c.FAILURE.key: failure} if failure else pairs)

        export.took = took

    def _processor(self, part: BatchSpans | BatchLogs) -> None:
        signal = part.export.signal
        pairs = self._component(_PROCESSOR[signal])

        def processed() -> list[Observation]:
            ledger = part.export.ledger
            passed = ledger.delivered + sum(list(ledger.failed.values()))
            return [
                Observation(passed, pairs),
                *(
                    Observation(number, {**pairs, c.FAILURE.key: why})
                    for why, number in ledger.dropped.items()
                    if number or why == QUEUE_FULL
                ),
            ]

        self._observe(c.PROCESSED[signal], processed)
        self._observe(c.QUEUE_SIZE[signal], lambda: [Observation(len(part), pairs)])
        self._observe(c.QUEUE_CAPACITY[signal], lambda: [Observation(part.limit, pairs)])

    def _spans(self, spans: BatchSpans, engine: Engine) -> None:
        def live() -> int:
            of_sdk = 0 if self._by_sdk else int(spans.began) - int(spans.came)
            return of_sdk + engine.in_flight()

        def started() -> int:
            of_sdk = 0 if self._by_sdk else int(spans.began)
            return of_sdk + int(spans.calls) + engine.waiting() + engine.in_flight()

        self._observe(c.SPAN_LIVE, lambda: [Observation(live(), _SAMPLED)])
        self._observe(c.SPAN_STARTED, lambda: [Observation(started(), _SAMPLED)])

    def _logs(self, logs: BatchLogs) -> None:
        def created() -> int:
            return int(logs.came) - (int(logs.began) if self._by_sdk else 0)

        self._observe(c.LOG_CREATED, lambda: [Observation(created())])

    def _collections(self, kind: str) -> Callable[[float], None] | None:
        if self._by_sdk:
            return None
        duration: Any = self._histogram(c.COLLECTION_DURATION)
        pairs = self._component(kind)
        return lambda seconds: duration.record(seconds, pairs)

    def _histogram(self, metric: Metric) -> Any:
        return self._meter.create_histogram(
            metric.name, metric.unit, metric.description,
            explicit_bucket_boundaries_advisory=list(metric.bounds),
        )  # fmt: skip

    def _observe(self, metric: Metric, observe: Observe) -> None:
        found = self._observers.setdefault(metric.name, [])
        found.append(observe)
        if len(found) > 1:
            return  # one instrument a name, with the observations of all

        def callback(_: CallbackOptions) -> Iterable[Observation]:
            return [one for every in found for one in every()]

        create = {
            Instrument.COUNTER: self._meter.create_observable_counter,
            Instrument.UP_DOWN_COUNTER: self._meter.create_observable_up_down_counter,
        }[metric.instrument]
        create(metric.name, [callback], metric.unit, metric.description)


def observe_price(meters: MeterProvider, costs: Mapping[str, Callable[[], float]]) -> None:
    """Give a meter provider what telemetry costs the process.

    Args:
        meters: The meter provider.
        costs: What takes CPU time, each with its seconds so far.
    """
    meter = meters.get_meter(SCOPE, scope_version())
    share = Share(lambda: sum([cost() for cost in costs.values()]))

    def seconds(_: CallbackOptions) -> Iterable[Observation]:
        node = identity.node_id()
        return [
            Observation(cost(), {a.NODE_ID.key: node, a.COST.key: part})
            for part, cost in costs.items()
        ]

    def shares(_: CallbackOptions) -> Iterable[Observation]:
        return [Observation(share(), {a.NODE_ID.key: identity.node_id()})]

    for metric, create, callback in (
        (m.TELEMETRY_CPU, meter.create_observable_counter, seconds),
        (m.TELEMETRY_SHARE, meter.create_observable_gauge, shares),
    ):
        create(metric.name, [callback], metric.unit, metric.description)


def _server(where: str) -> Pairs:
    parts = urlsplit(where if "://" in where else f"//{where}")
    try:
        port = parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        port = None
    if not parts.hostname or " " in where:
        return {}
    return {
        c.SERVER_ADDRESS.key: parts.hostname,
        **({c.SERVER_PORT.key: port} if port is not None else {}),
    }
