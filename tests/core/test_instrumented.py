"""`@instrumented` on every kind of callable: same behaviour, one span, exact counts."""

from __future__ import annotations

import asyncio
import copy
import inspect
import pickle
import threading
import traceback
import types
from typing import TYPE_CHECKING, Any
from unittest import mock

import pytest
from opentelemetry import context as context_api
from opentelemetry import trace
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags

from qudag_otel import Objective, instrumented, objectives
from qudag_otel._calls.site import RESERVED
from tests.core.kinds import KINDS, Kind, work

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Generator

    from qudag_otel.testing import Captured

DURATION = "qudag.operation.duration"
ACTIVE = "qudag.operation.active"
ERRORS = "qudag_errors_total"
every_kind = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)


class Unusual(Exception):
    """An error of the tests."""


@types.coroutine
def _suspend() -> Generator[None, None, None]:
    """Give control to whoever drives the coroutine, without an event loop."""
    yield


@every_kind
class TestEveryKind:
    def test_call_that_returns_is_one_ok_call(self, telemetry: Captured, kind: Kind) -> None:
        """The result comes through; a span and a duration tell of it; nothing stays in flight."""
        operation = kind.build(instrumented)
        assert kind.call(operation, 7) == 7
        (span,) = telemetry.spans
        assert span.status == "unset"
        assert span.name.endswith("operation" if "object" not in kind.name else "Operation")
        name = span.name
        assert telemetry.value(DURATION, operation=name, component="kinds", outcome="ok") == 1
        assert telemetry.value(ACTIVE, operation=name) == 0
        assert not telemetry.points(ERRORS)

    def test_call_that_raises_reraises_the_same_exception(
        self, telemetry: Captured, kind: Kind
    ) -> None:
        """The very exception comes out, with its traceback; span and counters tell of it."""
        operation = kind.build(instrumented)
        error = Unusual("broken")
        with pytest.raises(Unusual, match="broken") as caught:
            kind.call(operation, error)
        assert caught.value is error
        assert error.__cause__ is None
        assert error.__context__ is None
        assert traceback.extract_tb(error.__traceback__)[-1].name == work.__name__
        (span,) = telemetry.spans
        assert (span.status, span.description) == ("error", "Unusual: broken")
        assert str(span.attributes["error.type"]).endswith("test_instrumented.Unusual")
        assert [event.name for event in span.events] == ["exception"]
        assert telemetry.value(DURATION, outcome="error") == 1
        assert (
            telemetry.value(ERRORS, component="kinds", error_type=span.attributes["error.type"])
            == 1
        )
        assert telemetry.value(ACTIVE, operation=span.name) == 0

    def test_expected_exception_is_an_outcome_and_no_error(
        self, telemetry: Captured, kind: Kind
    ) -> None:
        """An exception that the author declared is not counted as an error."""
        if kind.name == "class":
            operation = kind.build(instrumented(expected=Unusual))
        else:
            operation = kind.build(instrumented(expected=(KeyError, Unusual)))
        with pytest.raises(Unusual):
            kind.call(operation, Unusual())
        (span,) = telemetry.spans
        assert (span.status, span.attributes["qudag.outcome"]) == ("unset", "expected")
        assert telemetry.value(DURATION, outcome="expected") == 1
        assert not telemetry.points(ERRORS)

    @pytest.mark.parametrize("error", [asyncio.CancelledError, KeyboardInterrupt, SystemExit])
    def test_cancelled_call_is_an_outcome_of_its_own(
        self, telemetry: Captured, kind: Kind, error: type[BaseException]
    ) -> None:
        """Being asked to stop is no error."""
        operation = kind.build(instrumented)
        with pytest.raises(error):
            kind.call(operation, error())
        assert telemetry.value(DURATION, outcome="cancelled") == 1
        assert telemetry.spans[0].status == "unset"
        assert not telemetry.points(ERRORS)
        assert telemetry.value(ACTIVE) == 0

    def test_without_spans_there_are_metrics_alone(self, telemetry: Captured, kind: Kind) -> None:
        """`spans=False` leaves the metrics."""
        kind.call(kind.build(instrumented(spans=False)), 1)
        with pytest.raises(Unusual):
            kind.call(kind.build(instrumented(spans=False)), Unusual())
        assert not telemetry.spans
        assert telemetry.value(DURATION, outcome="ok") == 1
        assert telemetry.value(DURATION, outcome="error") == 1
        assert telemetry.value(ERRORS) == 1

    def test_without_metrics_there_is_a_span_alone(self, telemetry: Captured, kind: Kind) -> None:
        """`metrics=False` leaves the span."""
        kind.call(kind.build(instrumented(metrics=False, component="spans-alone")), 1)
        assert len(telemetry.spans) == 1
        assert not telemetry.points(DURATION)
        assert not telemetry.points(ACTIVE, component="spans-alone")

    def test_kind_and_names_stay(self, kind: Kind) -> None:
        """The wrapper is of the same kind, with the same names and signature."""
        plain: Any = kind.build(lambda target: target)
        decorated = kind.build(instrumented)
        for is_one in (
            inspect.iscoroutinefunction,
            inspect.isgeneratorfunction,
            inspect.isasyncgenfunction,
            inspect.isfunction,
        ):
            assert is_one(decorated) == is_one(plain)
        if kind.name != "class":
            assert inspect.signature(decorated) == inspect.signature(plain)
            assert callable(decorated.__wrapped__)  # type: ignore[attr-defined]
        if hasattr(plain, "__qualname__"):
            assert decorated.__qualname__ == plain.__qualname__
            assert decorated.__module__ == plain.__module__

    def test_disabled_at_decoration_gives_the_original_back(
        self, monkeypatch: pytest.MonkeyPatch, kind: Kind
    ) -> None:
        """With OTEL_SDK_DISABLED=true the target itself comes back."""
        monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
        seen: list[tuple[Any, Any]] = []

        def decorate(target: Any) -> Any:
            result = instrumented(target)
            seen.append((target, result))
            return result

        kind.build(decorate)
        ((target, result),) = seen
        assert result is target


