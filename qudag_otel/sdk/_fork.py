"""What a forked child must not inherit: sums, locks, threads and sockets of its parent.

The child counts from zero under a resource of its own (another process and service instance id),
so that whatever parent and children report adds up to what happened. The SDK has no public way
to forget sums, so this module, alone, knows where it keeps them.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from qudag_otel._warnings import warn_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.resources import Resource

_children: list[Callable[[], None]] = []
_parents: list[Callable[[], None]] = []
_registered = False


def watch(*, in_child: Callable[[], None], in_parent: Callable[[], None]) -> Callable[[], None]:
    """Call functions after each fork.

    Args:
        in_child: Called in the child.
        in_parent: Called in the parent.

    Returns:
        A function that ends this.
    """
    global _registered  # noqa: PLW0603 - a hook of the process cannot be taken back
    if not _registered and hasattr(os, "register_at_fork"):
        _registered = True
        os.register_at_fork(
            after_in_child=lambda: _call(_children), after_in_parent=lambda: _call(_parents)
        )
    _children.append(in_child)
    _parents.append(in_parent)

    def stop() -> None:
        if in_child in _children:
            _children.remove(in_child)
            _parents.remove(in_parent)

    return stop


def _call(functions: list[Callable[[], None]]) -> None:
    for function in list(functions):
        try:
            function()
        except Exception as error:  # noqa: BLE001 - a fork must succeed
            warn_once(f"fork:{error!r}", "after a fork telemetry is incomplete: %r", error)


def forget_measurements(provider: MeterProvider) -> None:
    """Make a provider of the SDK start from zero, with none of its locks held.

    Instruments and observers stay. Locks are replaced, since a thread that does not exist in
    the child may have held one.
    """
    private: Any = provider
    consumer = private._measurement_consumer  # noqa: SLF001 - see the module's docstring
    consumer._lock = threading.Lock()  # noqa: SLF001
    consumer._reader_storages = {  # noqa: SLF001
        reader: type(storage)(
            consumer._sdk_config,  # noqa: SLF001
            reader._instrument_class_temporality,  # noqa: SLF001
            reader._instrument_class_aggregation,  # noqa: SLF001
            reader._instrument_class_cardinality_limit,  # noqa: SLF001
        )
        for reader, storage in consumer._reader_storages.items()  # noqa: SLF001
    }
    for meter in private._meters.values():  # noqa: SLF001
        meter._instrument_registration_lock = threading.Lock()  # noqa: SLF001
        meter._instrument_ids_lock = threading.Lock()  # noqa: SLF001


def update_resource(provider: object, resource: Resource) -> None:
    """Merge a resource into that of a provider of the SDK."""
    private: Any = provider
    private._update_resource(resource)  # noqa: SLF001 - see the module's docstring


def before_multiprocessing_ends(close: Callable[[], object]) -> None:
    """Have a function called before a child of multiprocessing ends: it skips atexit."""
    util = sys.modules.get("multiprocessing.util")
    if util is None:
        return

    def register(_: object) -> None:
        util.Finalize(None, close, exitpriority=0)

    # The child clears its finalizers first and then calls what is registered here.
    util.register_after_fork(close, register)
