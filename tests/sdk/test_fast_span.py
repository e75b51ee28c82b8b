"""The light span that is current while a decorated function runs."""

from __future__ import annotations

import asyncio
import contextlib
import copy
import functools
import os
import textwrap
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.trace import Link, NonRecordingSpan, SpanContext, StatusCode, TraceFlags

from qudag_otel import configure, instrumented, sdk
from qudag_otel._calls.plain import bind
from qudag_otel._calls.registry import bound_with
from qudag_otel._calls.signal import SIGNALS
from qudag_otel._otel.context import CALL_KEY, SPAN_KEY
from qudag_otel.sdk import _redacting as redacting
from qudag_otel.sdk.fast.call import FastSpan
from qudag_otel.sdk.fast.ended import EndedSpan
from qudag_otel.sdk.fast.engine import Engine
from qudag_otel.sdk.fast.export import CallExporter
from qudag_otel.sdk.fast.site import FastSite
from tests.sdk import programs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

READABLE = sorted(
    name
    for name in dir(ReadableSpan)
    if not name.startswith(("_", "instrumentation_info"))
    and not callable(getattr(ReadableSpan, name))
)


class Road:
    """The fast road with providers of a test's own."""

    def __init__(self, limits: SpanLimits | None = None) -> None:
        self.finished: list[FastSpan] = []
        self.tracers = TracerProvider(shutdown_on_exit=False, span_limits=limits)
        self.engine = Engine(
            self.tracers, MeterProvider(shutdown_on_exit=False), [self.finished.extend]
        )

    def exported(self) -> list[ReadableSpan]:
        """What has ended so far."""
        self.engine.drain_all()
        return [call.site.readable(call) for call in self.finished]


@pytest.fixture
def road() -> Iterator[Road]:
    """The fast road."""
    yield from _installed(SpanLimits(max_events=4, max_attributes=8))


@pytest.fixture
def wide_road() -> Iterator[Road]:
    """The same with the limits that most have: what a call adds is encoded without the SDK."""
    yield from _installed(None)


def _installed(limits: SpanLimits | None) -> Iterator[Road]:
    with bound_with(bind):
        made = Road(limits)
        made.engine.install()
        yield made
        made.engine.uninstall()


def test_span_in_hand_answers_as_the_sdk_s_does(road: Road) -> None:
    """Log processors, bridges and users read what it is and what has been done to it."""
    linked = Link(SpanContext(7, 8, is_remote=True))

    @instrumented(name="child", kind=trace.SpanKind.CLIENT, links=[linked], attributes={"a": 1})
    def child() -> None:
        span: Any = trace.get_current_span()
        assert isinstance(span, FastSpan)
        span.set_attribute("b", [1, 2])
        span.add_event("event", {"c": 3})
        span.set_status(StatusCode.ERROR, "said so")
        seen.append({name: getattr(span, name) for name in READABLE})
        seen.append(span.is_recording())
        held.append(span)

    @instrumented(name="parent")
    def parent() -> SpanContext:
        child()
        return trace.get_current_span().get_span_context()

    seen: list[Any] = []
    held: list[Any] = []
    above = parent()
    found, recording = seen
    assert recording
    assert (found["name"], found["kind"]) == ("child", trace.SpanKind.CLIENT)
    assert (found["parent"].span_id, found["parent"].trace_id) == (above.span_id, above.trace_id)
    assert (found["attributes"]["a"], found["attributes"]["b"]) == (1, (1, 2))
    assert [event.name for event in found["events"]] == ["event"]
    assert [link.context.span_id for link in found["links"]] == [8]
    assert found["status"].description == "said so"
    assert found["start_time"] > 0
    assert found["end_time"] is None
    assert found["resource"] is road.tracers.resource
    assert held[0].end_time >= held[0].start_time
    assert not held[0].is_recording()
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        held[0].nonsense  # noqa: B018 - it raises


def test_what_is_done_to_a_span_after_its_end_changes_nothing(road: Road) -> None:
    """A span that somebody kept has ended."""
    held: list[Any] = []
    instrumented(name="kept")(lambda: held.append(trace.get_current_span()))()
    held[0].set_attribute("late", value=True)
    held[0].add_event("late")
    held[0].update_name("late")
    (span,) = road.exported()
    assert span.name == "kept"
    assert "late" not in (span.attributes or {})
    assert not span.events


