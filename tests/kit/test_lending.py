"""A capture beside what the application set up itself: everything is seen, and given back."""

from __future__ import annotations

import logging
import logging.config
from typing import TYPE_CHECKING

import pytest
from opentelemetry import _logs, metrics, trace
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from qudag_otel import configure, instrumented
from qudag_otel._series.observers import observe
from qudag_otel.catalogue import metrics as m
from qudag_otel.instruments import series
from qudag_otel.sdk import reset
from qudag_otel.testing import capture
from qudag_otel.testing._convert import points

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.metrics import Counter

    from qudag_otel.testing import Captured

ENVIRONMENT = {
    "OTEL_TRACES_EXPORTER": "none",
    "OTEL_METRICS_EXPORTER": "none",
    "OTEL_LOGS_EXPORTER": "none",
}


@pytest.fixture
def clean() -> Iterator[None]:
    """A process without telemetry before and after."""
    reset()
    yield
    reset()


@pytest.mark.usefixtures("clean")
@pytest.mark.parametrize("fast", [True, False])
def test_capture_after_configure_sees_what_was_made_before_it(fast: bool) -> None:
    """Functions, tracers, instruments, series and loggers; the application's own see none of it."""
    spans, records, reader = (
        InMemorySpanExporter(),
        InMemoryLogRecordExporter(),  # type: ignore[no-untyped-call]  # theirs
        InMemoryMetricReader(),
    )
    configure(
        environ=ENVIRONMENT,
        metric_readers=[reader],
        span_processors=[] if fast else [SimpleSpanProcessor(spans)],
        log_record_processors=[SimpleLogRecordProcessor(records)],
    )

    @instrumented(name="load")
    def load() -> None:
        pass

    tracer = trace.get_tracer("app")
    counter = metrics.get_meter("app").create_counter("made.before")
    bound = series(m.POOL_HITS, pool_type="p", node_id="n")
    logger = _logs.get_logger("app")

    def use() -> None:
        load()
        tracer.start_span("by hand").end()
        counter.add(1)
        bound.add()
        logger.emit(LogRecord(body="api"))
        logging.getLogger("app").warning("library")

    def own() -> dict[str, float]:
        return {point.metric: point.value for point in points(reader.get_metrics_data())}

    use()
    with capture() as captured:
        assert (captured.spans, captured.logs) == ([], ())
        use()
        assert sorted(span.name for span in captured.spans) == ["by hand", "load"]
        assert captured.value(m.OPERATION_DURATION.name, operation="load", outcome="ok") == 1
        assert captured.value("made.before") == captured.value(m.POOL_HITS.name) == 1
        assert [log.body for log in captured.logs] == ["api", "library"]
    use()
    assert (own()["made.before"], own()[m.POOL_HITS.name]) == (2, 2)
    assert own()[m.OPERATION_DURATION.name] == 2
    assert len(records.get_finished_logs()) == 4
    if not fast:
        assert len(spans.get_finished_spans()) == 4


@pytest.mark.usefixtures("clean")
def test_capture_leaves_out_what_telemetry_says_of_itself() -> None:
    """A test that asks for a series is shown those that the application has, nothing else."""
    reader = InMemoryMetricReader()
    configure(environ=ENVIRONMENT, metric_readers=[reader])
    counter = metrics.get_meter("app").create_counter("made.before")
    with capture() as captured:
        counter.add(1)
        with pytest.raises(AssertionError) as failure:
            captured.value("made.before", shard="2")
    assert "\n  made.before{} 1 (counter)" in str(failure.value)
    assert "qudag.telemetry" not in str(failure.value)
    assert m.TELEMETRY_CPU.name in {point.metric for point in points(reader.get_metrics_data())}


@pytest.mark.usefixtures("clean")
def test_observers_are_asked_once_however_many_providers_there_have_been() -> None:
    """A question costs the same after a hundred set-ups as after one."""
    asked: list[int] = []

    def level() -> list[tuple[dict[str, str], float]]:
        asked.append(1)
        return [({"node_id": "n"}, 3.0)]

    stop = observe(m.PROCESS_MEMORY, level)
    try:
        for _ in range(3):
            configure(environ=ENVIRONMENT, metric_readers=[InMemoryMetricReader()])
            with capture():
                pass
            reset()
        asked.clear()
        with capture() as captured:
            assert captured.value(m.PROCESS_MEMORY.name) == 3
    finally:
        stop()
    assert len(asked) == 1


def test_capture_sees_instruments_of_an_earlier_one() -> None:
    """What a cached function made in one test counts from zero in the next."""
    made: list[Counter] = []
    for _ in range(2):
        with capture() as captured:
            made = made or [metrics.get_meter("shop").create_counter("made.earlier")]
            made[0].add(1)
            assert captured.value("made.earlier") == 1


@pytest.mark.parametrize(
    "set_up",
    [
        lambda: logging.basicConfig(force=True, handlers=[logging.NullHandler()]),
        lambda: logging.config.dictConfig({"version": 1, "disable_existing_loggers": False}),
        logging.getLogger().handlers.clear,
    ],
)
def test_capture_goes_on_after_logging_is_set_up(
    telemetry: Captured, set_up: Callable[[], None]
) -> None:
    """Handlers may come and go."""
    handlers = logging.getLogger().handlers[:]
    try:
        set_up()
        logging.getLogger("app").warning("still here")
    finally:
        logging.getLogger().handlers[:] = handlers
    assert telemetry.log("still here").severity == "warning"
