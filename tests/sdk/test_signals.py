"""What the variables do to spans, metrics and logs before they are exported."""

from __future__ import annotations

import json
import logging
import logging.config
import threading
from typing import TYPE_CHECKING

import pytest
from opentelemetry import baggage, metrics, propagate, trace
from opentelemetry._logs import SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import View
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from qudag_otel.sdk import configure
from qudag_otel.sdk._records import severity
from tests.sdk.test_settings import NOTHING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.trace import ReadableSpan


def spans_with(variables: Mapping[str, str]) -> InMemorySpanExporter:
    """Set up with variables; what is sampled lands in the exporter returned."""
    exporter = InMemorySpanExporter()
    configure(environ={**NOTHING, **variables}, span_processors=[SimpleSpanProcessor(exporter)])
    return exporter


def remote(*, sampled: bool) -> Context:
    """A context whose parent came from another process."""
    flags = TraceFlags(TraceFlags.SAMPLED if sampled else TraceFlags.DEFAULT)
    return trace.set_span_in_context(NonRecordingSpan(SpanContext(7, 7, True, flags)))


@pytest.mark.parametrize(
    ("name", "argument", "root", "of_sampled", "of_unsampled"),
    [
        ("", "", True, True, False),
        ("always_on", "", True, True, True),
        ("always_off", "", False, False, False),
        ("traceidratio", "0", False, False, False),
        ("traceidratio", "", True, True, True),
        ("parentbased_always_on", "", True, True, False),
        ("parentbased_always_off", "", False, True, False),
        ("parentbased_traceidratio", "0", False, True, False),
        ("PARENTBASED_TRACEIDRATIO", " 1.0 ", True, True, False),
    ],
)
def test_sampler_decides_for_roots_and_children(
    name: str, argument: str, root: bool, of_sampled: bool, of_unsampled: bool
) -> None:
    """Each sampler by name, for a root and for children of both kinds of parent."""
    exporter = spans_with({"OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": argument})
    tracer = trace.get_tracer("t")
    tracer.start_span("root", Context()).end()
    tracer.start_span("of_sampled", remote(sampled=True)).end()
    tracer.start_span("of_unsampled", remote(sampled=False)).end()
    expected = {"root": root, "of_sampled": of_sampled, "of_unsampled": of_unsampled}
    found = {span.name for span in exporter.get_finished_spans()}
    assert found == {name for name, sampled in expected.items() if sampled}


def one_large_span(exporter: InMemorySpanExporter) -> ReadableSpan:
    """Record a span with four of everything, with values of four characters."""
    links = [trace.Link(SpanContext(1, n, is_remote=False), {str(k): "abcd" for k in range(4)})
             for n in range(1, 5)]  # fmt: skip
    span = trace.get_tracer("t").start_span("s", links=links)
    for number in range(4):
        span.set_attribute(str(number), "abcd")
        span.add_event("e", {str(k): "abcd" for k in range(4)})
    span.end()
    (finished,) = exporter.get_finished_spans()
    return finished


