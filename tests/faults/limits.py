"""Faults of the application itself: too many names, clocks, recursion, descriptors, secrets."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from tests.redact.corpus import PLANTED
from tests.sdk.deployments import free_port

if TYPE_CHECKING:
    from tests.faults.bench import Bench

NAMES: Final = """
    import os, time, urllib.request
    from qudag_otel import configure, instrumented
    telemetry = configure()

    def resident():
        return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGESIZE") / 2**20

    def work():
        pass

    before = resident()
    for number in range({names}):
        instrumented(name=f"operation {{number}}")(work)()
        if number % 5000 == 0:
            telemetry.force_flush(30)
    grown = resident() - before
    url = "http://127.0.0.1:" + os.environ["OTEL_EXPORTER_PROMETHEUS_PORT"] + "/metrics"
    urllib.request.urlopen(url, timeout=100).read()
    began = time.monotonic()
    urllib.request.urlopen(url, timeout=100).read()
    print(grown, time.monotonic() - began, flush=True)
    os._exit(0)
"""
CLOCK: Final = """
    import time
    real, ahead = time.time_ns, [0]
    time.time_ns = lambda: real() + ahead[0]
    from qudag_otel import configure, instrumented
    telemetry = configure()

    @instrumented(name="work")
    def work():
        ahead[0] = 3600 * 10**9

    work()
    telemetry.force_flush(10)
"""
RECURSION: Final = """
    import time
    from qudag_otel import configure, instrumented
    telemetry = configure()

    @instrumented(name="work")
    def work(depth):
        return work(depth + 1)

    began = time.process_time()
    try:
        work(0)
    except RecursionError:
        pass
    telemetry.force_flush(30)
    print(time.process_time() - began)
"""
SUPPRESSED: Final = """
    from opentelemetry.instrumentation.utils import suppress_instrumentation
    from qudag_otel import configure, instrumented
    telemetry = configure()

    @instrumented(name="work")
    def work():
        pass

    with suppress_instrumentation():
        for _ in range(10):
            work()
    telemetry.force_flush(10)
"""
DESCRIPTORS: Final = """
    import os, resource, socket, time
    from qudag_otel import configure, instrumented
    telemetry = configure()
    port = int(os.environ["OTEL_EXPORTER_PROMETHEUS_PORT"])
    scrapers = [socket.socket() for _ in range(20)]
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    lowest = os.dup(0)
    os.close(lowest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    for scraper in scrapers:
        scraper.settimeout(0.2)
        try:
            scraper.connect(("127.0.0.1", port))
        except OSError:
            pass
    began = time.process_time()
    time.sleep(2)
    print((time.process_time() - began) / 2, flush=True)
    os._exit(0)
"""
PLANTING: Final = """
    import json, sys
    from qudag_otel import configure, instrumented
    telemetry = configure()
    from opentelemetry import trace

    @instrumented(name="work")
    def work(text):
        trace.get_current_span().set_attribute("note", text)
        raise ValueError(text)

    for text in json.load(open("planted.json")):
        try:
            work(text)
        except ValueError:
            pass
    telemetry.force_flush(30)
"""


def _names(bench: Bench) -> tuple[float, float]:
    out, err = bench.run(
        NAMES.format(names=bench.either(200_000, 20_000)),
        OTEL_METRICS_EXPORTER="prometheus", OTEL_EXPORTER_PROMETHEUS_PORT=str(free_port()),
    )  # fmt: skip
    grown, seconds = map(float, (out or err).split())
    return grown, seconds


def megabytes_for_names(bench: Bench) -> float:
    """What calls of ever new names add to the memory."""
    return _names(bench)[0]


def seconds_to_scrape_names(bench: Bench) -> float:
    """How long the page takes after that."""
    return _names(bench)[1]


def seconds_off(bench: Bench) -> float:
    """How long a call seems to last during which the clock is put an hour ahead."""
    bench.run(CLOCK)
    (span,) = bench.receiver.spans()
    return (span.end_time_unix_nano - span.start_time_unix_nano) * 1e-9


def seconds_for_a_recursion(bench: Bench) -> float:
    """CPU of a RecursionError that passes a thousand decorated frames, export included."""
    return float(bench.run(RECURSION)[0])


def spans_although_suppressed(bench: Bench) -> float:
    """Spans of ten calls within `suppress_instrumentation()`."""
    bench.run(SUPPRESSED)
    return bench.receiver.span_names().count("work")


def share_of_a_core_without_descriptors(bench: Bench) -> float:
    """CPU of a process at its descriptor limit, while scrapers wait at /metrics."""
    out, _ = bench.run(
        DESCRIPTORS, OTEL_METRICS_EXPORTER="prometheus", OTEL_TRACES_EXPORTER="none",
        OTEL_EXPORTER_PROMETHEUS_PORT=str(free_port()),
    )  # fmt: skip
    return float(out)


def secrets_that_left(bench: Bench) -> float:
    """Planted secrets in what arrives."""
    planted = json.dumps([one.text for one in PLANTED])
    (bench.folder / "planted.json").write_text(planted)
    bench.run(PLANTING)
    sent = b"".join(one.message.SerializeToString() for one in bench.receiver.of("traces"))
    text = sent.decode("utf-8", "replace")
    return sum(any(secret in text for secret in one.secrets) for one in PLANTED)
