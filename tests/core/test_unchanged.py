"""What is instrumented stays what it was: attributes, signature, pickles, methods, errors."""

# mypy: disable-error-code="untyped-decorator, no-any-return"
# The decorator is taken as untyped here: its types are tested elsewhere.

from __future__ import annotations

import asyncio
import contextlib
import copy
import functools
import inspect
import pickle
import types
from typing import TYPE_CHECKING, Any

import click
import cloudpickle  # type: ignore[import-untyped]
import pytest
import wrapt
from opentelemetry import baggage, context, trace
from opentelemetry.instrumentation.utils import suppress_instrumentation

from qudag_otel import instrumented as _instrumented

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Iterator

    from qudag_otel.testing import Captured

instrumented: Any = _instrumented
DURATION = "qudag.operation.duration"
ACTIVE = "qudag.operation.active"


class Fault(Exception):
    """An error of the tests."""


class Adder:
    """An object that can be called, with a state of its own."""

    def __init__(self, more: int) -> None:
        self.more = more

    def __call__(self, value: int) -> int:
        return value + self.more

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Adder) and other.more == self.more

    __hash__ = None  # type: ignore[assignment]


def add(first: int, second: int = 2, *rest: int, key: str = "k", **more: int) -> int:
    """Add."""
    return first + second


async def acoroutine(first: int, /, second: int = 2) -> int:
    return first + second


def generator(first: int, *, second: int = 2) -> Iterator[int]:
    yield first + second


async def agenerator(first: int, second: int) -> AsyncGenerator[int, None]:
    yield first + second


instrumented_partial = instrumented(functools.partial(add, 1))