def test_limits_general_variable_holds_for_spans_events_and_links() -> None:
    """One count and one length for all."""
    span = one_large_span(
        spans_with({"OTEL_ATTRIBUTE_COUNT_LIMIT": "3", "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "2"})
    )
    assert span.attributes is not None
    assert dict(span.attributes) == {"1": "ab", "2": "ab", "3": "ab"}
    assert {len(event.attributes or {}) for event in span.events} == {3}
    assert {len(link.attributes or {}) for link in span.links} == {3}


def test_limits_specific_variables_win() -> None:
    """Spans, events and links each have their own."""
    span = one_large_span(
        spans_with(
            {
                "OTEL_ATTRIBUTE_COUNT_LIMIT": "4",
                "OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT": "1",
                "OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT": "2",
                "OTEL_LINK_ATTRIBUTE_COUNT_LIMIT": "3",
                "OTEL_SPAN_EVENT_COUNT_LIMIT": "2",
                "OTEL_SPAN_LINK_COUNT_LIMIT": "0",
                "OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT": "1",
            }
        )
    )
    assert span.attributes is not None
    assert dict(span.attributes) == {"3": "a"}
    assert [len(event.attributes or {}) for event in span.events] == [2, 2]
    assert list(span.links) == []


def test_limits_of_log_records() -> None:
    """Log records have their own, too, and fall back to the general ones."""
    with pytest.warns(UserWarning, match="attributes were dropped"):
        records = logs_with(
            {
                "OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT": "100",
                "OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT": "3",
                "OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT": "2",
            },
            lambda: logging.getLogger("app").warning("m", extra={"a": "abcdef"}),
        )
    attributes = records[0].log_record.attributes
    assert attributes is not None
    assert len(attributes) == 2
    assert all(len(str(value)) <= 3 or isinstance(value, int) for value in attributes.values())


@pytest.mark.parametrize(
    ("variable", "fields"),
    [
        ("", {"traceparent", "baggage"}),
        ("tracecontext", {"traceparent"}),
        ("baggage", {"baggage"}),
        ("none", set()),
    ],
)
def test_propagators_inject_what_is_named(variable: str, fields: set[str]) -> None:
    """Headers of the propagators in the variable, and no others."""
    configure(environ={**NOTHING, "OTEL_PROPAGATORS": variable})
    carrier: dict[str, str] = {}
    with trace.get_tracer("t").start_as_current_span("s"):
        propagate.inject(carrier, baggage.set_baggage("k", "v"))
    assert set(carrier) == fields


@pytest.mark.parametrize(
    ("variable", "expected"),
    [("", {"inside"}), ("always_on", {"inside", "outside"}), ("always_off", set())],
)
def test_exemplar_filter_chooses(variable: str, expected: set[str]) -> None:
    """By default measurements inside a sampled span, else all or none."""
    reader = InMemoryMetricReader()
    configure(
        environ={**NOTHING, "OTEL_METRICS_EXEMPLAR_FILTER": variable}, metric_readers=[reader]
    )
    histogram = metrics.get_meter("t").create_histogram("h")
    histogram.record(1, {"where": "outside"})
    with trace.get_tracer("t").start_as_current_span("s"):
        histogram.record(1, {"where": "inside"})
    data = reader.get_metrics_data()
    assert data is not None
    points = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    assert {str((p.attributes or {})["where"]) for p in points if p.exemplars} == expected


def test_views_and_readers_of_the_application_are_used() -> None:
    """A view given to configure() renames what a reader given to it sees."""
    reader = InMemoryMetricReader()
    configure(
        environ=NOTHING,
        metric_readers=[reader],
        views=[View(instrument_name="old", name="new")],
    )
    metrics.get_meter("t").create_counter("old").add(1)
    data = reader.get_metrics_data()
    assert data is not None
    assert data.resource_metrics[0].scope_metrics[0].metrics[0].name == "new"


class Hanging(SpanProcessor):
    """Never finishes."""

    def __init__(self) -> None:
        self.release = threading.Event()

    def shutdown(self) -> None:
        """Wait for the test's end."""
        self.release.wait()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Wait for the test's end."""
        self.release.wait()
        return True


def test_hanging_processor_of_the_application_is_not_waited_for() -> None:
    """Flush and shutdown return in time and say that not all is well."""
    hanging = Hanging()
    telemetry = configure(environ=NOTHING, span_processors=[hanging])
    assert not telemetry.force_flush(0.05)
    assert not telemetry.shutdown(0.05)
    assert not telemetry.shutdown()  # once closed, the answer stays
    hanging.release.set()


def test_telemetry_is_a_context_manager() -> None:
    """The end of the block closes it."""
    with configure(environ=NOTHING) as telemetry:
        assert telemetry.live
    assert not telemetry.live
    assert not telemetry.force_flush()


def test_console_exporters_print_every_signal(capsys: pytest.CaptureFixture[str]) -> None:
    """Console writes spans, metrics and records to stdout."""
    telemetry = configure(
        environ={}, traces_exporter="console", metrics_exporter="console", logs_exporter="console"
    )
    with trace.get_tracer("t").start_as_current_span("printed-span"):
        logging.getLogger("app").warning("printed-record")
    metrics.get_meter("t").create_counter("printed_metric").add(1)
    assert telemetry.force_flush()
    printed = capsys.readouterr().out
    for what in ("printed-span", "printed-record", "printed_metric"):
        assert what in printed


# -- the bridge from the standard library's logging


def logs_with(variables: Mapping[str, str], act: object) -> Sequence[ReadableLogRecord]:
    """Set up with variables, act, and return the records that reached the provider."""
    exporter = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]  # the SDK's
    configure(
        environ={**NOTHING, **variables},
        log_record_processors=[SimpleLogRecordProcessor(exporter)],
    )
    assert callable(act)
    act()
    return exporter.get_finished_logs()


def test_bridge_translates_message_extras_exception_and_place() -> None:
    """All that a record holds, as attributes of the semantic conventions."""

    def act() -> None:
        try:
            dict[str, int]()["missing"]
        except KeyError:
            logging.getLogger("app.part").exception(
                "no %s", "key", extra={"n": 1, "list": [1, object], "map": {2: 3.5}}
            )

    (record,) = logs_with({}, act)
    log = record.log_record
    assert (log.body, log.severity_text, log.severity_number) == (
        "no key", "ERROR", SeverityNumber.ERROR,
    )  # fmt: skip
    assert record.instrumentation_scope is not None
    assert record.instrumentation_scope.name == "app.part"
    attributes = dict(log.attributes or {})
    assert attributes["exception.type"] == "KeyError"
    assert attributes["exception.message"] == "'missing'"
    assert "Traceback" in str(attributes["exception.stacktrace"])
    assert attributes["code.function.name"] == "act"
    assert str(attributes["code.file.path"]).endswith("test_signals.py")
    assert attributes["n"] == 1
    assert json.loads(json.dumps(attributes["map"])) == {"2": 3.5}


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        (0, "UNSPECIFIED"), (5, "TRACE4"), (10, "DEBUG"), (12, "DEBUG3"), (19, "DEBUG4"),
        (20, "INFO"), (30, "WARN"), (40, "ERROR"), (50, "FATAL"), (99, "FATAL4"),
    ],
)  # fmt: skip
def test_bridge_severity_translates(level: int, expected: str) -> None:
    """Levels between the named ones land between them."""
    assert severity(level).name == expected


