"""The capture of spans, metrics and logs, as a test author uses it."""

from __future__ import annotations

import logging
import threading

import pytest
from opentelemetry import _logs, metrics, trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind, StatusCode

from qudag_otel import instruments
from qudag_otel.catalogue import metrics as m
from qudag_otel.testing import Captured, Log, capture

# As third-party code does, before any provider is set.
_EARLY_TRACER = trace.get_tracer("early")
_EARLY_COUNTER = metrics.get_meter("early").create_counter("early.calls")


def _fail() -> None:
    raise ValueError("no")


class TestSpans:
    def test_span_with_child_reports_the_tree(self, telemetry: Captured) -> None:
        """A span tells its name, kind, attributes, ids and parent."""
        with (
            _EARLY_TRACER.start_as_current_span("outer", kind=SpanKind.SERVER, attributes={"k": 1}),
            _EARLY_TRACER.start_as_current_span("inner"),
        ):
            pass
        outer, inner = telemetry.span("outer"), telemetry.span("inner")
        assert (outer.kind, outer.attributes, outer.parent) == ("server", {"k": 1}, None)
        assert (inner.parent, inner.parent_id, inner.trace_id) == ("outer", 1, 1)
        assert (outer.span_id, inner.span_id) == (1, 2)
        assert 0 <= outer.start <= inner.start <= inner.end <= outer.end
        assert inner.duration == inner.end - inner.start
        assert inner.scope == "early"

    def test_span_of_failed_work_carries_status_and_event(self, telemetry: Captured) -> None:
        """An exception is the status and an event of its span."""
        with (
            pytest.raises(ValueError, match="no"),
            _EARLY_TRACER.start_as_current_span("work"),
        ):
            _fail()
        span = telemetry.span("work")
        assert (span.status, span.description) == ("error", "ValueError: no")
        (event,) = span.events
        assert event.name == "exception"
        assert event.attributes["exception.type"] == "ValueError"
        assert span.start <= event.time <= span.end

    def test_span_with_link_reports_the_linked_ids(self, telemetry: Captured) -> None:
        """Links are told by trace id and span id."""
        first = _EARLY_TRACER.start_span("first")
        _EARLY_TRACER.start_span("second", links=[trace.Link(first.get_span_context())]).end()
        assert telemetry.span("second").links == ((1, 1),)

    def test_span_whose_parent_runs_has_no_parent_name(self, telemetry: Captured) -> None:
        """The name of a parent is known once the parent has ended; its id is known at once."""
        with _EARLY_TRACER.start_as_current_span("outer"):
            _EARLY_TRACER.start_span("inner").end()
            assert telemetry.span("inner").parent is None
            assert telemetry.span("inner").parent_id == 1
        assert telemetry.span("inner").parent == "outer"

    def test_spans_of_threads_are_all_captured(self, telemetry: Captured) -> None:
        """Spans may end in any thread, and every one has an id of its own."""
        threads = [
            threading.Thread(target=lambda: _EARLY_TRACER.start_span("t").end()) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({span.span_id for span in telemetry.spans}) == 8

    def test_span_asked_by_attribute_is_told_from_its_namesake(self, telemetry: Captured) -> None:
        """Attributes choose among spans of one name."""
        for shard in (1, 2):
            _EARLY_TRACER.start_span("load", attributes={"shard": shard}).end()
        assert telemetry.span("load", shard=2).span_id == 2

    def test_span_unknown_fails_with_the_captured_tree(self, telemetry: Captured) -> None:
        """A wrong name fails with what was captured, as a tree."""
        with (
            _EARLY_TRACER.start_as_current_span("outer", attributes={"k": 1}),
            _EARLY_TRACER.start_as_current_span("inner") as inner,
        ):
            inner.set_status(StatusCode.OK)
        with pytest.raises(AssertionError) as failure:
            telemetry.span("iner")
        assert str(failure.value) == (
            "no span 'iner'; captured:\n  outer [unset] {'k': 1}\n    inner [ok] {}"
        )

    def test_span_ambiguous_fails_with_the_count(self, telemetry: Captured) -> None:
        """A question with two answers is not answered by chance."""
        for _ in range(2):
            _EARLY_TRACER.start_span("load").end()
        with pytest.raises(AssertionError, match=r"^2 times span 'load'; captured:"):
            telemetry.span("load")

    def test_span_unknown_among_many_fails_with_a_short_list(self, telemetry: Captured) -> None:
        """A failure message stays readable after a thousand spans."""
        for _ in range(1000):
            _EARLY_TRACER.start_span("load").end()
        with pytest.raises(AssertionError, match=r"and 980 more$"):
            telemetry.span("store")

    def test_span_in_empty_capture_fails_with_nothing(self, telemetry: Captured) -> None:
        """An empty capture says so."""
        with pytest.raises(AssertionError, match=r"^no span 'load'; captured: nothing$"):
            telemetry.span("load")


class TestMetrics:
    def test_value_of_counter_is_found_by_either_name(self, telemetry: Captured) -> None:
        """A catalogue metric answers to its Prometheus and to its OpenTelemetry name."""
        instruments.series(m.ERRORS, component="pool", error_type="E", node_id="n").add(2)
        assert telemetry.value(m.ERRORS.prometheus_name) == 2
        assert telemetry.value(m.ERRORS.name, component="pool") == 2
        (point,) = telemetry.points(m.ERRORS.name)
        assert (point.kind, point.unit) == ("counter", "{error}")
        assert point.labels == {"node_id": "n", "component": "pool", "error_type": "E"}

    def test_value_of_counter_with_several_series_adds_them(self, telemetry: Captured) -> None:
        """Labels that are not named are summed over."""
        for kind in ("A", "B"):
            instruments.series(m.ERRORS, component="pool", error_type=kind).add(1)
        assert telemetry.value(m.ERRORS.name, component="pool") == 2

    def test_value_of_gauge_is_the_latest_until_set_again(self, telemetry: Captured) -> None:
        """A gauge keeps its value from one question to the next."""
        series = instruments.series(m.COMPRESSION_RATIO, compression_type="zstd")
        series.set(0.25)
        series.set(0.5)
        assert [telemetry.value(m.COMPRESSION_RATIO.name) for _ in range(2)] == [0.5, 0.5]

    def test_value_of_gauge_with_several_series_fails(self, telemetry: Captured) -> None:
        """Gauges are not added up."""
        for kind in ("zstd", "lz4"):
            instruments.series(m.COMPRESSION_RATIO, compression_type=kind).set(0.5)
        with pytest.raises(AssertionError, match=r"^2 times series 'qudag.compression'"):
            telemetry.value(m.COMPRESSION_RATIO.name)

    def test_value_of_up_down_counter_returns_to_zero(self, telemetry: Captured) -> None:
        """An up-down counter is read as it stands."""
        counter = metrics.get_meter("app").create_up_down_counter("active")
        counter.add(2)
        assert telemetry.value("active") == 2
        counter.add(-2)
        assert telemetry.value("active") == 0
        assert telemetry.points("active")[0].kind == "updowncounter"

    def test_value_of_observed_gauge_is_read_when_asked(self, telemetry: Captured) -> None:
        """Asynchronous instruments are observed at the moment of the question."""
        held = [1.0]
        stop = instruments.observe(m.CACHE_MEMORY, lambda: [({"cache_type": "x"}, held[0])])
        try:
            assert telemetry.value(m.CACHE_MEMORY.name) == 1
            held[0] = 2.0
            assert telemetry.value(m.CACHE_MEMORY.name) == 2
        finally:
            stop()

    def test_histogram_reports_count_sum_and_cumulative_buckets(self, telemetry: Captured) -> None:
        """A histogram has the catalogue's bounds and counts up to each of them."""
        series = instruments.series(m.CHUNKING_DURATION, message_size_bucket="small")
        for value in (0.5, 0.5, 1.0):
            series.record(value)
        assert telemetry.histogram(m.CHUNKING_DURATION.name) == (3, 2.0)
        assert telemetry.value(m.CHUNKING_DURATION.name) == 3
        buckets = dict(telemetry.points(m.CHUNKING_DURATION.name)[0].buckets)
        assert (buckets[0.25], buckets[0.5], buckets[1.0], buckets[float("inf")]) == (0, 2, 3, 3)

    def test_histogram_recorded_in_a_span_has_its_trace_as_exemplar(
        self, telemetry: Captured
    ) -> None:
        """A point names the traces that it was recorded in."""
        with _EARLY_TRACER.start_as_current_span("work"):
            instruments.series(m.CHUNKING_DURATION, message_size_bucket="small").record(0.5)
        assert telemetry.points(m.CHUNKING_DURATION.name)[0].exemplars == (1,)

    def test_histogram_of_a_counter_fails_with_its_kind(self, telemetry: Captured) -> None:
        """Asking a counter for a distribution says what it is."""
        _EARLY_COUNTER.add(1)
        with pytest.raises(AssertionError, match=r"^'early.calls' is a counter, not a histogram$"):
            telemetry.histogram("early.calls")

    def test_value_unknown_fails_with_the_captured_series(self, telemetry: Captured) -> None:
        """A wrong label fails with the series that exist."""
        _EARLY_COUNTER.add(3, {"shard": "1"})
        with pytest.raises(AssertionError) as failure:
            telemetry.value("early.calls", shard="2")
        told = str(failure.value)
        assert told.startswith("no series 'early.calls' with {'shard': '2'}; captured:\n  ")
        assert "\n  early.calls{shard='1'} 3 (counter)" in told

    def test_points_of_unknown_metric_are_none(self, telemetry: Captured) -> None:
        """Absence can be asserted."""
        assert telemetry.points("nothing") == []


class TestLogs:
    def test_log_of_logging_carries_extras_and_span(self, telemetry: Captured) -> None:
        """A record of the logging module is told with its extras and the current span."""
        with _EARLY_TRACER.start_as_current_span("work"):
            logging.getLogger("app").warning("lost %s", "peer", extra={"peer": "b"})
        assert telemetry.logs == (
            Log(
                body="lost peer",
                severity="warning",
                attributes={"peer": "b"},
                logger="app",
                trace_id=1,
                span_id=1,
            ),
        )

    def test_log_of_an_exception_names_it(self, telemetry: Captured) -> None:
        """`logger.exception` is captured with type and message."""
        try:
            _fail()
        except ValueError:
            logging.getLogger("app").exception("broken")
        attributes = telemetry.log("broken").attributes
        assert attributes == {"exception.type": "ValueError", "exception.message": "no"}

    def test_log_of_the_logs_api_is_captured(self, telemetry: Captured) -> None:
        """A record of OpenTelemetry's own logs API is told in the same form."""
        _logs.get_logger("app").emit(
            LogRecord(severity_number=SeverityNumber.ERROR2, body="bad", attributes={"k": 1})
        )
        log = telemetry.log("bad", k=1)
        assert (log.severity, log.logger, log.trace_id) == ("error", "app", 0)

    def test_log_unknown_fails_with_the_captured_records(self, telemetry: Captured) -> None:
        """A wrong text fails with the records that exist."""
        logging.getLogger("app").error("broken", extra={"n": 1})
        with pytest.raises(AssertionError) as failure:
            telemetry.log("fixed")
        expected = "no log record 'fixed'; captured:\n  error: broken {'n': 1}"
        assert str(failure.value) == expected


class TestReset:
    @pytest.mark.parametrize("_", ["first", "second"])
    def test_capture_of_every_test_starts_empty(self, telemetry: Captured, _: str) -> None:
        """What one test records, the next does not see; what it holds still works."""
        assert (telemetry.spans, telemetry.logs, telemetry.points("early.calls")) == ([], (), [])
        _EARLY_TRACER.start_span("work").end()
        _EARLY_COUNTER.add(1)
        logging.getLogger("app").warning("once")
        instruments.series(m.ERRORS, component="c", error_type="E").add(1)
        assert telemetry.span("work").trace_id == 1
        assert telemetry.value("early.calls") == 1
        assert telemetry.value(m.ERRORS.name) == 1
        assert repr(telemetry) == "<Captured: 1 spans, 1 logs>"

    def test_capture_nested_keeps_the_outer_one_apart(self, telemetry: Captured) -> None:
        """The inner capture takes all until it ends; ids of the outer one go on."""
        _EARLY_TRACER.start_span("before").end()
        with capture() as inner:
            _EARLY_TRACER.start_span("within").end()
            _EARLY_COUNTER.add(1)
        _EARLY_TRACER.start_span("after").end()
        _EARLY_COUNTER.add(5)
        assert [span.name for span in inner.spans] == ["within"]
        assert [(span.name, span.span_id) for span in telemetry.spans] == [
            ("before", 1),
            ("after", 2),
        ]
        assert telemetry.value("early.calls") == 5

    def test_capture_after_an_error_restores_the_providers(self) -> None:
        """A failing block leaves OpenTelemetry and logging as they were."""
        before = (
            trace.get_tracer_provider(),
            metrics.get_meter_provider(),
            _logs.get_logger_provider(),
            list(logging.getLogger().handlers),
        )
        with pytest.raises(ValueError, match="no"), capture():
            _fail()
        assert before == (
            trace.get_tracer_provider(),
            metrics.get_meter_provider(),
            _logs.get_logger_provider(),
            list(logging.getLogger().handlers),
        )

    def test_capture_over_a_set_provider_lends_its_place(self, telemetry: Captured) -> None:
        """A provider that is already set, here the fixture's, is back afterwards."""
        outer = trace.get_tracer_provider()
        with capture():
            # The API refuses a second provider, as it does in an application.
            trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))
            _EARLY_TRACER.start_span("within").end()
        assert trace.get_tracer_provider() is outer
        assert telemetry.spans == []

    def test_capture_while_the_sdk_is_disabled_stays_empty(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """OTEL_SDK_DISABLED is obeyed."""
        monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
        with capture() as captured:
            trace.get_tracer("app").start_span("work").end()
            logging.getLogger("app").warning("hidden")
        assert (captured.spans, captured.logs, captured.points("early.calls")) == ([], (), [])

    def test_span_after_the_capture_is_not_kept(self) -> None:
        """A tracer that outlives its capture works on and is not recorded."""
        with capture() as captured:
            tracer = trace.get_tracer("app")
        span = tracer.start_span("late")
        span.end()
        assert captured.spans == []
        assert span.get_span_context().trace_id > 1
