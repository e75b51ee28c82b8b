"""Metrics of the catalogue, recorded by hand where no wrapper fits.

Nothing here raises for a bad value: negative numbers, NaN and infinities are dropped and label
values that are not allowed become "other", with one warning each. `node_id` is the process's own
unless given.
"""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING, Final, ParamSpec, Self, TypeVar

from qudag_otel._calls.api import instrumented
from qudag_otel._series.table import Table
from qudag_otel._series.values import number, shown
from qudag_otel._warnings import warn_once
from qudag_otel.catalogue import metrics as m
from qudag_otel.errors import error_type

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

__all__ = [
    "record_cache_eviction",
    "record_cache_lookup",
    "record_error",
    "record_operation_time",
    "record_pool_request",
    "record_throughput",
    "timed",
    "update_cache_memory",
    "update_pool_connections",
    "update_resource_usage",
]

P = ParamSpec("P")
R = TypeVar("R")

# Each finds the bound method of a series by the values of its labels.
_durations: Final = Table(m.OPERATION_DURATION, "record", "operation", "component", "outcome")
_errors: Final = Table(m.ERRORS, "add", "component", "error_type", names=error_type)
_resources: Final = Table(m.RESOURCE_USED, "set", "resource")
_messages: Final = Table(m.MESSAGE_THROUGHPUT, "add", "message_type", "direction")
_pool_hits: Final = Table(m.POOL_HITS, "add", "pool_type", beside=m.POOL_MISSES)
_pool_misses: Final = Table(m.POOL_MISSES, "add", "pool_type", beside=m.POOL_HITS)
_pool_waits: Final = Table(m.CONNECTION_WAIT_TIME, "record", "pool_type")
_connections: Final = Table(m.ACTIVE_CONNECTIONS, "set", "pool_type", "state")
_cache_hits: Final = Table(m.CACHE_HITS, "add", "validation_type", beside=m.CACHE_MISSES)
_cache_misses: Final = Table(m.CACHE_MISSES, "add", "validation_type", beside=m.CACHE_HITS)
_cache_evictions: Final = Table(m.CACHE_EVICTIONS, "add", "cache_type", "reason")
_cache_memory: Final = Table(m.CACHE_MEMORY, "set", "cache_type")


class timed:  # noqa: N801 - reads as a function, like contextlib's own
    """Measure how long a block or a function takes, as `qudag.operation.duration`.

    `with timed("load") as timer:` measures the block, and `timer.seconds` tells the result
    afterwards; `@timed()` measures every call of a function of any kind. An exception counts as
    an error of the component and goes on unchanged. There is no span: use `instrumented` for one.

    Args:
        name: The operation. A decorator's default is the function's qualified name.
        component: The component; by default the last part of the calling module's name.
        node_id: The node; by default the process's.

    Raises:
        TypeError: A block has no name, or the decorator was written without parentheses.
    """

    seconds: float = math.nan
    """What the block took, in seconds; NaN until it has ended."""

    def __init__(
        self,
        name: str | None = None,
        *,
        component: str | None = None,
        node_id: str | None = None,
    ) -> None:
        if name is not None and not isinstance(name, str):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may be untyped
            raise TypeError(f"timed() takes a name, not {name!r}; as a decorator write @timed()")
        self._name = name
        self._component = component
        self._module = _calling_module()
        self._attributes = {} if node_id is None else {"node_id": node_id}

    def __enter__(self) -> Self:
        if self._name is None:
            raise TypeError('a block needs a name: with timed("name"): ...')
        self._block = instrumented.block(
            self._name,
            component=self._component or self._module,
            attributes=self._attributes,
            spans=False,
        )
        self._started = time.perf_counter()
        self._block.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._block.__exit__(kind, error, traceback)
        self.seconds = time.perf_counter() - self._started

    def __call__(self, function: Callable[P, R], /) -> Callable[P, R]:
        """The function, measured."""
        return instrumented(
            name=self._name, component=self._component, attributes=self._attributes, spans=False
        )(function)