def test_bridge_leaves_the_application_free_to_set_logging_up(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """BasicConfig and dictConfig work as without us, and records still arrive."""

    def act() -> None:
        root = logging.getLogger()
        handlers = root.handlers[:]
        root.handlers.clear()  # the test runner's
        try:
            logging.getLogger("app").warning("before")
            logging.basicConfig(format="basic %(message)s")
            logging.getLogger("app").warning("after")
            logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
            logging.getLogger("app").error("later")
        finally:
            root.handlers[:] = handlers

    records = logs_with({}, act)
    assert [record.log_record.body for record in records] == ["before", "after", "later"]
    # The last resort of the standard library still writes what nobody handles.
    assert capsys.readouterr().err.splitlines()[:2] == ["before", "basic after"]


def test_bridge_follows_levels_and_propagation() -> None:
    """A record that a root handler would not see is not exported."""

    def act() -> None:
        quiet = logging.getLogger("quiet")
        quiet.setLevel(logging.ERROR)
        quiet.warning("below the level")
        alone = logging.getLogger("alone")
        alone.propagate = False
        logging.getLogger("alone.child").error("not propagated")
        logging.getLogger("app").error("seen")
        alone.propagate = True

    assert [record.log_record.body for record in logs_with({}, act)] == ["seen"]


def test_bridge_can_be_turned_off() -> None:
    """OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED=false leaves logging alone."""
    records = logs_with(
        {"OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED": "false"},
        lambda: logging.getLogger("app").error("unseen"),
    )
    assert list(records) == []


def test_bridge_mismatched_arguments_are_exported_as_they_are(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message whose arguments do not fit is a record with both, no warning and no exception."""
    monkeypatch.setattr(logging, "raiseExceptions", False)  # the runner's handlers would raise

    def act() -> None:
        logging.getLogger("app").error("one place: %s", *("too", "many"))
        logging.getLogger("app").error("fine")

    with monkeypatch.context() as patch:
        patch.setattr(logging.getLogger(), "handlers", [])
        patch.setattr(logging, "lastResort", None)
        patch.setattr(logging.getLogger("qudag_otel"), "handlers", [caplog.handler])
        records = logs_with({}, act)
    assert [record.log_record.body for record in records] == [
        "one place: %s ['too', 'many']",
        "fine",
    ]
    assert not caplog.records
