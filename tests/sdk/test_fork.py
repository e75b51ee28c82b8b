"""Forked processes: each counts its own, nothing twice, and no lock is inherited."""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import pytest

from tests.sdk import programs
from tests.sdk.receiver import attributes
from tests.sdk.test_otlp import PROTOCOLS, environment

if TYPE_CHECKING:
    from collections.abc import Callable
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


def test_fork_inside_a_span_exports_that_span_once(tmp_path: Path, receiver: Receiver) -> None:
    """What is open at a fork is the parent's; what the child opens in it is the child's."""
    programs.run(
        tmp_path,
        SETUP
        + """
    with tracer.start_as_current_span("open"):
        child = os.fork()
        work(1)
        if child == 0:
            grandchild = os.fork()
            if grandchild:
                os.waitpid(grandchild, 0)
    if child:
        os.waitpid(child, 0)
    """,
        environment(receiver, "http/protobuf"),
        command=COMMAND,
    )
    assert sorted(receiver.span_names()) == ["open", "work", "work"]
    (parent,) = [span.span_id for span in receiver.spans() if span.name == "open"]
    assert {span.parent_span_id for span in receiver.spans() if span.name == "work"} == {parent}


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


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_fork_after_an_export_over_grpc_is_warned_of_once(
    tmp_path: Path, receiver: Receiver, protocol: str
) -> None:
    """Its library may hang in the child; over HTTP there is nothing to say."""
    _, err = programs.run(
        tmp_path,
        SETUP
        + """
    import time
    for exported in (False, True, True):
        if exported:
            work(1)
            telemetry.force_flush()
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
    """,
        environment(receiver, protocol),
        command=COMMAND,
    )
    told = "this process forked after it had exported over gRPC"
    assert err.count(told) == (protocol == "grpc"), err


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
def test_configure_in_a_child_of_multiprocessing_sends_what_it_records(
    tmp_path: Path, receiver: Receiver, method: str
) -> None:
    """Set up in the child alone, in a process or by a pool's initializer, and nothing is lost."""
    programs.run(
        tmp_path,
        f"""
    import multiprocessing
    from qudag_otel import configure, instrumented

    @instrumented(name="work")
    def work(_):
        pass

    def target():
        configure()
        work(0)

    if __name__ == "__main__":
        context = multiprocessing.get_context("{method}")
        process = context.Process(target=target)
        process.start()
        process.join()
        assert process.exitcode == 0
        with context.Pool(1, initializer=configure) as pool:
            pool.map(work, range(3))  # and terminated at the end of the block
    """,
        environment(receiver, "http/protobuf", OTEL_METRICS_EXPORTER="none"),
    )
    assert receiver.span_names() == ["work"] * 4


