"""The host's memory and cores, and this process's part of them, read when metrics are collected."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, Any, Final

import psutil
from opentelemetry.instrumentation.instrumentor import (  # type: ignore[attr-defined]  # untyped
    BaseInstrumentor,
)
from opentelemetry.instrumentation.qudag._owner import Readings, observe_weakly

from qudag_otel.catalogue import metrics as m

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["SystemMonitor", "SystemMonitorInstrumentor"]

MINIMUM_WINDOW_SECONDS: Final = 0.1
"""The shortest time that CPU use is computed over; a collection that follows sooner repeats the
former values, because the system counts in ticks of 10 ms. Source: psutil, `cpu_percent`."""

# Already contained in "user" and "nice". Source: Linux, proc(5), /proc/stat.
_GUEST: Final = ("guest", "guest_nice")
_WAITING: Final = ("idle", "iowait")


class _Cores:
    """The use of every core since it was asked the last time.

    psutil's own `cpu_percent` keeps that per thread, and collections come from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read_at = time.monotonic()
        self._former: Sequence[tuple[float, float]] = ()
        with contextlib.suppress(Exception):  # a host that cannot be read is reported at collection
            self._former = _core_seconds()
        self._percent: dict[str, float] = {}

    def percent(self) -> dict[str, float]:
        """Percent in use by core, and "average" over all; empty as long as nothing is known."""
        with self._lock:
            now = time.monotonic()
            if now - self._read_at >= MINIMUM_WINDOW_SECONDS:
                latest = _core_seconds()
                self._percent = _usage(self._former, latest)
                self._former, self._read_at = latest, now
            return self._percent


def _core_seconds() -> Sequence[tuple[float, float]]:
    """Busy and total seconds of every core since the system started."""
    found: list[tuple[float, float]] = []
    for core in psutil.cpu_times(percpu=True):
        seconds: dict[str, float] = core._asdict()
        total = sum(value for name, value in seconds.items() if name not in _GUEST)
        found.append((total - sum(seconds.get(name, 0.0) for name in _WAITING), total))
    return found


def _usage(
    former: Sequence[tuple[float, float]], latest: Sequence[tuple[float, float]]
) -> dict[str, float]:
    if len(former) != len(latest):
        return {}  # cores came or went, so their numbers are not the same cores' any more
    # Single counters may run backwards by a tick, so a share is kept within its range.
    spent = [
        (max(0.0, busy - busy_before), max(0.0, total - total_before))
        for (busy_before, total_before), (busy, total) in zip(former, latest, strict=True)
    ]
    summed = (sum(busy for busy, _ in spent), sum(total for _, total in spent))
    named = {"average": summed, **{str(index): core for index, core in enumerate(spent)}}
    return {core: min(100.0, 100 * busy / total) for core, (busy, total) in named.items() if total}


class _Own:
    """This process's share of the host's CPU since it was asked the last time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._former = (time.monotonic(), time.process_time())
        self._percent: float | None = None

    def percent(self) -> float | None:
        """Percent of all cores; None as long as nothing is known."""
        with self._lock:
            before, spent_before = self._former
            now, spent = time.monotonic(), time.process_time()
            if now - before >= MINIMUM_WINDOW_SECONDS:
                # After a fork the child's own clock begins anew.
                share = max(0.0, spent - spent_before) / (now - before) / (psutil.cpu_count() or 1)
                self._percent = min(100.0, 100 * share)
                self._former = (now, spent)
            return self._percent


class SystemMonitor:
    """Reports the host's memory and CPU, and the process's, from its construction until `close`.

    Nothing runs in between: values are read when metrics are collected, and the CPU's are those
    of the time since the previous collection. "used" memory is what is not available for new
    work, so that used / total is psutil's `percent`.

    Args:
        node_id: The node that it reports for; by default the process's.
    """

    def __init__(self, *, node_id: str | None = None) -> None:
        self._labels = {} if node_id is None else {"node_id": node_id}
        self._cores = _Cores()
        self._own = _Own()
        self._stops = (
            observe_weakly(m.SYSTEM_MEMORY, self._read_memory),
            observe_weakly(m.CPU_USAGE, self._read_cpu),
            observe_weakly(m.PROCESS_CPU, self._read_own_cpu),
            observe_weakly(m.PROCESS_MEMORY, self._read_own_memory),
        )

    def close(self) -> None:
        """Stop reporting; calling it again does nothing."""
        for stop in self._stops:
            stop()

    def _read_memory(self) -> Readings:
        memory = psutil.virtual_memory()
        yield {"memory_type": "used", **self._labels}, memory.total - memory.available
        yield {"memory_type": "total", **self._labels}, memory.total

    def _read_cpu(self) -> Readings:
        for core, percent in self._cores.percent().items():
            yield {"cpu_core": core, **self._labels}, percent

    def _read_own_cpu(self) -> Readings:
        percent = self._own.percent()
        if percent is not None:
            yield self._labels, percent

    def _read_own_memory(self) -> Readings:
        yield self._labels, psutil.Process().memory_info().rss


class SystemMonitorInstrumentor(BaseInstrumentor):  # type: ignore[misc]  # is Any, see above
    """Switches the system monitor on and off for the whole process.

    `opentelemetry-instrument` finds it by its entry point; "qudag-system" in
    OTEL_PYTHON_DISABLED_INSTRUMENTATIONS leaves it out.
    """

    _monitor: SystemMonitor | None = None

    def instrumentation_dependencies(self) -> Collection[str]:
        """What must be installed: psutil, which comes with this distribution."""
        return ("psutil >= 6",)

    def _instrument(self, **kwargs: Any) -> None:
        self._monitor = SystemMonitor(node_id=kwargs.get("node_id"))

    def _uninstrument(self, **kwargs: Any) -> None:  # noqa: ARG002 - the base's signature
        if self._monitor is not None:
            self._monitor.close()
            self._monitor = None
