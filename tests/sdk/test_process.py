"""Metrics of the process, by their switch, and how late an event loop is."""

from __future__ import annotations

import asyncio
import gc
import os
import threading
import time
import urllib.request
import warnings
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from qudag_otel import configure, watch_event_loop
from qudag_otel.catalogue.process import LOOP_LAG, PROCESS_METRICS, THREADS
from qudag_otel.process import _READ, _process
from qudag_otel.sdk import current, reset

if TYPE_CHECKING:
    from qudag_otel.testing import Captured

QUIET = {"OTEL_TRACES_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none",
         "OTEL_METRICS_EXPORTER": "prometheus", "OTEL_EXPORTER_PROMETHEUS_PORT": "0"}  # fmt: skip
SWITCH = {"OTEL_PYTHON_QUDAG_PROCESS_METRICS": "true"}


def scraped() -> dict[str, float]:
    """What /metrics shows, by name and value of its only label of interest."""
    live = current()
    assert live
    assert live.metrics_url
    page = urllib.request.urlopen(live.metrics_url).read().decode()
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def test_process_is_measured_by_the_switch_alone() -> None:
    """Without it there is none of the metrics; with it all, and they are true."""
    configure(environ=QUIET)
    names = {metric.prometheus_name for metric in PROCESS_METRICS}
    assert names.isdisjoint(key.split()[0] for key in scraped())
    reset()
    configure(environ={**QUIET, **SWITCH})
    found = scraped()
    assert names - {LOOP_LAG.prometheus_name} <= {key.split()[0] for key in found}
    held = bytearray(50 << 20)
    held[::4096] = b"x" * len(held[::4096])  # so that it is resident
    ready, end = threading.Event(), threading.Event()

    def wait() -> None:
        ready.set()
        end.wait()

    threads = [threading.Thread(target=wait) for _ in range(9)]  # those of other tests may end
    for thread in threads:
        thread.start()
    ready.wait()
    files = [os.open(os.devnull, os.O_RDONLY) for _ in range(30)]
    gc.collect()
    began = time.process_time()
    while time.process_time() < began + 0.1:
        pass
    later = scraped()
    for file in files:
        os.close(file)
    end.set()
    for thread in threads:
        thread.join()
    grown = {key: later[key] - found[key] for key in found}
    assert grown["process_memory_usage_bytes"] > 40 << 20
    assert grown["process_thread_count"] >= 1
    assert grown["process_unix_file_descriptor_count"] >= 9
    assert grown["cpython_gc_collections_total 2"] >= 1
    assert grown["process_cpu_time_seconds_total user"] >= 0.05
    assert later["process_memory_virtual_bytes"] > later["process_memory_usage_bytes"]
    reset()
    configure(environ=QUIET)
    assert names.isdisjoint(key.split()[0] for key in scraped())


def test_forked_process_measures_itself() -> None:
    """A worker shows its own memory, not that of its parent."""
    assert _process().pid == os.getpid()
    end = threading.Event()
    threads = [threading.Thread(target=end.wait) for _ in range(5)]
    for thread in threads:
        thread.start()
    readable, writable = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads that fork: they only wait
        child = os.fork()
    if not child:
        os.write(writable, str(_READ[THREADS]()[0].value).encode())
        os._exit(0)
    os.waitpid(child, 0)
    end.set()
    assert int(os.read(readable, 9)) < 5
    os.close(readable)
    os.close(writable)


def test_event_loop_that_is_held_up_is_late(telemetry: Captured) -> None:
    """By what held it up; and nothing is measured after it was stopped."""

    async def main() -> None:
        stop = watch_event_loop(0.01)
        await asyncio.sleep(0.05)
        time.sleep(0.2)  # noqa: ASYNC251 - that is what is measured
        await asyncio.sleep(0.02)
        stop()
        stop()

    asyncio.run(main())
    (point,) = telemetry.points(LOOP_LAG.name)
    assert 0.15 < point.sum < 5
    assert point.value >= 3
    asyncio.run(asyncio.sleep(0.05))
    assert telemetry.value(LOOP_LAG.name) == point.value


def test_event_loop_that_cannot_be_watched_is_refused() -> None:
    """Where none runs, and with an interval that would be a load of its own."""
    with pytest.raises(RuntimeError, match="no running event loop"):
        watch_event_loop()
    for interval in (0, -1, float("nan")):
        with pytest.raises(ValueError, match=r"takes 0\.01 seconds or more"):
            watch_event_loop(interval)
