"""What foreign code raises while telemetry calls it goes no further, unless a signal raised it."""

from __future__ import annotations

import asyncio
import functools
import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import metrics

from qudag_otel import get_logger, instrumented, recorders
from qudag_otel._foreign import interrupts
from qudag_otel.catalogue import metrics as m
from qudag_otel.instruments import observe
from qudag_otel.propagation import incoming
from qudag_otel.testing import capture

if TYPE_CHECKING:
    from collections.abc import Callable

    from qudag_otel.testing import Captured


class Bare(BaseException):
    """What no `except Exception` catches."""


class Late(Exception):
    """What a handler raises when time is up."""


RAISED = (SystemExit, GeneratorExit, asyncio.CancelledError, Bare, RecursionError)
_METHODS = (
    "__repr__", "__str__", "__format__", "__bool__", "__len__", "__iter__", "__eq__",
    "__index__", "__float__", "__call__", "__getitem__", "keys",
)  # fmt: skip


def evil(what: Callable[[], object]) -> Any:
    """A value whose every method does something else."""

    def method(*_: object, **__: object) -> Any:
        what()

    return type("Evil", (), dict.fromkeys(_METHODS, method))()


def raising(error: type[BaseException]) -> Callable[[], object]:
    """What raises such an exception."""

    def throw() -> None:
        raise error

    return throw


class Unprintable(Exception):
    """An error whose text does something else."""

    def __init__(self, what: Callable[[], object]) -> None:
        super().__init__()
        self.what = what

    def __str__(self) -> str:
        self.what()
        return ""

    __repr__ = __str__


@instrumented(name="work", capture=("value",))
def work(value: Any, error: Exception | None = None) -> Any:
    """A decorated function."""
    here = instrumented.current()
    here.set_attribute("value", value)
    here.set_attribute("values", [value])
    here.add_event("event", {"value": value})
    here.add_link(value)
    here.set_outcome(value)
    here.set_error(value)
    here.rename(value)
    if error is not None:
        raise error
    return value


@instrumented(name="take", capture=("value",))
def take(value: object) -> object:
    """One that says nothing of itself."""
    return value


@pytest.mark.parametrize("error", RAISED)
def test_what_a_value_raises_does_not_reach_the_caller(
    telemetry: Captured, error: type[BaseException]
) -> None:
    """Of arguments, attributes, results, errors, labels, log fields, headers and numbers."""
    value: Any = evil(raising(error))
    assert work(value) is value
    with pytest.raises(Unprintable):
        work(1, Unprintable(raising(error)))
    get_logger("tests", value=value).warning("said", more=value)
    recorders.record_cache_eviction(value, value, value)
    recorders.record_error(None, value, value)
    recorders.record_throughput(value, value, value)
    recorders.update_resource_usage(value, value, value)
    for headers in (value, [value], {"traceparent": value}, [(value, "x")]):
        with incoming(headers):
            pass
    assert [span.name for span in telemetry.spans] == ["work", "work"]


@pytest.mark.parametrize("error", RAISED)
def test_what_an_observer_raises_does_not_cost_the_others(error: type[BaseException]) -> None:
    """Nor ends it the thread that asks."""
    with capture() as captured:
        stop = observe(m.COMPONENT_UP, raising(error))  # type: ignore[arg-type]
        metrics.get_meter("tests").create_counter("ours").add(1)
        assert captured.value("ours") == 1
        stop()


@pytest.mark.skipif(not hasattr(signal, "SIGUSR1"), reason="needs the signal")
@pytest.mark.parametrize("raised", [SystemExit, Late, Bare])
@pytest.mark.parametrize("shape", ["function", "starred", "method", "partial", "object"])
def test_what_a_signals_handler_raises_reaches_the_application(
    telemetry: Captured, raised: type[BaseException], shape: str
) -> None:
    """A program ends, and a call is given up, also while telemetry asks for the text of a value."""

    class Handler:
        def method(self, number: int, frame: object) -> None:
            signal.signal(number, signal.SIG_DFL)  # as the second one may kill
            raise raised

        __call__ = method

    def function(_: int, __: object) -> None:
        raise raised

    def starred(*_: object) -> None:
        raise raised

    handlers: dict[str, Any] = {
        "function": function, "starred": starred, "method": Handler().method,
        "partial": functools.partial(Handler.method, Handler()), "object": Handler(),
    }  # fmt: skip
    before = signal.signal(signal.SIGUSR1, handlers[shape])
    try:
        with pytest.raises(raised):
            work(evil(lambda: signal.raise_signal(signal.SIGUSR1)))
        signal.signal(signal.SIGUSR1, handlers[shape])
        with pytest.raises(raised):
            work(1, Unprintable(lambda: signal.raise_signal(signal.SIGUSR1)))
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_ctrl_c_reaches_the_application(telemetry: Captured) -> None:
    """Python's own handler has no frame; it runs in the main thread alone."""
    with pytest.raises(KeyboardInterrupt):
        take(evil(lambda: signal.raise_signal(signal.SIGINT)))
    found: list[object] = []
    value = evil(raising(KeyboardInterrupt))
    thread = threading.Thread(target=lambda: found.append(take(value)))
    thread.start()
    thread.join()
    assert found[0] is value


def test_what_ends_greenlets_reaches_them() -> None:
    """A lock or a log line may wait, and give way to whoever ends the greenlet."""
    gevent = pytest.importorskip("gevent")
    assert interrupts(gevent.GreenletExit())
    assert interrupts(gevent.Timeout(1))