def test_value_that_changes_later_is_exported_as_it_was(road: Road) -> None:
    """Lists and attributes of events are copied when they are given."""
    values, attributes = ["first"], {"key": "first"}

    @instrumented(name="copies")
    def copies() -> None:
        span = trace.get_current_span()
        span.set_attribute("values", values)
        span.add_event("event", attributes)
        values.append("later")
        attributes["key"] = "later"

    copies()
    (span,) = road.exported()
    assert (span.attributes or {})["values"] == ("first",)
    assert dict(span.events[0].attributes or {}) == {"key": "first"}


def test_span_with_very_many_operations_is_bounded(road: Road) -> None:
    """The limits hold while it runs, and the counts of what was dropped are right."""

    @instrumented(name="many")
    def many() -> None:
        span: Any = trace.get_current_span()
        for number in range(5000):
            span.add_event(f"event {number}")
        assert len(span.more) < 300
        span.set_attribute("last", value=True)
        assert span.attributes["last"]

    many()
    (span,) = road.exported()
    assert [event.name for event in span.events] == [f"event {n}" for n in range(4996, 5000)]
    assert span.dropped_events == 4996
    assert (span.attributes or {})["last"] is True


def test_finished_span_holds_no_exception_and_no_frame(road: Road) -> None:
    """What waits for export keeps nothing of the application's alive."""
    import gc
    import weakref

    class Fault(Exception):
        """An error of this test."""

    class Thing:
        """A local variable."""

    alive: list[weakref.ref[Any]] = []

    @instrumented(name="fails")
    def fails() -> None:
        thing = Thing()
        error = Fault()
        alive.extend((weakref.ref(thing), weakref.ref(error)))
        raise error

    with pytest.raises(Fault):
        fails()
    gc.collect()
    assert [reference() for reference in alive] == [None, None]
    (span,) = road.exported()
    assert "raise error" in str((span.events[0].attributes or {})["exception.stacktrace"])


@pytest.mark.parametrize("sampled", [True, False])
def test_unsampled_span_keeps_nothing(road: Road, sampled: bool) -> None:
    """Only its status, which is the call's outcome."""
    around = SpanContext(5, 6, is_remote=True, trace_flags=TraceFlags(int(sampled)))

    @instrumented(name="maybe")
    def maybe() -> Any:
        span: Any = trace.get_current_span()
        span.set_attribute("a", 1)
        span.record_exception(ValueError())
        assert span.is_recording() == sampled
        return span.more

    with trace.use_span(NonRecordingSpan(around)):
        assert bool(maybe()) == sampled


FORK = """
    import os, sys
    sys.path.insert(0, {folder!r})
    from qudag_otel import configure, instrumented
    from qudag_otel._calls.registry import all_sites
    from tests.sdk.receiver import Receiver

    def in_flight():
        return sum(site.in_flight() or 0 for site in all_sites() if site.options.metrics)

    {setup}

    @instrumented(name="work")
    def work(): pass

    @instrumented(name="timed", spans=False)
    def timed(): pass

    @instrumented(name="forks", spans={spans})
    def forks():
        work()
        return os.fork()

    for _ in range(50):
        work(); timed()
    pid = forks()
    if pid == 0:
        work(); timed()
        print("child", in_flight(), flush=True)
        if telemetry: telemetry.shutdown()
        os._exit(0)
    os.waitpid(pid, 0)
    print("parent", in_flight())
    if telemetry: telemetry.shutdown()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.parametrize("spans", [True, False])
@pytest.mark.parametrize("ours", [True, False], ids=["configured", "api alone"])
def test_child_of_a_fork_starts_at_zero(tmp_path: Path, ours: bool, spans: bool) -> None:
    """Calls that the parent began are its own: none is in flight in the child."""
    setup = "telemetry = None"
    if ours:
        setup = (
            "telemetry = configure(traces_exporter='console', metrics_exporter='none',"
            " logs_exporter='none', environ={})"
        )
    program = FORK.format(folder=str(Path.cwd()), setup=setup, spans=spans)
    out, _ = programs.run(tmp_path, textwrap.dedent(program), {})
    lines = out.splitlines()
    assert "child 0" in lines
    assert "parent 0" in lines
    assert out.count('"name": "forks"') == int(ours and spans)
    assert out.count('"name": "work"') == (52 * ours)


class Ended(SpanProcessor):
    """Only wants ended spans."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.kinds: set[str] = set()

    def on_end(self, span: ReadableSpan) -> None:
        """Note one."""
        self.names.append(span.name)
        self.kinds.add(self.current())

    @staticmethod
    def current() -> str:
        return threading.current_thread().name


