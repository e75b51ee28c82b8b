"""Forked processes: each counts its own, nothing twice, and no lock is inherited."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.sdk import programs
from tests.sdk.receiver import attributes
from tests.sdk.test_otlp import PROTOCOLS, environment

if TYPE_CHECKING:
    from pathlib import Path

    from tests.sdk.receiver import Receiver

pytestmark = pytest.mark.skipif(not hasattr(sys, "getdlopenflags"), reason="needs os.fork")

# Forking a process with threads is what these tests are about; Python 3.12 and later warn of it.
COMMAND = (sys.executable, "-W", "error", "-W", "ignore:This process:DeprecationWarning")

SETUP = """
    import multiprocessing, os, sys, threading
    from concurrent.futures import ProcessPoolExecutor
    from opentelemetry import metrics, trace
    from qudag_otel.sdk import configure

    telemetry = configure(logs_exporter="none")
    counter = metrics.get_meter("t").create_counter("done")
    tracer = trace.get_tracer("t")

    def work(times):
        for _ in range(times):
            with tracer.start_as_current_span("work"):
                counter.add(1)
        return os.getpid()
"""


def last_sums(receiver: Receiver, name: str = "done") -> dict[str, int]:
    """The last value of a counter of each service instance."""
    return {
        str(attributes(resource.attributes)["service.instance.id"]): point.as_int
        for resource, metric in receiver.metrics()
        if metric.name == name
        for point in metric.sum.data_points
    }


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_fork_child_counts_its_own_only(tmp_path: Path, receiver: Receiver, protocol: str) -> None:
    """What parent and child report adds up to what both did, although the parent counted first."""
    programs.run(
        tmp_path,
        SETUP
        + """
    work(5)
    telemetry.force_flush()  # the parent's exporters are connected
    work(2)
    child = os.fork()
    work(10 if child == 0 else 100)
    if child:
        os.waitpid(child, 0)
    """,
        environment(receiver, protocol),
        command=COMMAND,
    )
    assert sorted(last_sums(receiver).values()) == [10, 107]
    assert receiver.span_names().count("work") == 117
    pids = {resource["process.pid"] for resource in receiver.resources("traces")}
    assert len(pids) == 2
    assert pids == {resource["process.pid"] for resource in receiver.resources("metrics")}


def test_fork_child_deltas_are_counted_once(tmp_path: Path, receiver: Receiver) -> None:
    """With delta temporality all deltas together are what both did."""
    programs.run(
        tmp_path,
        SETUP
        + """
    work(7)
    child = os.fork()
    work(10 if child == 0 else 100)
    if child:
        os.waitpid(child, 0)
    """,
        environment(receiver, "grpc", OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE="delta"),
        command=COMMAND,
    )
    deltas = [
        point.as_int
        for _, metric in receiver.metrics()
        if metric.name == "done"
        for point in metric.sum.data_points
    ]
    assert sum(deltas) == 117


def test_fork_under_load_does_not_deadlock(tmp_path: Path, receiver: Receiver) -> None:
    """Children forked while other threads record, create instruments and export all finish."""
    programs.run(
        tmp_path,
        SETUP
        + """
    import itertools
    stop = threading.Event()

    def load(offset):
        meter = metrics.get_meter("t")
        for number in itertools.count():
            if stop.is_set():
                return
            counter.add(1, {"thread": offset})
            meter.create_histogram(f"h{number % 7}").record(number)

    def flush():
        while not stop.is_set():
            telemetry.force_flush()

    threads = [threading.Thread(target=load, args=(n,)) for n in range(3)]
    threads.append(threading.Thread(target=flush))
    for thread in threads:
        thread.start()
    children = []
    for _ in range(8):
        child = os.fork()
        if child == 0:
            work(3)
            metrics.get_meter("t").create_counter("new").add(1)
            telemetry.force_flush()
            os._exit(0)
        children.append(child)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    stop.set()
    for thread in threads:
        thread.join()
    """,
        environment(receiver, "http/protobuf", OTEL_METRIC_EXPORT_INTERVAL="5"),
        command=COMMAND,
    )
    assert list(last_sums(receiver, "new").values()) == [1] * 8


def test_fork_process_pool_sends_what_its_workers_did(tmp_path: Path, receiver: Receiver) -> None:
    """Workers of multiprocessing skip atexit, and are flushed all the same."""
    programs.run(
        tmp_path,
        SETUP
        + """
    context = multiprocessing.get_context("fork")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        pids = set(pool.map(work, [2] * 6))
    process = context.Process(target=work, args=(4,))
    process.start()
    process.join()
    assert process.exitcode == 0
    """,
        environment(receiver, "grpc"),
        command=COMMAND,
    )
    assert sum(last_sums(receiver).values()) == 16
    assert receiver.span_names().count("work") == 16


def test_fork_prometheus_parent_keeps_its_port_and_warns_once(tmp_path: Path) -> None:
    """The child lets go of /metrics; the parent serves on and says what is missing there."""
    out, err = programs.run(
        tmp_path,
        """
    import os, urllib.request
    from opentelemetry import metrics
    from qudag_otel.sdk import configure

    telemetry = configure(
        traces_exporter="none", logs_exporter="none", metrics_exporter="prometheus",
        prometheus_port=0,
    )
    counter = metrics.get_meter("t").create_counter("done")
    counter.add(2)
    for _ in range(2):
        child = os.fork()
        if child == 0:
            counter.add(40)
            assert telemetry.metrics_url is None
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    body = urllib.request.urlopen(telemetry.metrics_url).read().decode()
    print([line for line in body.splitlines() if line.startswith("done")])
    """,
        {},
        command=COMMAND,
    )
    assert out == "['done_total 2']\n"
    assert err.count("this process forked") == 1
