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
from qudag_otel._held import Held
from qudag_otel._warnings import warn_once
from qudag_otel.catalogue import metrics as m
from qudag_otel.errors import error_type
from qudag_otel.instruments import series

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
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

_connections: Final = Held(m.ACTIVE_CONNECTIONS)
_cache_memory: Final = Held(m.CACHE_MEMORY)


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
        self._block: AbstractContextManager[None] = instrumented.block(
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
    series(
        m.OPERATION_DURATION,
        operation=name,
        component=component or _calling_module(),
        outcome=outcome,
        **_node(node_id),
    ).record(seconds)


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
    name = error if isinstance(error, str) else error_type(error)
    series(m.ERRORS, component=component, error_type=name, **_node(node_id)).add()


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
    if not (_finite(used) and _finite(maximum) and used >= 0 and maximum > 0):
        warn_once(
            f"resource:{name}",
            "update_resource_usage(%r) needs used >= 0 and maximum > 0, not %r and %r; dropped",
            name,
            used,
            maximum,
        )
        return
    series(m.RESOURCE_USED, resource=name, **_node(node_id)).set(used / maximum)


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
    series(
        m.MESSAGE_THROUGHPUT, message_type=message_type, direction=direction, **_node(node_id)
    ).add(count)


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
    node = _node(node_id)
    for metric, amount in ((m.POOL_HITS, int(hit)), (m.POOL_MISSES, int(not hit))):
        series(metric, pool_type=pool_type, **node).add(amount)
    if wait_seconds is not None:
        series(m.CONNECTION_WAIT_TIME, pool_type=pool_type, **node).record(wait_seconds)


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
    for state, count in (("active", active), ("idle", idle)):
        _connections.set(count, pool_type=pool_type, state=state, **_node(node_id))


def record_cache_lookup(validation_type: str, *, hit: bool, node_id: str | None = None) -> None:
    """Count a lookup in the validation cache.

    Args:
        validation_type: What was validated.
        hit: Whether the cache answered it.
        node_id: The node; by default the process's.
    """
    for metric, amount in ((m.CACHE_HITS, int(hit)), (m.CACHE_MISSES, int(not hit))):
        series(metric, validation_type=validation_type, **_node(node_id)).add(amount)


def record_cache_eviction(
    cache_type: str, reason: str, count: int = 1, *, node_id: str | None = None
) -> None:
    """Count entries that left a cache.

    Args:
        cache_type: The cache.
        reason: "capacity", "expired", "memory" or "explicit".
        count: How many left.
        node_id: The node; by default the process's.
    """
    series(m.CACHE_EVICTIONS, cache_type=cache_type, reason=reason, **_node(node_id)).add(count)


def update_cache_memory(cache_type: str, held_bytes: int, *, node_id: str | None = None) -> None:
    """Report the bytes that a cache holds; they are exported until the next report.

    Args:
        cache_type: The cache.
        held_bytes: What it holds, in bytes.
        node_id: The node; by default the process's.
    """
    _cache_memory.set(held_bytes, cache_type=cache_type, **_node(node_id))


def reset() -> None:
    """Forget what the update functions hold; for tests that replace the providers."""
    _connections.reset()
    _cache_memory.reset()


def _node(node_id: str | None) -> dict[str, str]:
    return {} if node_id is None else {"node_id": node_id}


def _finite(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _calling_module() -> str:
    """The last part of the module name two frames up, which is the application's."""
    name = sys._getframe(2).f_globals.get("__name__", "")  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - as logging does
    return str(name).rpartition(".")[2]
