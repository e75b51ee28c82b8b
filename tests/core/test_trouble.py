"""Whatever fails on our side or in somebody's plug-in, the application meets its own result."""

from __future__ import annotations

import contextvars
import gc
import os
import signal
import subprocess
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any, Final

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider, SimpleFixedSizeExemplarReservoir
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.metrics.view import View
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import Sampler

from qudag_otel import instrumented
from qudag_otel._calls import registry
from qudag_otel._calls.failure import text_of
from qudag_otel._calls.site import Options
from qudag_otel._otel import globals as otel_globals
from qudag_otel.catalogue import OTHER
from qudag_otel.sdk.fast.engine import Engine
from qudag_otel.testing import capture

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qudag_otel.testing import Captured


class Fault(Exception):
    """An error of the tests."""


class Rude(Exception):
    """An error that cannot be written."""

    def __str__(self) -> str:
        raise KeyError("no text")

    __repr__ = __str__


class BadSampler(Sampler):
    def should_sample(self, *_: Any, **__: Any) -> Any:
        raise Rude

    def get_description(self) -> str:
        return "bad"


class BadIds(RandomIdGenerator):
    def generate_span_id(self) -> int:
        raise Rude


class BadStart(SpanProcessor):
    def on_start(self, span: Span, parent_context: Any = None) -> None:
        raise Rude


class BadEnd(SpanProcessor):
    def on_end(self, span: ReadableSpan) -> None:
        raise Rude


class BadReservoir(SimpleFixedSizeExemplarReservoir):
    def offer(self, *_: Any, **__: Any) -> None:
        raise Rude


def _tracers(processor: SpanProcessor | None = None, **options: Any) -> TracerProvider:
    provider = TracerProvider(shutdown_on_exit=False, **options)
    if processor is not None:
        provider.add_span_processor(processor)
    return provider


TROUBLE: dict[str, Callable[[], TracerProvider]] = {
    "sampler": lambda: _tracers(sampler=BadSampler()),
    "ids": lambda: _tracers(id_generator=BadIds()),
    "start": lambda: _tracers(BadStart()),
    "end": lambda: _tracers(BadEnd()),
}


def _bad_reservoir(**_: Any) -> Any:
    return BadReservoir(size=1)


def _factory(_: object) -> Any:
    return _bad_reservoir


@pytest.fixture
def lent() -> Iterator[None]:
    """Globals of OpenTelemetry that a test may set."""
    with capture():
        otel_globals.reset_api_globals()
        yield


@pytest.mark.parametrize("what", TROUBLE)
def test_call_goes_on_where_a_plug_in_raises(
    lent: None, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One warning an operation, and the function's own result and exceptions."""
    trace.set_tracer_provider(TROUBLE[what]())

    @instrumented(name=f"with {what}")
    def operation(error: Exception | None) -> str:
        if error:
            raise error
        return "result"

    for _ in range(3):
        assert operation(None) == "result"
        for error in (Fault(), Rude()):
            with pytest.raises(type(error)) as caught:
                operation(error)
            assert caught.value is error
        with instrumented.block(f"block with {what}"):
            pass
    complaints = [r.getMessage() for r in caplog.records if f"observing with {what}" in r.message]
    assert len(complaints) == 1


def test_reservoir_that_raises_ends_no_drain(caplog: pytest.LogCaptureFixture) -> None:
    """Thousands of calls, whose caller drains, and a drain on a thread of ours."""
    view = View(instrument_name="*", exemplar_reservoir_factory=_factory)
    meters = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False, views=[view])
    got: list[Any] = []
    engine = Engine(_tracers(), meters, [got.extend])
    engine.install()
    try:
        operation = instrumented(name="drained")(lambda: 1)
        assert [operation() for _ in range(2000)] == [1] * 2000
        thread = threading.Thread(target=engine.drain_all)
        thread.start()
        thread.join()
        assert len(got) == 2000
    finally:
        engine.uninstall()
    assert len([one for one in caplog.records if "drained" in one.getMessage()]) == 1