class Started(Ended):
    """Wants to see them start."""

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Put something on it."""
        span.set_attribute("started", value=True)


class Failing(SpanProcessor):
    def on_end(self, span: ReadableSpan) -> None:
        if span.name == "light":  # the SDK itself lets the application see it
            raise RuntimeError("a processor's own")


def _is_light() -> bool:
    return type(trace.get_current_span()) is FastSpan


@pytest.fixture
def configured() -> Iterator[Any]:
    """`configure`, undone."""
    yield functools.partial(
        configure, traces_exporter="none", metrics_exporter="none", logs_exporter="none",
        sigterm=False, environ={},
    )  # fmt: skip
    sdk.reset()


def test_processor_of_ended_spans_leaves_calls_light(configured: Any) -> None:
    """It is given them by a thread of ours; one that fails costs the others nothing."""
    followers = [Failing(), Ended(), Ended()]
    telemetry = configured(span_processors=followers)
    assert instrumented(name="light")(_is_light)()
    with trace.get_tracer("own").start_as_current_span("full"):
        assert not _is_light()
    assert telemetry.force_flush(5)
    for follower in followers[1:]:
        assert isinstance(follower, Ended)
        assert sorted(follower.names) == ["full", "light"]
        assert any(name.startswith("qudag-otel") for name in follower.kinds)


def test_ended_span_is_the_sdks_made_when_somebody_reads_it(road: Road) -> None:
    """Until then it tells ids and times; the clock may be set in between."""

    @instrumented(name="outer")
    def outer() -> None:
        with contextlib.suppress(ValueError):
            inner()

    @instrumented(name="inner")
    def inner() -> None:
        span = trace.get_current_span()
        span.set_attribute("own", 1)
        span.add_event("seen")
        raise ValueError("wrong")

    outer()
    spans = road.exported()
    with mock.patch.object(FastSite, "readable", side_effect=AssertionError("made too early")):
        ended = [EndedSpan(call) for call in road.finished]
        for span, light in zip(spans, ended, strict=True):
            assert isinstance(light, ReadableSpan)
            early = ("context", "parent", "start_time", "end_time")
            assert [getattr(light, one) for one in early] == [getattr(span, one) for one in early]
            assert light.get_span_context() == span.context
    assert encode_spans(ended) == encode_spans(spans)
    for span, light, call in zip(spans, ended, road.finished, strict=True):
        assert light.to_json() == span.to_json()
        assert copy.copy(EndedSpan(call)).name == light.name == span.name
        assert not hasattr(light, "__getstate_of_another__")
    late = [EndedSpan(call) for call in road.finished]
    road.engine._offset += 3_600_000_000_000
    assert [span.start_time for span in late] == [span.start_time for span in spans]
    with pytest.raises(AttributeError):
        _ = late[0].never_was


@pytest.mark.parametrize("late", [False, True])
def test_processor_that_wants_starts_gets_full_spans(configured: Any, late: bool) -> None:
    """From the moment it is there, whatever else follows."""
    ended, started = Ended(), Started()
    telemetry = configured(span_processors=[ended] if late else [ended, started])
    operation = instrumented(name="seen")(_is_light)
    if late:
        assert operation()
        tracers: Any = trace.get_tracer_provider()
        tracers.add_span_processor(started)
    assert not operation()
    assert telemetry.force_flush(5)
    assert started.names == ["seen"]
    assert ended.names == ["seen"] * (1 + late)


def test_span_in_hand_is_the_context_that_it_stands_for(road: Road) -> None:
    """Whoever reads the current context finds the caller's values and the span, in any way."""

    @instrumented(name="inner")
    def inner() -> None:
        current: Any = context.get_current()
        span = trace.get_current_span()
        plain = {"own": 1, SPAN_KEY: span, CALL_KEY: span}
        assert trace.get_current_span(current) is span
        assert dict(current) == {**current} == current.copy() == copy.copy(current) == plain
        assert dict(current.items()) == plain
        assert sorted(map(str, current.keys())) == sorted(current) == sorted(plain)
        assert (len(current), {*current.values()}) == (3, {1, span})
        assert ("own" in current, SPAN_KEY in current, "other" in current) == (True, True, False)
        assert (current["own"], current[SPAN_KEY], current.get("other", 5)) == (1, span, 5)
        assert current | {"more": 2} == {**plain, "more": 2}
        assert current == Context(plain)
        assert current != Context()
        assert span in {span: 1}
        more = context.set_value("more", 2)
        assert trace.get_current_span(more) is span
        with pytest.raises(ValueError, match=r"^$"):
            current["own"] = 2
        token = context.attach(more)
        innermost()
        context.detach(token)
        assert f"{span}".startswith("FastSpan(name='inner'")

    @instrumented(name="innermost")
    def innermost() -> None:
        assert context.get_value("own") == 1
        assert context.get_value("more") == 2

    token = context.attach(context.set_value("own", 1))
    instrumented(name="outer")(inner)()
    context.detach(token)
    spans = {span.name: span for span in road.exported()}
    inner_context: Any = spans["inner"].context
    parent: Any = spans["innermost"].parent
    assert parent.span_id == inner_context.span_id


