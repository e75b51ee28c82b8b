"""What a component does to be monitored, and its availability as `qudag.component.up`."""

from __future__ import annotations

import inspect
import weakref
from typing import TYPE_CHECKING, Protocol

from opentelemetry import metrics as metrics_api

from qudag_otel._conformance import ConformanceError, faults_of
from qudag_otel._foreign import interrupts
from qudag_otel._warnings import warn_once
from qudag_otel.catalogue import metrics as m
from qudag_otel.instruments import observe
from qudag_otel.logs import ROOT, ComponentLogger, get_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from opentelemetry.metrics import Meter

__all__ = ["ConformanceError", "MonitoredComponent", "check_conformance", "monitor"]


class MonitoredComponent(Protocol):
    """A part of a program that brings its own metrics, log records and health check.

    Run `check_conformance` on one in a test.
    """

    @property
    def component_name(self) -> str:
        """The value of its `component` label; always the same."""
        ...

    def register_metrics(self, meter: Meter, /) -> None:
        """Create its instruments; may be called again with another meter, which replaces them."""
        ...

    def use_logger(self, logger: ComponentLogger, /) -> None:
        """Log through this logger from now on."""
        ...

    def healthy(self) -> bool:
        """Whether it can do its work now.

        Called at each collection, from any thread: it must neither block nor be a coroutine.
        """
        ...


def monitor(component: MonitoredComponent, *, node_id: str | None = None) -> Callable[[], None]:
    """Monitor a component for as long as it lives.

    It gets a meter and a logger, and its health check is reported as `qudag.component.up`: 1 if it
    passes, 0 if it fails or raises. A change is logged. What its `register_metrics` or
    `use_logger` raises is logged and does not reach the caller.

    Args:
        component: The component, held weakly.
        node_id: The node; by default the process's.

    Returns:
        A function that ends the reporting of its health.

    Raises:
        TypeError: It has no name, or cannot be weakly referenced.
    """
    name = getattr(component, "component_name", None)
    if not isinstance(name, str) or not name:
        raise TypeError(
            f"{type(component).__name__}.component_name must be a text, not {name!r};"
            " check_conformance() tells everything that a component needs"
        )
    log = get_logger(name, node_id=node_id)
    try:
        component.use_logger(log)
        component.register_metrics(metrics_api.get_meter(f"{ROOT}.{name}"))
    except Exception:
        log.exception("component could not be registered", operation="monitor")
    labels = {"component": name} if node_id is None else {"component": name, "node_id": node_id}
    health = _Health(component, labels, log)
    health.stop = observe(m.COMPONENT_UP, health.read)
    return health.stop


def check_conformance(component: MonitoredComponent) -> None:
    """Check everything that a monitored component has to do; for its author's tests.

    The component is asked to register with a meter that goes nowhere, twice, to take a logger and
    to check its health.

    Args:
        component: The component.

    Raises:
        ConformanceError: It does not conform; the message lists every fault.
    """
    faults = faults_of(component)
    if faults:
        raise ConformanceError(type(component).__name__, faults)


class _Health:
    """A component's health, asked for at collection."""

    def __init__(
        self, component: MonitoredComponent, labels: Mapping[str, str], log: ComponentLogger
    ) -> None:
        self.stop: Callable[[], None] = _nothing
        self._component = weakref.ref(component)
        self._labels = labels
        self._log = log
        self._up = True

    def read(self) -> Iterable[tuple[Mapping[str, str], float]]:
        component = self._component()
        if component is None:
            self.stop()
            return ()
        up = self._ask(component)
        if up is None:
            return ()
        return ((self._labels, float(up)),)

    def _ask(self, component: MonitoredComponent) -> bool | None:
        """Whether it is healthy; None if it cannot be asked."""
        failure: BaseException | None = None
        try:
            answer: object = component.healthy()
            if inspect.isawaitable(answer):
                getattr(answer, "close", _nothing)()
                warn_once(
                    f"health:{self._labels}",
                    "healthy() of %s is asynchronous and cannot be asked; make it a plain method",
                    self._log.component,
                )
                return None
            up = bool(answer)
        except BaseException as error:  # a check that raises has failed
            if interrupts(error):
                raise
            up, failure = False, error
        if up != self._up:
            self._up = up
            if up:
                self._log.info("component is up again", operation="health")
            else:
                self._log.error("component is down", operation="health", failure=failure)
        return up


def _nothing() -> None:
    """Stands in until the observation is registered."""
