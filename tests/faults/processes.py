"""Faults of processes: ends, forks, pools and workers."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from tests.sdk import deployments
from tests.sdk.deployments import REQUESTS

if TYPE_CHECKING:
    from tests.faults.bench import Bench
    from tests.sdk.deployments import Deployment, Outcome

NOTHING_EARLY = {"OTEL_BSP_SCHEDULE_DELAY": "600000", "OTEL_METRIC_EXPORT_INTERVAL": "600000"}
CALLS = 30
MORTAL = """
    import multiprocessing, time
    from qudag_otel import configure
    configure()

    def wait():
        time.sleep(60)

    hung = 0
    context = multiprocessing.get_context("fork")
    for number in range({rounds}):
        child = context.Process(target=wait)
        child.start()
        time.sleep(number % 10 / 1000)
        child.terminate()
        child.join(8)
        if child.is_alive():
            hung += 1
            child.kill()
    print(hung)
"""
POOL = """
    import multiprocessing, time
    from qudag_otel import configure
    configure()
    context = multiprocessing.get_context("fork")
    with context.Pool(2) as pool:
        pool.map(abs, range(10))
        began = time.monotonic()
    pool.join()
    print(time.monotonic() - began)
"""
CHILD = """
    import multiprocessing
    from qudag_otel import configure, instrumented

    def record():
        configure()

        @instrumented(name="work")
        def work():
            pass

        for _ in range({calls}):
            work()

    if __name__ == "__main__":
        child = multiprocessing.get_context("{method}").Process(target=record)
        child.start()
        child.join()
"""
FIRST = """
    import os, threading, time
    from qudag_otel import configure, instrumented
    telemetry = configure()

    @instrumented(name="work")
    def work():
        pass

    work()
    flushing = threading.Thread(target=telemetry.force_flush)
    flushing.start()
    time.sleep({delay})
    child = os.fork()
    if child == 0:
        work()
        telemetry.force_flush(5)
        os._exit(0)
    deadline = time.monotonic() + 10
    while os.waitpid(child, os.WNOHANG) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    late = time.monotonic() >= deadline
    if late:
        os.kill(child, 9)
    print(int(late), flush=True)
    os._exit(0)
"""
TAKEN = """
    from qudag_otel import configure, instrumented
    configure()

    @instrumented(name="work")
    def work():
        pass

    for _ in range({calls}):
        work()
"""


def deaf_children(bench: Bench) -> float:
    """Children of multiprocessing, told to end within 10 ms of their start, that did not."""
    out, _ = bench.run(MORTAL.format(rounds=bench.either(40, 10)))
    return float(out)


def seconds_to_leave_a_pool(bench: Bench) -> float:
    """From the end of a `with Pool()` block to the end of its workers."""
    return float(bench.run(POOL)[0])


def lost_of_a_child(bench: Bench, method: str) -> float:
    """Of the spans of a child that sets telemetry up itself."""
    bench.run(CHILD.format(calls=CALLS, method=method), **NOTHING_EARLY)
    return CALLS - bench.receiver.span_names().count("work")


def hung_in_the_first_export(bench: Bench, protocol: str) -> float:
    """Children that were forked while the first export was under way, and never ended."""
    hung = 0
    for number in range(bench.either(16, 2)):
        code = FIRST.format(delay=number * 0.01)
        hung += int(bench.run(code, OTEL_EXPORTER_OTLP_PROTOCOL=protocol)[0] or 1)
    return hung


def lost_of_workers(bench: Bench, deployment: Deployment) -> float:
    """Spans and measured calls that did not arrive, of those that workers were asked for."""
    found = deployments.run(
        deployment, bench.folder, bench.receiver, setup=bench.setup, metrics="otlp"
    )
    return 2 * REQUESTS - found.spans - found.measured


def _two_workers(bench: Bench) -> Outcome:
    return deployments.run(
        deployments.DEPLOYMENTS[0], bench.folder, bench.receiver, setup=bench.setup,
        metrics="prometheus",
    )  # fmt: skip


def missing_on_the_page(bench: Bench) -> float:
    """Calls of two workers that their service's /metrics does not show."""
    return REQUESTS - _two_workers(bench).scraped


def workers_that_cannot_start(bench: Bench) -> float:
    """Whether the second worker fails for the port; gunicorn then ends the service."""
    return float("Address already in use" in _two_workers(bench).err)


def lost_for_a_taken_port(bench: Bench) -> float:
    """Spans of a program whose port of /metrics somebody else has."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        bench.run(
            TAKEN.format(calls=CALLS), OTEL_METRICS_EXPORTER="prometheus",
            OTEL_EXPORTER_PROMETHEUS_PORT=str(other.getsockname()[1]),
        )  # fmt: skip
    return CALLS - bench.receiver.span_names().count("work")
