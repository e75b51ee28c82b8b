"""Components: registration, availability, and the check that their authors run."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.metrics import CallbackOptions, Observation

from qudag_otel.component import ConformanceError, check_conformance, monitor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from opentelemetry.metrics import Counter, Meter

    from qudag_otel.logs import ComponentLogger
    from qudag_otel.testing import Captured

UP = "qudag_component_up"


class Store:
    """A component as its author would write one."""

    component_name = "store"

    def __init__(self) -> None:
        self.open = True
        self.writes: Counter | None = None
        self.log: ComponentLogger | None = None

    def register_metrics(self, meter: Meter) -> None:
        self.writes = meter.create_counter("store.writes", unit="{write}")
        meter.create_observable_gauge("store.entries", callbacks=[self.entries])

    def entries(self, options: CallbackOptions) -> Iterable[Observation]:
        return [Observation(3)]

    def use_logger(self, logger: ComponentLogger) -> None:
        self.log = logger

    def healthy(self) -> bool:
        if not self.open:
            raise ConnectionError("closed")
        return True


def test_monitored_component_reports_metrics_and_availability(telemetry: Captured) -> None:
    """Its instruments record, its logger logs, and its health is 1."""
    store = Store()
    monitor(store, node_id="n1")
    assert store.writes is not None
    assert store.log is not None

    store.writes.add(2)
    store.log.error("full")

    assert telemetry.value("store.writes") == 2
    assert telemetry.value("store.entries") == 3
    assert telemetry.value(UP, component="store", node_id="n1") == 1
    assert telemetry.log("full").attributes["qudag.component"] == "store"


def test_component_whose_health_check_raises_is_down(telemetry: Captured) -> None:
    """A check that fails is 0; each change is logged once."""
    store = Store()
    monitor(store, node_id="down")
    assert telemetry.value(UP, node_id="down") == 1

    store.open = False
    assert telemetry.value(UP, node_id="down") == 0
    assert telemetry.value(UP, node_id="down") == 0
    log = telemetry.log("component is down")
    assert (log.severity, log.attributes["failure"]) == ("error", "closed")

    store.open = True
    assert telemetry.value(UP, node_id="down") == 1


def test_component_no_longer_monitored_or_alive_reports_nothing(telemetry: Captured) -> None:
    """Reporting ends when told to, and with the component."""

    class Plain(Store):
        def register_metrics(self, meter: Meter) -> None:
            """A callback of its own would keep the component alive with its meter."""
            meter.create_counter("store.writes")

    stopped, dropped = Plain(), Plain()
    stop = monitor(stopped, node_id="stopped")
    monitor(dropped, node_id="dropped")
    assert telemetry.points(UP, node_id="stopped")
    assert telemetry.points(UP, node_id="dropped")

    stop()
    del dropped
    gc.collect()

    assert not telemetry.points(UP, node_id="stopped")
    assert not telemetry.points(UP, node_id="dropped")


def test_component_whose_registration_fails_does_not_stop_the_program(
    telemetry: Captured,
) -> None:
    """The fault is logged with its traceback, and availability is still reported."""

    class Broken(Store):
        def register_metrics(self, meter: Meter) -> None:
            raise RuntimeError("no metrics")

    broken = Broken()
    monitor(broken, node_id="broken")

    assert telemetry.value(UP, component="store", node_id="broken") == 1
    log = telemetry.log("could not be registered")
    assert log.attributes["exception.message"] == "no metrics"


def test_component_with_an_asynchronous_check_is_not_guessed(telemetry: Captured) -> None:
    """A coroutine is true as an object, which says nothing about health: there is no value."""

    class Asynchronous(Store):
        async def healthy(self) -> bool:  # type: ignore[override]  # the mistake
            return False

    component: Any = Asynchronous()
    monitor(component, node_id="async")

    assert not telemetry.points(UP, node_id="async")
    assert telemetry.log("make it a plain method").severity == "warning"


@pytest.mark.parametrize("name", [None, "", 7])
def test_monitor_of_a_component_without_a_name_says_so(name: object) -> None:
    """A mistake in the program is told where it is made."""
    store: Any = Store()
    store.component_name = name
    with pytest.raises(TypeError, match="component_name must be a text"):
        monitor(store)


def test_conforming_component_passes() -> None:
    """The check is silent, and can be repeated."""
    store = Store()
    check_conformance(store)
    check_conformance(store)


class NoMethods:
    __slots__ = ()
    component_name = ""


class WrongShapes(Store):
    @property
    def component_name(self) -> str:  # type: ignore[override]  # a name that changes
        self.count = getattr(self, "count", 0) + 1
        return f"store-{self.count}"

    def register_metrics(self) -> None:  # type: ignore[override]  # takes no meter
        pass

    async def use_logger(self, logger: ComponentLogger) -> None:  # type: ignore[override]  # async
        pass

    def healthy(self) -> str:  # type: ignore[override]  # no bool
        return "yes"


class Raising(Store):
    @property
    def component_name(self) -> str:  # type: ignore[override]  # cannot be read
        raise KeyError("name")

    def register_metrics(self, meter: Meter) -> None:
        raise RuntimeError("metrics")

    def use_logger(self, logger: ComponentLogger) -> None:
        raise RuntimeError("logger")

    def healthy(self) -> bool:
        raise RuntimeError("health")


class OnceOnly(Store):
    def register_metrics(self, meter: Meter) -> None:
        if self.writes is not None:
            raise RuntimeError("registered twice")
        super().register_metrics(meter)


class Different(Store):
    def register_metrics(self, meter: Meter) -> None:
        self.count = getattr(self, "count", 0) + 1
        meter.create_counter(f"store.{self.count}")


class BadInstruments(Store):
    def register_metrics(self, meter: Meter) -> None:
        meter.create_counter("9 lives")
        meter.create_counter("store.same")
        meter.create_histogram("store.same")
        meter.create_observable_counter("store.numbers", [lambda _: [1]])  # type: ignore[list-item]
        meter.create_observable_counter("store.broken", [self.broken])

    def broken(self, options: CallbackOptions) -> Iterator[Observation]:
        raise RuntimeError("callback")


class NoInstruments(Store):
    def register_metrics(self, meter: Meter) -> None:
        pass

    def healthy(self) -> bool:
        async def answer() -> bool:
            return True

        return answer()  # type: ignore[return-value]  # the mistake


@pytest.mark.parametrize(
    ("component", "faults"),
    [
        (
            NoMethods,
            [
                "component_name is ''",
                "__weakref__",
                "register_metrics() is missing",
                "use_logger() is missing",
                "healthy() is missing",
            ],
        ),
        (
            WrongShapes,
            [
                "component_name changes",
                "register_metrics() cannot be called with 1 argument(s)",
                "use_logger() is a coroutine function",
                "healthy() returns 'yes'",
            ],
        ),
        (
            Raising,
            [
                "component_name cannot be read: KeyError('name')",
                "register_metrics() raises when called: RuntimeError('metrics')",
                "use_logger() raises",
                "healthy() raises",
            ],
        ),
        (OnceOnly, ["raises when called a second time: RuntimeError('registered twice')"]),
        (Different, ["other instruments when called a second time"]),
        (
            BadInstruments,
            [
                "'9 lives' is no instrument name",
                "creates 'store.same' 2 times",
                "the callback of 'store.numbers' gives 1",
                "the callback of 'store.broken' fails: RuntimeError('callback')",
            ],
        ),
        (NoInstruments, ["creates no instrument", "healthy() returns an awaitable"]),
    ],
)
def test_conformance_of_a_faulty_component_lists_every_fault(
    component: type[Any], faults: list[str]
) -> None:
    """One run tells the author everything, each with what to do."""
    with pytest.raises(ConformanceError, match=component.__name__) as caught:
        check_conformance(component())

    assert len(caught.value.faults) == len(faults), caught.value
    for fault in faults:
        assert fault in str(caught.value)
