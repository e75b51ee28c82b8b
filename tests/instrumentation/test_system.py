"""The host's memory and cores, and the switch for them."""

from __future__ import annotations

import gc
import threading
import time
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import psutil
import pytest
from opentelemetry.instrumentation.qudag.system import SystemMonitor, SystemMonitorInstrumentor

from qudag_otel._calls.wrapped import failure

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qudag_otel.testing import Captured, Point

MEMORY = "qudag_system_memory_bytes"
CPU = "qudag_cpu_usage_percent"


def cores(telemetry: Captured, **labels: str) -> dict[object, float]:
    """The CPU points, as soon as enough time has passed for the system to count ticks."""
    deadline = time.monotonic() + 30
    points: list[Point] = []
    while not points:
        assert time.monotonic() < deadline
        points = list(telemetry.points(CPU, **labels))
    return {point.labels["cpu_core"]: point.value for point in points}


@pytest.fixture
def switch() -> Iterator[SystemMonitorInstrumentor]:
    instrumentor = SystemMonitorInstrumentor()
    yield instrumentor
    if instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.uninstrument()


def test_monitor_reports_the_hosts_memory(telemetry: Captured) -> None:
    """Total is what is installed, and used over total is psutil's own percentage."""
    monitor = SystemMonitor(node_id="n1")

    total = telemetry.value(MEMORY, memory_type="total", node_id="n1")
    used = telemetry.value(MEMORY, memory_type="used", node_id="n1")

    assert total == psutil.virtual_memory().total
    assert 100 * used / total == pytest.approx(psutil.virtual_memory().percent, abs=10)
    monitor.close()


def test_monitor_reports_the_process_itself(telemetry: Captured) -> None:
    """Its resident memory, and its part of the host's CPU, which is no more than one core here."""
    monitor = SystemMonitor(node_id="n1")
    block = bytearray(b"1" * (64 << 20))

    held = telemetry.value("qudag_process_memory_bytes", node_id="n1")
    assert held == pytest.approx(psutil.Process().memory_info().rss, rel=0.2)
    assert held > len(block)

    def busy() -> float:
        until = time.monotonic() + 0.2
        while time.monotonic() < until:
            pass
        return telemetry.value("qudag_process_cpu_percent", node_id="n1")

    deadline = time.monotonic() + 30
    while busy() < 10 / (psutil.cpu_count() or 1):  # a machine in use gives it less of a core
        assert time.monotonic() < deadline
    monitor.close()


def test_monitor_reports_every_core_and_the_average(telemetry: Captured) -> None:
    """There is a value for each core and one for all, each between 0 and 100."""
    monitor = SystemMonitor()

    found = cores(telemetry)

    count = psutil.cpu_count() or 0
    assert found.keys() == {"average", *map(str, range(count))}
    assert all(0 <= value <= 100 for value in found.values())
    single = [value for core, value in found.items() if core != "average"]
    assert min(single) <= found["average"] <= max(single)
    monitor.close()


def test_monitor_of_a_busy_host_shows_the_use(telemetry: Captured) -> None:
    """A core that computes all the time is seen; values change from collection to collection."""
    monitor = SystemMonitor()
    stop = threading.Event()

    def burn() -> None:
        while not stop.is_set():
            sum(range(1000))

    thread = threading.Thread(target=burn)
    thread.start()
    try:
        deadline = time.monotonic() + 30
        while max(cores(telemetry).values()) < 30:
            assert time.monotonic() < deadline
    finally:
        stop.set()
        thread.join()
        monitor.close()


def test_monitor_asked_from_several_threads_agrees(telemetry: Captured) -> None:
    """Collections from other threads have values at once, not a first reading of 0."""
    monitor = SystemMonitor()
    cores(telemetry)
    found: list[int] = []

    def collect() -> None:
        found.append(len(telemetry.points(CPU)))

    thread = threading.Thread(target=collect)
    thread.start()
    thread.join()

    assert found == [len(cores(telemetry))]
    monitor.close()


def test_monitor_just_started_reports_no_invented_cpu_use(telemetry: Captured) -> None:
    """Before any time has passed there is nothing to tell, and nothing is told."""
    started = time.monotonic()
    monitor = SystemMonitor()
    points = telemetry.points(CPU)
    if time.monotonic() - started < 0.1:
        assert not points
    monitor.close()


def test_monitor_closed_or_dropped_reports_nothing(telemetry: Captured) -> None:
    """Values end with `close`, which may be called twice, and with the monitor itself."""
    closed = SystemMonitor(node_id="n1")
    dropped = SystemMonitor(node_id="n2")
    assert len(telemetry.points(MEMORY)) == 4

    closed.close()
    closed.close()
    del dropped
    gc.collect()

    assert not telemetry.points(MEMORY)


def test_monitor_starts_no_thread(telemetry: Captured) -> None:
    """Values are read at collection, so nothing runs in between."""
    before = threading.active_count()
    monitor = SystemMonitor()
    assert threading.active_count() == before
    monitor.close()


def test_instrumentor_switches_the_monitor_on_and_off(
    telemetry: Captured, switch: SystemMonitorInstrumentor
) -> None:
    """The switch is global, and off means silent."""
    assert not telemetry.points(MEMORY)
    switch.instrument()
    assert len(telemetry.points(MEMORY)) == 2

    switch.uninstrument()

    assert not telemetry.points(MEMORY)


def test_instrumentor_is_found_by_its_entry_point() -> None:
    """`opentelemetry-instrument` loads this class under the name qudag-system."""
    (found,) = entry_points(group="opentelemetry_instrumentor", name="qudag-system")
    assert found.load() is SystemMonitorInstrumentor


def test_failure_tells_failures_from_ends() -> None:
    """Cancelling, closing and exiting are no errors."""
    assert failure(ValueError())
    assert not any(failure(kind()) for kind in (GeneratorExit, KeyboardInterrupt, SystemExit))
    assert not failure(None)