def record_operation_time(
    name: str,
    seconds: float,
    *,
    component: str | None = None,
    outcome: str = "ok",
    node_id: str | None = None,
) -> None:
    """Record how long an operation took that was measured elsewhere.

    Args:
        name: The operation. Name it after code, not after data: each name is a series.
        seconds: Its duration, in seconds.
        component: The component; by default the last part of the calling module's name.
        outcome: "ok", "error", "expected", "cancelled" or "closed".
        node_id: The node; by default the process's.
    """
    _durations[name, component or _calling_module(), outcome, node_id](seconds)


def record_error(
    node_id: str | None, component: str, error: str | BaseException | type[BaseException]
) -> None:
    """Count an error.

    Args:
        node_id: The node; None is the process's.
        component: The component that it happened in.
        error: The exception or its class, or the name of a kind of error. Not a message: each
            name is a series.
    """
    kind = error.__class__ if isinstance(error, BaseException) else error
    _errors[component, kind, node_id]()


def update_resource_usage(
    name: str, used: float, maximum: float, *, node_id: str | None = None
) -> None:
    """Report how much of a resource is in use, as `qudag.resource.used`, 0 to 1.

    Args:
        name: The resource, such as "disk".
        used: What is in use, in any unit.
        maximum: What there is, in the same unit; more than 0.
        node_id: The node; by default the process's.
    """
    part, whole = number(used), number(maximum)
    if part is None or whole is None or part < 0 or whole <= 0:
        warn_once(
            f"resource:{shown(name)}",
            "update_resource_usage(%s) needs used >= 0 and maximum > 0, not %s and %s; dropped",
            shown(name),
            shown(used),
            shown(maximum),
        )
        return
    _resources[name, node_id](part / whole)


def record_throughput(
    message_type: str, direction: str, count: int = 1, *, node_id: str | None = None
) -> None:
    """Count messages that passed the node.

    Args:
        message_type: The kind of message.
        direction: "inbound" or "outbound".
        count: How many; 0 makes the series exist before its first message.
        node_id: The node; by default the process's.
    """
    _messages[message_type, direction, node_id](count)


def record_pool_request(
    pool_type: str, *, hit: bool, wait_seconds: float | None = None, node_id: str | None = None
) -> None:
    """Count a request for a connection.

    Args:
        pool_type: The pool.
        hit: Whether an existing connection answered it.
        wait_seconds: The time from asking to having, in seconds; None if there is none to give.
        node_id: The node; by default the process's.
    """
    (_pool_hits if hit else _pool_misses)[pool_type, node_id]()
    if wait_seconds is not None:
        _pool_waits[pool_type, node_id](wait_seconds)


def update_pool_connections(
    pool_type: str, *, active: int, idle: int, node_id: str | None = None
) -> None:
    """Report the connections of a pool; they are exported until the next report.

    Args:
        pool_type: The pool.
        active: Connections in use.
        idle: Connections that wait in the pool.
        node_id: The node; by default the process's.
    """
    _connections[pool_type, "active", node_id](active)
    _connections[pool_type, "idle", node_id](idle)


def record_cache_lookup(validation_type: str, *, hit: bool, node_id: str | None = None) -> None:
    """Count a lookup in the validation cache.

    Args:
        validation_type: What was validated.
        hit: Whether the cache answered it.
        node_id: The node; by default the process's.
    """
    (_cache_hits if hit else _cache_misses)[validation_type, node_id]()


def record_cache_eviction(
    cache_type: str, reason: str, count: int = 1, *, node_id: str | None = None
) -> None:
    """Count entries that left a cache.

    Args:
        cache_type: The cache.
        reason: "capacity", "expired", "memory_pressure" or "explicit".
        count: How many left.
        node_id: The node; by default the process's.
    """
    _cache_evictions[cache_type, reason, node_id](count)


def update_cache_memory(cache_type: str, held_bytes: int, *, node_id: str | None = None) -> None:
    """Report the bytes that a cache holds; they are exported until the next report.

    Args:
        cache_type: The cache.
        held_bytes: What it holds, in bytes.
        node_id: The node; by default the process's.
    """
    _cache_memory[cache_type, node_id](held_bytes)


def _calling_module() -> str:
    """The last part of the module name two frames up, which is the application's."""
    name = sys._getframe(2).f_globals.get("__name__", "")  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - as logging does
    return str(name).rpartition(".")[2]
