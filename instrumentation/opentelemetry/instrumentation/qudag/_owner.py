"""What every wrapper shares: whose values it reports, and how it is read at collection."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Final, cast

from qudag_otel import identity
from qudag_otel._series.table import Table
from qudag_otel.catalogue import metrics as m
from qudag_otel.errors import error_type
from qudag_otel.instruments import observe
from qudag_otel.logs import ComponentLogger, get_logger

if TYPE_CHECKING:
    from typing_extensions import Buffer

    from qudag_otel.catalogue import Metric

Readings = Iterable[tuple[Mapping[str, str], float]]
"""What is read at collection: labels and value of each series."""


_errors: Final = Table(m.ERRORS, "add", "component", "error_type")


class Node:
    """The node and component that a wrapper reports for.

    Args:
        component: The `component` label of errors and log records.
        node_id: The node; None is the process's, also if that is configured later.
    """

    __slots__ = ("component", "given", "labels", "log")

    def __init__(self, component: str, node_id: str | None) -> None:
        self.given = node_id
        self.component = component
        self.labels: Mapping[str, str] = {} if node_id is None else {"node_id": node_id}
        self.log: ComponentLogger = get_logger(component, node_id=node_id)

    @property
    def node_id(self) -> str:
        """The node's id as it is exported."""
        return identity.node_id() if self.given is None else self.given

    def count_error(
        self, error: BaseException | type[BaseException] | str, amount: int = 1
    ) -> None:
        """Count errors under an exception's class, or under a name of its own."""
        name = error if isinstance(error, str) else error_type(error)
        _errors[self.component, name, self.given](amount)


def observe_weakly(metric: Metric, read: Callable[[], Readings]) -> Callable[[], None]:
    """Read an object at each collection for as long as it lives.

    Args:
        metric: The metric to read for.
        read: A bound method that gives the values; its object is held weakly.

    Returns:
        A function that ends the observation earlier.
    """
    reference = weakref.WeakMethod(read)

    def callback() -> Readings:
        living = reference()
        if living is None:
            stop()
            return ()
        return living()

    stop = observe(metric, callback)
    return stop


def byte_count(value: object) -> int | None:
    """The bytes of a bytes-like object; None for anything else."""
    if isinstance(value, bytes):
        return len(value)
    try:
        view = memoryview(cast("Buffer", value))
    except TypeError:
        return None
    with view:  # released at once: an object with a view on it cannot be resized
        return view.nbytes