class TestSpan:
    def test_span_is_current_inside_and_not_after(self, telemetry: Captured) -> None:
        """Code in the function adds to its span."""

        @instrumented(name="outer")
        def outer() -> None:
            trace.get_current_span().set_attribute("inside", value=True)
            inner()

        @instrumented(name="inner")
        def inner() -> None: ...

        before = context_api.get_current()
        outer()
        assert context_api.get_current() == before
        assert telemetry.span("outer").attributes["inside"] is True
        assert telemetry.span("inner").parent == "outer"

    def test_span_carries_code_component_and_static_attributes(self, telemetry: Captured) -> None:
        """Names follow the semantic conventions; static attributes are on span and metrics."""

        @instrumented(component="store", attributes={"tier": "gold", "shard": 3})
        def put() -> None: ...

        put()
        (span,) = telemetry.spans
        assert span.attributes == {
            "code.function.name": f"{__name__}.{put.__qualname__}",
            "qudag.component": "store",
            "tier": "gold",
            "shard": 3,
        }
        (point,) = telemetry.points(DURATION)
        assert (point.labels["tier"], point.labels["shard"]) == ("gold", 3)
        assert telemetry.points(ACTIVE, component="store", tier="gold", shard=3)

    def test_node_attribute_overrides_identity(self, telemetry: Captured) -> None:
        """Several nodes in one process are told apart."""
        for node in ("north", "south"):
            instrumented(name="tick", attributes={"node_id": node})(lambda: None)()
        assert telemetry.value(DURATION, node_id="north") == 1
        assert telemetry.value(DURATION, node_id="south") == 1
        assert {span.attributes["qudag.node.id"] for span in telemetry.spans} == {"north", "south"}

    def test_kind_and_links_reach_the_span(self, telemetry: Captured) -> None:
        """`kind` and `links` are the span's."""
        linked = SpanContext(5, 6, is_remote=True, trace_flags=TraceFlags(1))
        instrumented(name="send", kind=SpanKind.PRODUCER, links=[Link(linked)])(lambda: None)()
        span = telemetry.span("send")
        assert span.kind == "producer"
        assert len(span.links) == 1

    def test_recursion_is_a_chain_of_spans(self, telemetry: Captured) -> None:
        """Each level is the child of the one above."""

        @instrumented(name="down")
        def down(depth: int) -> int:
            return down(depth - 1) + 1 if depth else 0

        assert down(5) == 5
        spans = {span.span_id: span for span in telemetry.spans}
        deepest = telemetry.spans[0]
        chain = [deepest]
        while chain[-1].parent_id is not None:
            chain.append(spans[chain[-1].parent_id])
        assert len(chain) == 6

    def test_broken_processor_does_not_reach_the_application(self, telemetry: Captured) -> None:
        """A str() that raises inside an exception breaks neither call nor counts."""

        class Rude(Exception):
            def __str__(self) -> str:
                raise RuntimeError("no text")

        @instrumented(name="rude")
        def rude() -> None:
            raise Rude

        with pytest.raises(Rude):
            rude()
        assert telemetry.value(DURATION, operation="rude", outcome="error") == 1
        assert telemetry.value(ACTIVE, operation="rude") == 0
        assert telemetry.span("rude")


