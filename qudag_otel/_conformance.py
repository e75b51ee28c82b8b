"""The faults of a monitored component, found by using it as the program would."""

from __future__ import annotations

import inspect
import re
import weakref
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry.metrics import CallbackOptions, NoOpMeter, Observation

from qudag_otel.logs import get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# Source: OpenTelemetry specification, metrics API, "Instrument name syntax".
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.\-/]{0,254}")
_METHODS: Final = ("register_metrics", "use_logger", "healthy")


class ConformanceError(AssertionError):
    """A component does not do what a monitored component has to do.

    Args:
        component: The name of its class.
        faults: What is wrong, one sentence each.
    """

    def __init__(self, component: str, faults: list[str]) -> None:
        self.faults = faults
        lines = "".join(f"\n- {fault}" for fault in faults)
        super().__init__(f"{component} is not a MonitoredComponent:{lines}")


def faults_of(component: Any) -> list[str]:
    """Everything that is wrong with a component; empty if it conforms."""
    faults = [*_name_faults(component), *_reference_faults(component)]
    usable: list[str] = []
    for method in _METHODS:
        found = [*_method_faults(component, method)]
        faults += found
        if not found:
            usable.append(method)
    for method in usable:
        faults += _CHECKS[method](component)
    return faults


def _name_faults(component: Any) -> Iterator[str]:
    try:
        first, second = component.component_name, component.component_name
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a fault to report
        yield f"component_name cannot be read: {error!r}"
        return
    if not isinstance(first, str) or not first:
        yield f"component_name is {first!r}; make it a text that is not empty"
    elif first != second:
        yield f"component_name changes, from {first!r} to {second!r}; each name is a series"


def _reference_faults(component: Any) -> Iterator[str]:
    try:
        weakref.ref(component)
    except TypeError:
        yield 'it cannot be weakly referenced; add "__weakref__" to its __slots__'


def _method_faults(component: Any, name: str) -> Iterator[str]:
    method = getattr(component, name, None)
    if not callable(method):
        yield f"{name}() is missing"
        return
    if inspect.iscoroutinefunction(method):
        yield f"{name}() is a coroutine function; make it a plain method"
        return
    arguments = () if name == "healthy" else (object(),)
    try:
        inspect.signature(method).bind(*arguments)
    except TypeError as error:
        yield f"{name}() cannot be called with {len(arguments)} argument(s): {error}"
    except ValueError:  # no signature to look at, as in some extension modules
        return


def _metrics_faults(component: Any) -> Iterator[str]:
    created: list[set[str]] = []
    for time in ("", " a second time"):
        meter = _NotingMeter()
        try:
            component.register_metrics(meter)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a fault to report
            yield f"register_metrics() raises when called{time}: {error!r}"
            return
        created.append({name for name, _ in meter.created})
    if not created[0]:
        yield "register_metrics() creates no instrument"
    elif created[0] != created[1]:
        yield "register_metrics() creates other instruments when called a second time"
    names = [name for name, _ in meter.created]
    for name in sorted(set(names)):
        if names.count(name) > 1:
            yield f"register_metrics() creates {name!r} {names.count(name)} times"
        if not _NAME.fullmatch(name):
            yield (
                f"{name!r} is no instrument name; use at most 255 letters, digits and _ . - /,"
                " a letter first"
            )
    for name, callbacks in meter.created:
        for callback in callbacks:
            yield from _callback_faults(name, callback)


def _callback_faults(name: str, callback: Callable[[CallbackOptions], Any]) -> Iterator[str]:
    try:
        observations = list(callback(CallbackOptions()))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a fault to report
        yield f"the callback of {name!r} fails: {error!r}"
        return
    wrong = next((one for one in observations if not isinstance(one, Observation)), None)
    if wrong is not None:
        yield f"the callback of {name!r} gives {wrong!r}, which is no Observation"


def _logger_faults(component: Any) -> Iterator[str]:
    try:
        component.use_logger(get_logger("conformance"))
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a fault to report
        yield f"use_logger() raises: {error!r}"


def _health_faults(component: Any) -> Iterator[str]:
    try:
        answer = component.healthy()
    except Exception as error:  # noqa: BLE001 - whatever it is, it is a fault to report
        yield f"healthy() raises: {error!r}; return False where a check fails"
        return
    if inspect.isawaitable(answer):
        getattr(answer, "close", lambda: None)()
        yield "healthy() returns an awaitable; make it a plain method"
    elif not isinstance(answer, bool):
        yield f"healthy() returns {answer!r}; return True or False"


_CHECKS: Final[dict[str, Callable[[Any], Iterator[str]]]] = {
    "use_logger": _logger_faults,
    "register_metrics": _metrics_faults,
    "healthy": _health_faults,
}


class _NotingMeter(NoOpMeter):
    """Makes instruments that do nothing, and notes their names and callbacks."""

    def __init__(self) -> None:
        super().__init__("conformance")
        self.created: list[tuple[str, tuple[Callable[[CallbackOptions], Any], ...]]] = []

    def __getattribute__(self, name: str) -> Any:
        made = super().__getattribute__(name)
        if not name.startswith("create_"):
            return made

        def create(name: str, *args: Any, **kwargs: Any) -> Any:
            given: Any = kwargs.get("callbacks", args[0] if args else None)
            found = cast("list[Any]", given if isinstance(given, (list, tuple)) else [])
            # The API takes generators, too; asking one would use its first answer up.
            self.created.append((name, tuple(one for one in found if callable(one))))
            return made(name, *args, **kwargs)

        return create
