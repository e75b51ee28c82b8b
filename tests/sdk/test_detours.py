"""Each reason for which spans of calls go round the fast path is told, and is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler, SamplingResult

from qudag_otel import configure, instrumented, sdk
from qudag_otel.sdk.fast.call import FastSpan
from qudag_otel.sdk.settings import sampling

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qudag_otel.sdk import Telemetry


class OwnIds(RandomIdGenerator):
    """An id generator of the application's."""


class OwnSampler(Sampler):
    """A sampler of the application's."""

    def should_sample(self, *words: Any, **named: Any) -> SamplingResult:
        """As the SDK's."""
        return ALWAYS_ON.should_sample(*words, **named)

    def get_description(self) -> str:
        """Its name."""
        return "own"


class Started(SpanProcessor):
    """Wants to see spans start."""

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Look at one."""


class Ended(SpanProcessor):
    """Only wants ended spans."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Note one."""
        self.names.append(span.name)


@pytest.fixture(autouse=True)
def _undone() -> Iterator[None]:
    yield
    sdk.reset()


def _configured(**arguments: Any) -> Telemetry:
    return configure(
        traces_exporter="none", metrics_exporter="none", logs_exporter="none",
        sigterm=False, environ={}, **arguments,
    )  # fmt: skip


def _is_light() -> bool:
    return instrumented(name="work")(lambda: type(trace.get_current_span()) is FastSpan)()


def _own_sampler(_: object) -> Sampler:
    return OwnSampler()


def _own_ids(_: object) -> RandomIdGenerator:
    return OwnIds()


def _sampler(patch: pytest.MonkeyPatch) -> Telemetry:
    patch.setattr(sampling, "sampler", _own_sampler)
    return _configured()


def _ids(patch: pytest.MonkeyPatch) -> Telemetry:
    patch.setattr(sampling, "id_generator", _own_ids)
    return _configured()


def _own_traces(_: pytest.MonkeyPatch) -> Telemetry:
    trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))
    return _configured()


def _own_metrics(_: pytest.MonkeyPatch) -> Telemetry:
    metrics.set_meter_provider(MeterProvider(shutdown_on_exit=False))
    return _configured()


def _late(_: pytest.MonkeyPatch) -> Telemetry:
    telemetry = _configured()
    provider: Any = trace.get_tracer_provider()
    provider.add_span_processor(Started())
    return telemetry


REASONS: dict[str, Callable[[pytest.MonkeyPatch], Telemetry]] = {
    "the span processor Started sees": lambda _: _configured(span_processors=[Started()]),
    "the span processor SimpleSpanProcessor sees": lambda _: _configured(
        span_processors=[SimpleSpanProcessor(InMemorySpanExporter())]
    ),
    "the span processor Started sees spans start": _late,
    "the sampler OwnSampler has to be asked": _sampler,
    "the id generator OwnIds makes": _ids,
    "the application has set its own provider of traces": _own_traces,
    "the application has set its own provider of metrics": _own_metrics,
}


@pytest.mark.parametrize("reason", REASONS)
def test_reason_is_named_and_calls_get_full_spans(
    reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One reason each, by the name of what causes it."""
    (told,) = REASONS[reason](monkeypatch).detours
    assert told.startswith(reason)
    assert not _is_light()


def test_without_a_reason_nothing_is_told() -> None:
    """Calls have light spans."""
    assert _configured().detours == ()
    assert _is_light()


def test_processor_of_ended_spans_that_comes_late_keeps_the_fast_path() -> None:
    """It gets what ends from then on; a flush of the provider hands it all over."""
    telemetry = _configured()
    assert _is_light()
    provider: Any = trace.get_tracer_provider()
    exporter, ended = InMemorySpanExporter(), Ended()
    provider.add_span_processor(ended)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    assert _is_light()
    assert telemetry.detours == ()
    assert provider.force_flush()
    assert ended.names == ["work"]
    assert [span.name for span in exporter.get_finished_spans()] == ["work"]