def test_child_terminated_at_once_ends_and_a_pool_ends_no_later_than_without_us(
    tmp_path: Path,
) -> None:
    """Whenever SIGTERM comes, before the child is renewed or after; no end takes a second."""
    out, _ = programs.run(
        tmp_path,
        """
    import multiprocessing, time
    from qudag_otel import configure

    configure()
    context = multiprocessing.get_context("fork")
    for number in range(30):
        process = context.Process(target=time.sleep, args=(60,))
        process.start()
        time.sleep(number % 6 / 1000)
        process.terminate()
        process.join(5)
        assert process.exitcode == -15, (number, process.exitcode)
    began = time.monotonic()
    with context.Pool(2) as pool:
        pool.map(abs, range(6))
    print(time.monotonic() - began)
    """,
        {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")},
        command=COMMAND,
    )
    assert float(out) < 1


def test_fork_in_a_thread_whose_child_just_returns_lets_the_parent_go_on(
    tmp_path: Path, receiver: Receiver
) -> None:
    """The child ends with its one thread, and what it recorded has been sent."""
    programs.run(
        tmp_path,
        SETUP
        + """
    children = []

    def fork():
        child = os.fork()
        if child:
            children.append(child)
        else:
            work(3)

    thread = threading.Thread(target=fork)
    thread.start()
    thread.join()
    assert os.waitpid(children[0], 0)[1] == 0
    """,
        environment(receiver, "http/protobuf"),
        command=COMMAND,
    )
    assert receiver.span_names() == ["work"] * 3


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_no_module_is_loaded_by_a_thread(tmp_path: Path, receiver: Receiver, protocol: str) -> None:
    """A child forked meanwhile would wait for ever for the lock of an import."""
    out, _ = programs.run(
        tmp_path,
        """
    import logging, sys, urllib.request
    from qudag_otel import configure, instrumented

    telemetry = configure(metrics_exporter="otlp,prometheus", prometheus_port=0)
    logging.lastResort = None

    @instrumented
    def fail():
        raise ValueError

    try:
        fail()
    except ValueError:
        logging.getLogger("t").exception("failed")
    urllib.request.urlopen("data:,")  # what it loads itself
    before = set(sys.modules)
    assert telemetry.force_flush()
    for headers in {}, {"Accept": "application/openmetrics-text", "Accept-Encoding": "gzip"}:
        with urllib.request.urlopen(urllib.request.Request(telemetry.metrics_url, None, headers)):
            pass
    telemetry.shutdown()
    print(sorted(set(sys.modules) - before))
    """,
        environment(receiver, protocol),
    )
    assert out == "[]\n"


def test_fork_before_the_first_measurement_inherits_no_half_done_import(tmp_path: Path) -> None:
    """What is loaded on first use is loaded before a fork: another thread may be at it."""
    out, _ = programs.run(
        tmp_path,
        """
        import os, sys
        from qudag_otel._series.instruments import scope_version

        assert scope_version.cache_info().currsize == 0
        child = os.fork()
        if not child:
            os._exit(scope_version.cache_info().currsize)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """,
        {},
    )
    assert out.strip() == "1"


def test_fork_during_an_export_over_grpc_shares_no_connection(
    tmp_path: Path, receiver: Receiver
) -> None:
    """The parent's request ends as if nothing was; each child speaks over a connection of its own.

    A child that gRPC's library ends, which docs/workers.md tells of, sends nothing at all.
    """
    held = threading.Event()

    def acknowledged(_: str) -> None:
        held.wait(60)

    receiver.answer = acknowledged
    with _Proxy(int(receiver.grpc_endpoint.rpartition(":")[2])) as proxy:
        process = programs.start(
            tmp_path,
            SETUP
            + """
    work(1)
    flushing = threading.Thread(target=telemetry.force_flush)
    flushing.start()
    sys.stdin.readline()  # the receiver holds the request
    children = []
    for _ in range(4):
        child = os.fork()
        if child == 0:
            work(1)
            telemetry.force_flush(20)
            os._exit(0)
        children.append(child)
    print("forked", flush=True)
    for child in children:
        os.waitpid(child, 0)
    flushing.join()
    work(1)
    assert telemetry.force_flush()
    """,
            {**environment(receiver, "grpc"), "OTEL_METRICS_EXPORTER": "none",
             "OTEL_BSP_SCHEDULE_DELAY": "600000",
             "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{proxy.port}"},
            command=COMMAND,
        )  # fmt: skip
        receiver.wait_for(lambda: receiver.requests, "the parent's request")
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "forked\n"
        held.set()
        programs.finish(process, seconds=90)
    assert process.returncode == 0
    pids = [resource["process.pid"] for resource in receiver.resources("traces")]
    assert pids.count(process.pid) == 2
    assert len(pids) > 2, "no child could send"
    assert len(proxy.connections) >= len(set(pids))
    for sent in proxy.connections:
        assert sent.count(b"PRI * HTTP/2.0") == 1, "one connection, one beginning"


class _Proxy:
    """Hands bytes on to a port of this host, and keeps what each connection sent."""

    def __init__(self, to: int) -> None:
        self._to = to
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.connections: list[bytearray] = []
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        for one in [self._listener, *self._sockets]:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join()

    def _start(self, function: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._sockets += (near, far)
                self.connections.append(bytearray())
                self._start(self._pump, near, far, self.connections[-1])
                self._start(self._pump, far, near, bytearray())

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket, kept: bytearray) -> None:
        with suppress(OSError):
            while part := source.recv(1 << 16):
                kept += part
                target.sendall(part)
            target.shutdown(socket.SHUT_WR)