class TestGenerator:
    def test_send_throw_and_close_reach_the_body(self, telemetry: Captured) -> None:
        """The wrapper forwards what its caller sends, throws and closes."""
        seen: list[Any] = []

        @instrumented(name="echo")
        def echo() -> Generator[Any, Any, None]:
            try:
                while True:
                    try:
                        seen.append((yield len(seen)))
                    except Unusual as error:
                        seen.append(error)
            finally:
                seen.append("closed")

        generator = echo()
        assert next(generator) == 0
        assert generator.send("a") == 1
        thrown = Unusual()
        assert generator.throw(thrown) == 2
        generator.close()
        assert seen == ["a", thrown, "closed"]
        assert telemetry.value(DURATION, operation="echo", outcome="closed") == 1
        assert telemetry.value(ACTIVE, operation="echo") == 0
        assert not telemetry.points(ERRORS)

    def test_span_is_current_only_while_the_body_runs(self, telemetry: Captured) -> None:
        """Between two steps the caller's own span is current, and the body's children are its."""

        @instrumented(name="steps")
        def steps() -> Generator[int, None, None]:
            for index in range(3):
                with instrumented.block("in body"):
                    pass
                yield index

        with instrumented.block("caller"):
            around = trace.get_current_span()
            for _ in steps():
                assert trace.get_current_span() is around
                with instrumented.block("between"):
                    pass
        assert {span.parent for span in telemetry.spans if span.name == "between"} == {"caller"}
        assert {span.parent for span in telemetry.spans if span.name == "in body"} == {"steps"}

    def test_unstarted_generator_is_no_call(self, telemetry: Captured) -> None:
        """A generator that nobody iterates leaves no trace."""

        @instrumented(name="never")
        def never() -> Generator[int, None, None]:
            yield 1

        never().close()
        assert not telemetry.points(DURATION, operation="never")
        assert not any(point.value for point in telemetry.points(ACTIVE, operation="never"))

    def test_dropped_generator_returns_in_flight_to_zero(self, telemetry: Captured) -> None:
        """The garbage collector closes it."""

        @instrumented(name="dropped")
        def dropped() -> Generator[int, None, None]:
            yield 1
            yield 2

        generator = dropped()
        next(generator)
        assert telemetry.value(ACTIVE, operation="dropped") == 1
        del generator
        assert telemetry.value(ACTIVE, operation="dropped") == 0
        assert telemetry.value(DURATION, operation="dropped", outcome="closed") == 1

    def test_async_generator_forwards_asend_athrow_aclose(self, telemetry: Captured) -> None:
        """The asynchronous wrapper forwards what its caller sends, throws and closes."""
        seen: list[Any] = []

        @instrumented(name="aecho")
        async def echo() -> AsyncGenerator[Any, Any]:
            try:
                while True:
                    try:
                        seen.append((yield len(seen)))
                    except Unusual as error:
                        seen.append(error)
            finally:
                await asyncio.sleep(0)
                seen.append("closed")

        async def main() -> None:
            generator = echo()
            assert await anext(generator) == 0
            assert await generator.asend("a") == 1
            assert await generator.athrow(Unusual()) == 2
            await generator.aclose()

        asyncio.run(main())
        assert seen[0] == "a"
        assert seen[-1] == "closed"
        assert telemetry.value(DURATION, operation="aecho", outcome="closed") == 1
        assert telemetry.value(ACTIVE, operation="aecho") == 0

    def test_break_out_of_async_generator_leaks_no_context(
        self, telemetry: Captured, caplog: pytest.LogCaptureFixture
    ) -> None:
        """After a break the caller's context is as before, and nothing is logged."""

        @instrumented(name="endless")
        async def endless() -> AsyncGenerator[int, None]:
            while True:
                yield 1

        async def main() -> None:
            before = context_api.get_current()
            async for _ in endless():
                break
            assert context_api.get_current() == before

        asyncio.run(main())
        assert telemetry.value(ACTIVE, operation="endless") == 0
        assert "detach" not in caplog.text