class TestObjects:
    def test_object_keeps_attributes_class_and_equality(self, telemetry: Captured) -> None:
        """Only its calls are observed."""
        adder = instrumented(Adder(2))
        assert adder(3) == 5
        assert isinstance(adder, Adder)
        assert adder == Adder(2)
        adder.more = 10
        assert adder(3) == 13
        assert telemetry.value(DURATION, operation="Adder") == 2

    def test_lru_cache_keeps_its_methods(self, telemetry: Captured) -> None:
        """What a cache can be asked and told stays."""

        class Settings:
            @instrumented(name="read")
            @functools.lru_cache  # noqa: B019 - a test does not last
            def read(self, key: str) -> str:
                return key.upper()

        settings = Settings()
        assert settings.read("a") == settings.read("a") == "A"
        assert Settings.read.cache_info().hits == 1
        Settings.read.cache_clear()
        assert telemetry.value(DURATION, operation="read") == 2

    # Python 3.13 announces what 3.14 does with a partial.
    @pytest.mark.filterwarnings("ignore:functools.partial will be a method descriptor")
    def test_object_as_a_class_attribute_gets_no_self(self, telemetry: Captured) -> None:
        """As without the decorator, only what is a descriptor is bound."""

        class Owner:
            add = instrumented(Adder(1))
            half = instrumented(functools.partial(add.__wrapped__, 2))
            size = instrumented(len)

        assert Owner().add(1) == 2
        assert Owner().half() == 3
        assert Owner().size("four") == 4
        assert telemetry.value(DURATION) == 3

    def test_object_binds_as_it_did(self, telemetry: Captured) -> None:
        """To an instance, a class or nothing, by rules of its own; also below a staticmethod."""

        class Hybrid:
            def __init__(self, function: Callable[..., Any]) -> None:
                self.function = function

            def __call__(self, *args: Any) -> Any:
                return self.function(*args)

            def __get__(self, instance: object, owner: type) -> Any:
                return functools.partial(self.function, instance or owner)

        @wrapt.decorator
        def told(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
            return instance, wrapped(*args, **kwargs)

        class Some:
            hybrid = instrumented(name="op")(Hybrid(lambda of, value: (of, value)))

            @instrumented(name="op")
            @told
            def method(self, value: int) -> int:
                return value

            @instrumented(name="op")
            @told
            @classmethod
            def of_class(cls, value: int) -> int:
                return value

        some = Some()
        assert Some.hybrid(1) == (Some, 1)
        assert some.hybrid(1) == (some, 1)
        assert some.method(1) == (some, 1)
        assert Some.of_class(1) == some.of_class(1) == (Some, 1)
        assert telemetry.value(DURATION, operation="op", outcome="ok") == 5

    def test_object_that_can_be_iterated_still_can(self, telemetry: Captured) -> None:
        """And is told its name where it is a class's attribute."""

        class Steps(list[int]):
            name = ""

            def __call__(self) -> int:
                return len(self)

            def __set_name__(self, _: type, name: str) -> None:
                self.name = name

        class Some:
            steps = instrumented(Steps([1, 2]))

        assert (list(Some.steps), Some.steps(), Some.steps.name) == ([1, 2], 2, "steps")

    def test_result_is_no_awaitable_by_what_its_metaclass_says(self, telemetry: Captured) -> None:
        """Python does not ask a metaclass for special methods, which may raise or have any."""

        class Registry(type):
            def __getattr__(cls, name: str) -> Any:
                raise KeyError(name)

        class Anything(type):
            def __getattr__(cls, name: str) -> Any:
                return print

        for meta in (Registry, Anything):
            made = meta("Made", (), {})()
            assert instrumented(name="gives")(lambda it: it)(made) is made

    def test_class_may_hold_what_stands_for_something_else(self, telemetry: Captured) -> None:
        """A request's proxy answers outside of a request with an error of its own."""

        class Proxy:
            def __getattr__(self, name: str) -> Any:
                raise RuntimeError(name)

        @instrumented
        class View:
            request = Proxy()

            def show(self) -> str:
                return "shown"

        assert View().show() == "shown"

    def test_partial_stays_a_partial(self, telemetry: Captured) -> None:
        """Its parts can be read, and it can be pickled and copied, observed where it arrives."""
        assert isinstance(instrumented_partial, functools.partial)
        assert (instrumented_partial.func, instrumented_partial.args) == (add, (1,))
        for copied in (
            pickle.loads(pickle.dumps(instrumented_partial)),
            cloudpickle.loads(cloudpickle.dumps(instrumented_partial)),
            copy.copy(instrumented_partial),
            copy.deepcopy(instrumented_partial),
        ):
            assert copied(4) == 5
        assert telemetry.value(DURATION, operation="add") == 4

    def test_bound_method_stays_one(self, telemetry: Captured) -> None:
        """Its object can be asked for."""
        adder = Adder(3)
        method = instrumented(adder.__call__)
        assert method.__self__ is adder
        assert inspect.ismethod(method)
        assert method(1) == 4
        assert telemetry.value(DURATION) == 1

    def test_function_defined_here_can_be_sent_by_value(self, telemetry: Captured) -> None:
        """Cloudpickle takes functions of a notebook or of a function along."""

        @instrumented(name="local", capture=("value",))
        def local(value: int) -> int:
            return value + 1

        assert cloudpickle.loads(cloudpickle.dumps(local))(1) == 2
        assert telemetry.span("local").attributes["qudag.argument.value"] == 1

    def test_command_is_refused_with_the_remedy(self) -> None:
        """A click command calls the function below, never what stands above."""
        with pytest.raises(TypeError, match="below the decorator"):
            instrumented(click.command()(lambda: None))


class TestSignature:
    @pytest.mark.parametrize("function", [add, acoroutine, generator, agenerator])
    def test_signature_is_the_function_s(self, function: Callable[..., Any]) -> None:
        """Both ways of asking, as frameworks use them."""
        decorated = instrumented(function)
        assert inspect.signature(decorated) == inspect.signature(function)
        assert inspect.getfullargspec(decorated) == inspect.getfullargspec(function)

    @pytest.mark.parametrize("function", [acoroutine, generator, agenerator])
    @pytest.mark.parametrize(
        ("args", "kwargs"), [((), {}), ((1, 2, 3, 4), {"nome": 1}), ((1,), {"first": 1})]
    )
    def test_wrong_arguments_raise_at_the_call_in_python_s_words(
        self, function: Callable[..., Any], args: tuple[int, ...], kwargs: dict[str, int]
    ) -> None:
        """Not when the coroutine is awaited or the generator is iterated."""
        with pytest.raises(TypeError) as bare:
            function(*args, **kwargs)
        with pytest.raises(TypeError) as decorated:
            instrumented(function)(*args, **kwargs)
        assert str(decorated.value) == str(bare.value)

    def test_names_of_what_a_call_makes_stay(self) -> None:
        """Logs and debuggers name coroutines and generators."""
        functions: list[Any] = [acoroutine, generator, agenerator]
        for function in functions:
            for made in (function(1, second=2), instrumented(function)(1, second=2)):
                assert made.__qualname__ == function.__qualname__
                assert made.__name__ == function.__name__
                if inspect.iscoroutine(made):
                    made.close()

    def test_coroutine_never_awaited_warns_once(self, recwarn: pytest.WarningsRecorder) -> None:
        """As without the decorator."""
        instrumented(acoroutine)(1)
        assert [str(one.message) for one in recwarn] == ["coroutine 'acoroutine' was never awaited"]

    def test_generator_based_coroutine_can_be_awaited(self, telemetry: Captured) -> None:
        """`types.coroutine` below the decorator counts, and keeps its kind."""

        @instrumented(name="legacy")
        @types.coroutine
        def legacy(value: int) -> Generator[Any, Any, int]:
            yield from asyncio.sleep(0).__await__()
            return value

        async def main() -> int:
            return await legacy(3)

        assert asyncio.run(main()) == 3
        assert telemetry.value(DURATION, operation="legacy", outcome="ok") == 1


def _attach(name: str) -> object:
    return context.attach(baggage.set_baggage("tenant", name))


def _rows() -> Generator[Any, None, None]:
    token = _attach("acme")
    yield baggage.get_baggage("tenant")
    yield baggage.get_baggage("tenant")
    context.detach(token)  # type: ignore[arg-type]
    yield baggage.get_baggage("tenant")


def _leaking() -> Generator[Any, None, None]:
    _attach("acme")
    yield 1


def _nested() -> Generator[Any, None, None]:
    with trace.get_tracer("own").start_as_current_span("own"):
        yield trace.get_current_span().is_recording()


class TestContext:
    @pytest.mark.parametrize("body", [_rows, _leaking, _nested])
    def test_what_a_generator_attaches_is_seen_as_without_the_decorator(
        self, telemetry: Captured, body: Callable[[], Generator[Any, None, None]]
    ) -> None:
        """By its body, by its caller between the steps, and after its end."""

        def watched(function: Callable[[], Generator[Any, None, None]]) -> list[Any]:
            before = context.get_current()
            seen: list[Any] = []
            for item in function():
                current = trace.get_current_span()
                seen.append((item, baggage.get_baggage("tenant"), getattr(current, "name", None)))
            seen.append((baggage.get_baggage("tenant"), trace.get_current_span()))
            context.attach(before)
            return seen

        assert watched(instrumented(body)) == watched(body)
        assert len([span for span in telemetry.spans if span.name == body.__name__]) == 1

    @pytest.mark.parametrize("above", [True, False])
    def test_context_manager_is_measured_over_its_block(
        self, telemetry: Captured, above: bool
    ) -> None:
        """On either side of `contextmanager`, with the body's values in the block."""

        def tenant(name: str) -> Generator[str, None, None]:
            token = _attach(name)
            try:
                yield name
            finally:
                context.detach(token)  # type: ignore[arg-type]

        manager = (
            instrumented(name="tenant")(contextlib.contextmanager(tenant))
            if above
            else contextlib.contextmanager(instrumented(name="tenant")(tenant))
        )
        with manager("acme") as name:
            assert (name, baggage.get_baggage("tenant")) == ("acme", "acme")
            assert telemetry.value(ACTIVE, operation="tenant") == 1
            if above:
                with instrumented.block("inside"):
                    pass
        assert baggage.get_baggage("tenant") is None
        assert not trace.get_current_span().get_span_context().is_valid
        with pytest.raises(Fault), manager("acme"):
            raise Fault
        with pytest.raises(TypeError, match="name"):
            manager()
        assert telemetry.value(DURATION, operation="tenant", outcome="ok") == 1
        assert telemetry.value(DURATION, operation="tenant", outcome="error") == 1
        if above:
            assert telemetry.span("inside").parent == "tenant"

    def test_asynchronous_context_manager_is_measured_over_its_block(
        self, telemetry: Captured
    ) -> None:
        """As the synchronous one."""

        @instrumented(name="session")
        @contextlib.asynccontextmanager
        async def session() -> AsyncGenerator[int, None]:
            await asyncio.sleep(0)
            yield 1

        async def main() -> None:
            async with session() as opened:
                assert opened == 1
                assert telemetry.value(ACTIVE, operation="session") == 1
                with instrumented.block("inside"):
                    await asyncio.sleep(0)
            with pytest.raises(Fault):
                async with session():
                    raise Fault

        asyncio.run(main())
        assert telemetry.value(ACTIVE, operation="session") == 0
        assert telemetry.value(DURATION, operation="session", outcome="error") == 1
        assert telemetry.span("inside").parent == "session"

    def test_leaked_attach_of_a_function_is_cleaned_up(self, telemetry: Captured) -> None:
        """The caller's context is as before the call."""
        before = context.get_current()
        instrumented(name="leaks")(lambda: _attach("acme"))()
        assert context.get_current() is before

    @pytest.mark.parametrize("options", [{}, {"spans": False}])
    def test_nothing_is_observed_where_that_is_suppressed(
        self, telemetry: Captured, options: dict[str, bool]
    ) -> None:
        """An exporter or transport that is decorated does not observe itself."""

        def body() -> Iterator[int]:
            yield from inner()

        def inner() -> list[int]:
            return [1]

        outer = instrumented(name="outer", **options)(body)
        inner = instrumented(name="inner", **options)(inner)
        with suppress_instrumentation():
            assert list(outer()) == [1]
            with instrumented.block("block", **options):
                inner()
        assert not telemetry.spans
        assert not telemetry.points(DURATION)
        assert list(outer()) == [1]
        assert telemetry.value(DURATION) == 2