def test_exception_without_a_text_is_the_application_s(telemetry: Captured) -> None:
    """Its status says what it is, and the rest goes on."""

    @instrumented(name="rude", capture=("value",))
    def rude(value: object) -> None:
        trace.get_current_span().record_exception(ValueError("fine"))
        raise Rude

    with pytest.raises(Rude):
        rude(Rude())
    span = telemetry.span("rude")
    assert span.description == "Rude: <unprintable Rude object>"
    assert [event.name for event in span.events] == ["exception", "exception"]
    assert telemetry.value("qudag.errors") == 1


@pytest.mark.parametrize(
    "given",
    [
        (list(range(100_000)),), ({"k" * 9: ("v", {1})} | {n: n for n in range(100_000)},),
        (b"x" * 100_000,), ("x" * 100_000,), ("a", ["b"] * 100_000), (("small",),), (), ([1, []],),
        ([[("deep",), frozenset({None}), {}]] * 100_000,),
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", [ValueError, KeyError])
def test_text_of_an_exception_with_huge_arguments_is_its_own_beginning(
    kind: type[Exception], given: tuple[object, ...]
) -> None:
    """It is built as far as it is kept, and no further; what is small is as Python writes it."""
    error = kind(*given)
    whole = str(error)
    assert text_of(error) == (whole if len(whole) <= 4096 else f"{whole[:4095]}…")


def test_text_of_an_exception_is_not_built_whole() -> None:
    """Of a million items a few are shown."""
    asked: list[int] = []

    class Item:
        def __repr__(self) -> str:
            asked.append(1)
            return "an item"

    assert text_of(ValueError([Item()] * 1_000_000)).startswith("[an item, an item")
    assert len(asked) < 4096


class BadNotes(Exception):
    """An error whose notes cannot be read."""

    @property
    def __notes__(self) -> list[str]:  # type: ignore[override]  # pyright: ignore[reportIncompatibleVariableOverride]
        raise KeyError("no notes")


class BadModule(Exception):
    """An error whose module is no text."""

    __module__ = 5  # type: ignore[assignment]  # pyright: ignore[reportAssignmentType]


def _with_note(note: object) -> Exception:
    error = ValueError("noted")
    error.__notes__ = [note]  # type: ignore[list-item]  # pyright: ignore[reportAttributeAccessIssue]
    return error


@pytest.mark.parametrize(
    "error", [BadNotes("b"), BadModule("m"), _with_note(Rude())], ids=["notes", "module", "note"]
)
def test_exception_that_cannot_be_described_is_an_error_all_the_same(
    telemetry: Captured, error: Exception
) -> None:
    """Its span and its count say so; what could be read of it is there."""

    @instrumented(name="odd")
    def odd() -> None:
        raise error

    with pytest.raises(type(error)):
        odd()
    span = telemetry.span("odd")
    assert (span.status, span.description) == ("error", f"{type(error).__name__}: {error}")
    assert "exception.stacktrace" in span.events[0].attributes
    assert telemetry.value("qudag.errors") == 1


@pytest.mark.parametrize("telemetry", ["fast"], indirect=True)  # the SDK itself takes locks
def test_signal_handler_may_call_what_is_instrumented(telemetry: Captured) -> None:
    """Also where it interrupts a drain, and where its call fails or is the first of a block."""

    @instrumented(name="handled")
    def handled() -> None:
        with instrumented.block("in handler"):
            raise Fault

    def handler(*_: object) -> None:
        try:
            handled()
        except Fault:
            count[0] += 1

    count = [0]
    busy = instrumented(name="busy")(lambda: None)
    former = signal.signal(signal.SIGVTALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.002, 0.002)
        for _ in range(30_000):
            busy()
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    finally:
        signal.signal(signal.SIGVTALRM, former)
    assert count[0] > 3
    assert telemetry.value("qudag.operation.duration", operation="busy") == 30_000
    assert telemetry.value("qudag.operation.duration", operation="handled") == count[0]
    assert telemetry.value("qudag.operation.active", operation="busy") == 0


@pytest.mark.parametrize("telemetry", ["fast"], indirect=True)  # as above
def test_destructor_may_call_what_is_instrumented(telemetry: Captured) -> None:
    """Wherever the garbage collector runs it, also inside a drain."""

    @instrumented(name="destroyed")
    def destroyed() -> None: ...

    class Cycle:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            destroyed()

    operation = instrumented(name="makes garbage")(lambda: Cycle())  # noqa: PLW0108 - no class
    threshold = gc.get_threshold()
    gc.set_threshold(50)
    try:
        for _ in range(3000):
            operation()
        telemetry.points("qudag.operation.duration")
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    assert telemetry.value("qudag.operation.duration", operation="destroyed") == 3000


_HALF_WAY: Final = """
import contextvars, gc
from opentelemetry import trace
from qudag_otel import instrumented

kept = []

@instrumented(name="destroyed")
def destroyed():
    kept.append([(None,) * size for size in range(1, 14)])  # takes what was freed, if anything

class Cycle:
    def __init__(self):
        self.me = self
    def __del__(self):
        destroyed()

def arrange(phase):
    Cycle()
    gc.set_threshold(gc.get_count()[0] + phase)  # collects now, or so many allocations later

@instrumented(name="interrupted")
def operation(phase):
    gc.set_threshold(10_000)
    arrange(phase)

def program():
    others = [contextvars.ContextVar(str(number)) for number in range(40)]
    for number, variable in enumerate(others):
        variable.set(number)
    for phase in [*range(24)] * 20:
        gc.set_threshold(10_000)
        arrange(phase)
        operation(phase)
        assert trace.get_current_span() is trace.INVALID_SPAN
        assert [variable.get() for variable in others] == [*range(40)]

contextvars.Context().run(program)
gc.set_threshold(10_000)
gc.collect()
assert len(kept) == 960, len(kept)
"""


def test_destructor_inside_of_setting_a_variable_leaves_the_context_whole() -> None:
    """Python 3.11 runs it half-way, and frees what `ContextVar.set` and `reset` still use."""
    environment = {**os.environ, "PYTHONMALLOC": "debug"}  # what is freed is overwritten
    ended = subprocess.run(
        [sys.executable, "-c", _HALF_WAY],
        env=environment, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")


def test_context_of_a_collection_is_not_kept_past_the_next(telemetry: Captured) -> None:
    """What an application puts into a context lives no longer than without us."""
    del telemetry

    class Value: ...

    def program() -> weakref.ref[Value]:
        variable = contextvars.ContextVar[Value]("variable")
        value = Value()
        variable.set(value)
        gc.collect()
        return weakref.ref(value)

    value = contextvars.Context().run(program)
    gc.collect()
    assert value() is None


def test_number_of_sites_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit all operations share few sites, whatever else differs."""
    monkeypatch.setattr(registry, "_sites", {})
    monkeypatch.setattr(registry, "_SITES_LIMIT", 50)
    monkeypatch.setattr(registry, "_OTHERS_LIMIT", 10)
    for number in range(500):
        kind = type(f"Kind{number}", (Exception,), {})
        site = registry.site_for(
            Options(
                operation=f"op{number}", component=f"c{number}", function=f"f{number}",
                attributes=(("k", number),), expected=(kind,),
            )
        )  # fmt: skip
    assert len(registry.all_sites()) <= 62
    assert (site.options.operation, site.options.component) == (OTHER, OTHER)


def test_result_of_any_class_comes_back(telemetry: Captured) -> None:
    """Also one whose class cannot be hashed."""

    class Odd(type):
        def __eq__(cls, other: object) -> bool:
            raise Rude

        __hash__ = None  # type: ignore[assignment]

    class Thing(metaclass=Odd):
        """A thing of it."""

    thing: Any = Thing()

    @instrumented(name="odd", capture=("value",))
    def operation(value: Any) -> Any:
        return value

    assert operation(thing) is thing
    assert telemetry.value("qudag.operation.active", operation="odd") == 0