class TestAsync:
    def test_cancelled_task_is_counted_and_not_in_flight(self, telemetry: Captured) -> None:
        """A task that is cancelled while it waits ends as cancelled."""

        @instrumented(name="waits")
        async def waits() -> None:
            await asyncio.Event().wait()

        async def main() -> None:
            task = asyncio.create_task(waits())
            await asyncio.sleep(0)
            assert telemetry.value(ACTIVE, operation="waits") == 1
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        assert telemetry.value(ACTIVE, operation="waits") == 0
        assert telemetry.value(DURATION, operation="waits", outcome="cancelled") == 1

    def test_concurrent_tasks_keep_their_own_parents(self, telemetry: Captured) -> None:
        """Context follows each task, however they interleave."""

        @instrumented(name="child")
        async def child() -> None:
            await asyncio.sleep(0)

        @instrumented(name="parent")
        async def parent(index: int) -> None:
            trace.get_current_span().set_attribute("index", index)
            await asyncio.gather(child(), child())

        async def main() -> None:
            await asyncio.gather(*(parent(index) for index in range(5)))

        asyncio.run(main())
        parents = {span.span_id: span for span in telemetry.spans if span.name == "parent"}
        children = [span for span in telemetry.spans if span.name == "child"]
        assert len(children) == 10
        indices = [parents[span.parent_id or 0].attributes["index"] for span in children]
        assert sorted(map(str, indices)) == [
            "0", "0", "1", "1", "2", "2", "3", "3", "4", "4",
        ]  # fmt: skip

    def test_coroutine_closed_by_the_garbage_collector_logs_nothing(
        self, telemetry: Captured, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A coroutine that ends in a foreign context ends quietly."""

        @instrumented(name="abandoned")
        async def abandoned() -> None:
            await _suspend()

        coroutine = abandoned()
        thread = threading.Thread(target=lambda: coroutine.send(None))
        thread.start()
        thread.join()
        coroutine.close()
        assert telemetry.value(DURATION, operation="abandoned", outcome="closed") == 1
        assert telemetry.value(ACTIVE, operation="abandoned") == 0
        assert not caplog.records


class TestBlock:
    def test_block_is_a_call(self, telemetry: Captured) -> None:
        """A block has span, duration and errors as a function has."""
        with instrumented.block("load"):
            pass
        with pytest.raises(Unusual), instrumented.block("load"):
            raise Unusual
        assert [span.status for span in telemetry.spans] == ["unset", "error"]
        assert telemetry.value(DURATION, operation="load", component="test_instrumented") == 2
        assert telemetry.value(ACTIVE, operation="load") == 0

    def test_block_takes_the_options_of_the_decorator(self, telemetry: Captured) -> None:
        """Options work, except capture."""
        with instrumented.block("save", component="disk", attributes={"a": 1}, spans=False):
            pass
        assert telemetry.value(DURATION, operation="save", component="disk", a=1) == 1
        assert not telemetry.spans
        with pytest.raises(TypeError, match="no arguments to capture"):
            instrumented.block("save", capture=("x",))  # type: ignore[call-overload]

    def test_block_when_disabled_does_nothing(
        self, telemetry: Captured, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """OTEL_SDK_DISABLED reaches blocks too."""
        monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
        with instrumented.block("silent"):
            pass
        assert not telemetry.spans


class TestClass:
    def test_class_keeps_private_excluded_and_decorated_methods(self, telemetry: Captured) -> None:
        """Public methods of its own are instrumented, once; the class is the same object."""

        class Store:
            def put(self) -> None:
                self._private()

            def _private(self) -> None: ...

            @instrumented.exclude
            def left_out(self) -> None: ...

            @instrumented(name="own")
            def decorated(self) -> None: ...

            @property
            def size(self) -> int:
                return 1

        assert instrumented(Store) is Store
        store = Store()
        store.put()
        store.left_out()
        store.decorated()
        assert store.size == 1
        assert [span.name for span in telemetry.spans] == [
            "TestClass.test_class_keeps_private_excluded_and_decorated_methods.Store.put",
            "own",
        ]

    def test_class_with_a_name_is_refused(self) -> None:
        """One name cannot serve several methods."""
        with pytest.raises(TypeError, match="one for each public method"):
            instrumented(name="x")(type("Anything", (), {}))


class TestCapture:
    def test_named_arguments_are_on_the_span_bounded_and_masked(self, telemetry: Captured) -> None:
        """Captured values are short, and no secret among them."""

        @instrumented(capture=("key", "limit", "password", "header", "rest"))
        def fetch(key: str, limit: int = 5, *, password: str, header: str, rest: Any = None) -> int:
            return limit

        fetch(
            "k" * 1000, password="hunter2", header="Authorization: Bearer abcdefghijkl", rest=[1, 2]
        )
        attributes = telemetry.spans[0].attributes
        assert len(str(attributes["qudag.argument.key"])) == 256
        assert attributes["qudag.argument.limit"] == 5
        assert attributes["qudag.argument.password"] == "[redacted]"
        assert attributes["qudag.argument.header"] == "Authorization: [redacted]"
        assert attributes["qudag.argument.rest"] == "[1, 2]"
        assert "hunter2" not in str(telemetry.spans)

    def test_value_whose_repr_raises_is_named_by_its_type(self, telemetry: Captured) -> None:
        """A broken __repr__ does not break the call."""

        class Broken:
            def __repr__(self) -> str:
                raise ValueError("no repr")

        instrumented(capture=("value",), name="takes")(lambda value: value)(Broken())
        text = telemetry.span("takes").attributes["qudag.argument.value"]
        assert "Broken" in str(text)

    def test_wrong_arguments_raise_what_the_function_raises(self, telemetry: Captured) -> None:
        """Capturing does not hide a TypeError of the call."""

        @instrumented(capture=("value",))
        def takes(value: int) -> int:
            return value

        with pytest.raises(TypeError, match=r"takes.* positional argument"):
            takes(1, 2)  # type: ignore[call-arg]
        assert telemetry.value(ERRORS, error_type="TypeError") == 1

    def test_unknown_parameter_is_refused_at_decoration(self) -> None:
        """A misspelt name is told at once."""
        with pytest.raises(TypeError, match="names 'vale'"):
            instrumented(capture=("vale",))(lambda value: value)
        with pytest.raises(TypeError, match=r'capture=\("value",\)'):
            instrumented(capture="value")(lambda value: value)


class TestBadOptions:
    @pytest.mark.parametrize("name", sorted(RESERVED))
    def test_reserved_attribute_name_is_refused(self, name: str) -> None:
        """An attribute cannot replace what telemetry sets itself."""
        with pytest.raises(TypeError, match="reserved"):
            instrumented(attributes={name: "x"})

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"expected": "ValueError"}, "exception types"),
            ({"name": ""}, "not empty"),
            ({"kind": "server"}, "SpanKind"),
            ({"objective": 0.99}, "Objective"),
            ({"nome": "x"}, "nome"),
        ],
    )
    def test_wrong_option_is_refused(self, options: dict[str, Any], message: str) -> None:
        """A wrong option is told when the decorator is applied, not when the function is called."""
        with pytest.raises(TypeError, match=message):
            instrumented(**options)

    @pytest.mark.parametrize("target", [3, "text", property(len)])
    def test_what_cannot_be_called_is_refused(self, target: Any) -> None:
        """Only callables and classes can be instrumented."""
        with pytest.raises(TypeError, match="takes a callable or a class"):
            instrumented(target)

    def test_attribute_that_is_no_scalar_becomes_text_with_a_warning(
        self, telemetry: Captured
    ) -> None:
        """A list as attribute is reported as its text."""
        instrumented(name="listed", attributes={"parts": [1, 2]})(lambda: None)()  # type: ignore[dict-item]
        assert telemetry.span("listed").attributes["parts"] == "[1, 2]"
        assert "parts" in str(telemetry.log("no string, number or boolean").body)


@instrumented
def at_module_level(value: int) -> int:
    """Pickled by the test below."""
    return value


class TestObject:
    def test_function_can_be_pickled_and_copied(self) -> None:
        """Process pools send functions by name."""
        assert pickle.loads(pickle.dumps(at_module_level)) is at_module_level
        assert copy.deepcopy(at_module_level) is at_module_level
        assert at_module_level.__doc__ == "Pickled by the test below."

    def test_decorated_function_can_be_mocked(self) -> None:
        """A mock takes the function's place, with its signature."""
        with mock.patch(f"{__name__}.at_module_level", autospec=True) as mocked:
            mocked.return_value = 5
            assert at_module_level(1) == 5
            with pytest.raises(TypeError):
                at_module_level(1, 2)  # type: ignore[call-arg]

    def test_equal_options_share_one_series(self, telemetry: Captured) -> None:
        """Functions decorated again and again, as in a loop, do not add series."""
        for _ in range(50):
            instrumented(name="again")(lambda: None)()
        (point,) = telemetry.points(DURATION, operation="again")
        assert point.value == 50


def test_threads_count_exactly(telemetry: Captured) -> None:
    """Calls from many threads are all counted."""

    @instrumented(name="threaded")
    def threaded() -> None: ...

    def run() -> None:
        for _ in range(300):
            threaded()

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert telemetry.value(DURATION, operation="threaded") == 2400
    assert telemetry.value(ACTIVE, operation="threaded") == 0


class TestObjective:
    def test_objective_is_registered_for_alerts(self) -> None:
        """Alert generation finds what the decorator was told."""
        promise = Objective(success=0.999, latency=0.5, target=0.95)
        instrumented(name="promised", component="shop", objective=promise)(lambda: None)
        assert objectives.registered()["promised", "shop"] == promise

    def test_objectives_of_operations_named_after_data_do_not_pile_up(
        self, telemetry: Captured
    ) -> None:
        """The first ones stay and may change; one warning names an operation that is too many."""
        objectives.reset()
        promises = [Objective(success=share) for share in (0.9, 0.99)]
        for promise in promises:
            for number in range(objectives.LIMIT + 2):
                objectives.register(f"order {number}", "shop", promise)
        found = objectives.registered()
        assert len(found) == objectives.LIMIT
        assert found["order 0", "shop"] == promises[1]
        (warning,) = [
            one for one in telemetry.logs if "name operations after code" in str(one.body)
        ]
        assert "order 1000" in str(warning.body)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({}, "success=, latency=, or both"),
            ({"success": 1.0}, "between 0 and 1"),
            ({"success": 99.9}, "between 0 and 1"),
            ({"latency": 0.5, "target": 0}, "between 0 and 1"),
            ({"latency": -1}, "positive"),
            ({"latency": float("nan")}, "positive"),
        ],
    )
    def test_objective_that_cannot_be_met_or_missed_is_refused(
        self, options: dict[str, float], message: str
    ) -> None:
        """Shares are between 0 and 1, latencies positive."""
        with pytest.raises(ValueError, match=message):
            Objective(**options)