@pytest.mark.parametrize(
    "value",
    [1, -1, 2**63, True, 0.5, float("nan"), "text", "ä\ud800", "x" * 5000, "", [1, "a"], b"raw"],
    ids=lambda value: repr(value)[:12],
)
def test_value_of_a_call_is_encoded_as_the_official_encoder_does(road: Road, value: Any) -> None:
    """Captured, set or of a wrapper: the same bytes, or the slower way to them."""

    @instrumented(name="valued", attributes={"a": 1}, capture=("given",))
    def valued(given: Any) -> None:
        trace.get_current_span().set_attribute("set", given)

    for _ in range(2):  # the second time from what is kept
        valued(value)
    road.engine.drain_all()
    sent: list[bytes] = []
    exporter = mock.Mock(
        export_encoded=lambda body, _: sent.append(body),
        export=lambda spans: sent.append(encode_spans(spans).SerializeToString()),
    )
    CallExporter(exporter).export(list(road.finished))
    spans = ExportTraceServiceRequest.FromString(b"".join(sent))
    official = encode_spans([redacting.span(one) for one in road.exported()])
    found, wanted = (
        sorted(
            (span.span_id, str(span.attributes), span.start_time_unix_nano)
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        )
        for request in (spans, official)
    )
    assert found == wanted
    assert len(found) == 2


def _raising(error: BaseException, **options: Any) -> Callable[[], None]:
    @instrumented(name="raising", attributes={"a": 1}, **options)
    def raising() -> None:
        trace.get_current_span().set_attribute("set", 1)
        raise error

    return raising


@pytest.mark.parametrize("events", [True, False])
@pytest.mark.parametrize(
    ("error", "options"),
    [
        (ValueError("text"), {}),
        (ValueError(""), {}),
        (ValueError("ä\ud800"), {}),
        (ValueError("password=hunter2 of " + "x" * 5000), {}),
        (KeyError("here"), {"expected": (KeyError,)}),
        (asyncio.CancelledError(), {}),
        (ExceptionGroup("many", [ValueError("one"), KeyError("two")]), {}),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_error_is_encoded_as_the_official_encoder_does(
    wide_road: Road,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    options: dict[str, Any],
    events: bool,
) -> None:
    """Event, status, type or outcome: the same message, the second time from what is kept."""
    monkeypatch.setattr(SIGNALS, "events", events)
    outer = instrumented(name="outer")(_raising(error, **options))
    for call in (outer, outer):
        with pytest.raises(type(error)):
            call()
    wide_road.engine.drain_all()
    exporter = mock.Mock()
    CallExporter(exporter).export(list(wide_road.finished))
    ((body, others), _) = exporter.export_encoded.call_args
    assert not others
    found = ExportTraceServiceRequest.FromString(body)
    official = encode_spans([redacting.span(one) for one in wide_road.exported()])
    assert _by_id(found) == _by_id(official)


def _by_id(request: ExportTraceServiceRequest) -> dict[bytes, Any]:
    return {
        span.span_id: span
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }
