"""/metrics of several worker processes: one page, whoever serves it, whoever has ended."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.metrics import Histogram, MeterProvider
from opentelemetry.sdk.metrics.view import ExponentialBucketHistogramAggregation, View
from opentelemetry.sdk.resources import Resource

from qudag_otel.sdk.prometheus import pages
from qudag_otel.sdk.prometheus.endpoint import service_name
from qudag_otel.sdk.prometheus.reader import PrometheusReader
from qudag_otel.sdk.prometheus.workers import shared_name
from tests.sdk import programs
from tests.sdk.receiver import eventually
from tests.sdk.test_otlp import environment
from tests.sdk.test_prometheus import provider, record_all_kinds, samples

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator

    from tests.sdk.receiver import Receiver

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs processes of POSIX")

WORKER = """
    import os, sys
    from opentelemetry import metrics
    from qudag_otel import configure

    telemetry = configure(
        service_name=os.environ.get("SERVICE", "shop"), prometheus_gauges={"low": "min"},
        traces_exporter="none", logs_exporter="none", metrics_exporter="prometheus",
    )
    meter = metrics.get_meter("t")
    amount = int(os.environ["AMOUNT"])
    meter.create_counter("done").add(amount, {"kind": 'a "b" # {c}'})
    meter.create_histogram("wait", "s").record(amount)
    meter.create_up_down_counter("open").add(amount)
    meter.create_gauge("low").set(amount)
    meter.create_gauge("own").set(amount)
    print(os.getpid(), telemetry.metrics_url, flush=True)
    for line in sys.stdin:
        exec(line)
"""


@pytest.fixture
def port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Service:
    """Workers of one service on one port."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self._port = port
        self.processes: dict[int, subprocess.Popen[str]] = {}

    def start(self, amount: int, **variables: str) -> int:
        """Start one that counted so much, and return its process id."""
        process = programs.start(
            self._folder, WORKER,
            {"OTEL_EXPORTER_PROMETHEUS_PORT": str(self._port), "AMOUNT": str(amount), **variables},
        )  # fmt: skip
        assert process.stdout is not None
        told = process.stdout.readline()
        self.processes[process.pid] = process
        assert told.startswith(f"{process.pid} "), programs.finish(process)
        return process.pid

    def end(self, pid: int, number: int | None = None) -> str:
        """End one, by its own or by a signal, and return what it wrote to stderr."""
        process = self.processes.pop(pid)
        if number is not None:
            process.send_signal(number)
        _, err = programs.finish(process)
        return err

    def page(self) -> str:
        """What is served, as OpenMetrics."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._port}/metrics",
            headers={"Accept": "application/openmetrics-text"},
        )
        with urllib.request.urlopen(request) as response:
            return str(response.read().decode())

    def counted(self) -> list[float]:
        """The counter, the histogram's count and sum, and what is open; [] if nobody answers."""
        try:
            found = samples(self.page(), openmetrics=True)
        except OSError:
            return []
        values: dict[str, float] = {}
        for (name, _), value in found.items():
            values.setdefault(name, value)
        names = ("done_total", "wait_seconds_count", "wait_seconds_sum", "open")
        return [values.get(name, 0) for name in names]

    def shows(self, *expected: float) -> None:
        """Wait until that is what it counted."""
        eventually(lambda: self.counted() == [*expected], f"{expected}; {self.counted()}")


@pytest.fixture
def service(tmp_path: Path, port: int) -> Iterator[Service]:
    """A service whose workers are ended afterwards."""
    made = Service(tmp_path, port)
    yield made
    for pid in list(made.processes):
        made.end(pid)
    socket.create_server(("127.0.0.1", port)).close()  # nobody keeps it
    if sys.platform == "linux":
        name = shared_name(service_name("shop", "", socket.gethostname()), "127.0.0.1", port)
        assert name not in Path("/proc/net/unix").read_text(encoding="ascii")


def test_workers_of_a_service_show_one_page_of_all(service: Service) -> None:
    """Sums and histograms add up, gauges as declared, the target is what all have in common."""
    pids = [service.start(amount) for amount in (1, 20, 300)]
    service.shows(321, 3, 321, 321)
    page = service.page()
    found = samples(page, openmetrics=True)
    assert found["low", frozenset()] == 1
    own = {pids[0]: 1, pids[1]: 20, pids[2]: 300}
    for pid, value in own.items():
        assert found["own", frozenset({("pid", str(pid))})] == value
    (target,) = re.findall("^target_info{.*", page, re.MULTILINE)
    assert 'service_name="shop"' in target
    assert "process_pid" not in target


def test_worker_that_ended_stays_counted_and_its_gauges_go(service: Service) -> None:
    """Also with nobody scraping before it ends; a new one in its place adds to it."""
    first, second = service.start(1), service.start(20)
    service.end(second)
    service.shows(21, 2, 21, 1)
    assert f'pid="{second}"' not in service.page()
    service.start(300)
    service.shows(321, 3, 321, 301)
    assert f'pid="{first}"' in service.page()


@pytest.mark.parametrize("number", [None, signal.SIGTERM, signal.SIGKILL])
def test_owner_of_the_port_ends_and_another_counts_on(service: Service, number: int | None) -> None:
    """A killed one takes with it what it counted since the last scrape, and no more."""
    owner = service.start(1)
    gone = service.start(20)
    service.start(300)
    service.end(gone)
    service.shows(321, 3, 321, 301)
    service.end(owner, number)
    service.shows(321, 3, 321, 300)
    late = service.start(4000)
    service.shows(4321, 4, 4321, 4300)
    service.end(late, number)
    service.shows(4321, 4, 4321, 300)


def test_workers_that_end_together_lose_nothing(service: Service) -> None:
    """Owner and others at the same moment: each gives what it counted to who is left."""
    service.start(1)
    for _ in range(2):
        ending = [service.start(amount) for amount in (20, 300, 4000)]
        for pid in ending:
            service.processes[pid].send_signal(signal.SIGTERM)
        for pid in ending:
            service.end(pid)
    service.end(service.start(50_000))
    service.start(600_000)
    service.shows(658_641, 9, 658_641, 600_001)


def test_worker_stopped_holds_nobody_up_and_is_counted(service: Service) -> None:
    """One that cannot answer stands with its last page, and is asked again once it can."""
    service.start(1)
    other = service.start(20)
    service.shows(21, 2, 21, 21)
    process = service.processes[other]
    process.send_signal(signal.SIGSTOP)
    try:
        for _ in range(3):
            assert service.counted() == [21, 2, 21, 21]
    finally:
        process.send_signal(signal.SIGCONT)
    assert process.stdin is not None
    process.stdin.write("meter.create_counter('done').add(3, {'kind': 'a \"b\" # {c}'})\n")
    process.stdin.flush()
    service.shows(24, 2, 21, 21)


def test_forked_children_are_on_the_parent_s_page(tmp_path: Path) -> None:
    """Also with a port that the system picked, and after they have ended."""
    out, _ = programs.run(
        tmp_path,
        """
    import os, urllib.request
    from opentelemetry import metrics
    from qudag_otel import configure

    telemetry = configure(
        traces_exporter="none", logs_exporter="none", metrics_exporter="prometheus",
        prometheus_port=0,
    )
    counter = metrics.get_meter("t").create_counter("done")
    counter.add(2)
    for _ in range(2):
        child = os.fork()
        counter.add(10)
        if child == 0:
            telemetry.shutdown()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
    body = urllib.request.urlopen(telemetry.metrics_url).read().decode()
    print([line for line in body.splitlines() if line.startswith("done")])
    """,
        {},
        command=(sys.executable, "-W", "error", "-W", "ignore:This process:DeprecationWarning"),
    )
    assert out == "['done_total 42']\n"


@pytest.mark.parametrize("stranger", ["socket", "service"])
def test_port_held_by_a_stranger_costs_the_endpoint_only(
    tmp_path: Path, port: int, receiver: Receiver, stranger: str
) -> None:
    """One warning names who holds it; spans arrive; once the port is free it is served."""
    other = Service(tmp_path, port)
    held: socket.socket | None = None
    if stranger == "socket":
        held = socket.create_server(("127.0.0.1", port))
        holder = os.getpid()
    else:
        holder = other.start(1, SERVICE="another")
    process = programs.start(
        tmp_path,
        """
    import sys
    from opentelemetry import metrics, trace
    from qudag_otel import configure

    telemetry = configure(metrics_exporter="prometheus", logs_exporter="none")
    trace.get_tracer("t").start_span("sent").end()
    metrics.get_meter("t").create_counter("done").add(7)
    print(telemetry.metrics_url, telemetry.force_flush(), flush=True)
    sys.stdin.readline()
    """,
        environment(receiver, "http/protobuf", OTEL_EXPORTER_PROMETHEUS_PORT=str(port)),
    )
    assert process.stdout is not None
    told = process.stdout.readline()
    assert told == "None True\n", programs.finish(process)
    assert receiver.span_names() == ["sent"]
    if held is not None:
        held.close()
    else:
        other.end(holder)
    eventually(lambda: other.counted()[:1] == [7], "the port is taken once it is free")
    _, err = programs.finish(process)
    (warning,) = err.splitlines()
    assert f"process {holder} (" in warning
    assert f"listens on 127.0.0.1:{port}, so that /metrics is not served" in warning
    assert "OTEL_EXPORTER_PROMETHEUS_PORT" in warning


# -- the sum of pages, without processes


def page_of(source: MeterProvider, reader: PrometheusReader) -> bytes:
    """One page, after which the provider is closed."""
    made = reader.scrape(openmetrics=True)
    source.shutdown()
    return made


def test_sum_of_one_page_is_that_page_in_both_formats() -> None:
    """Nothing gets lost on the way through: kinds, units, texts, labels, exemplars."""
    reader = PrometheusReader()
    source = provider(reader)
    record_all_kinds(source)
    for openmetrics in (True, False):
        page, found = reader.page()
        modes = dict.fromkeys(found, "sum")
        made = pages.render(
            pages.total([(1, pages.read(page), modes)], {}), openmetrics=openmetrics
        )
        assert made == reader.scrape(openmetrics=openmetrics)
    source.shutdown()


def test_sum_keeps_the_latest_exemplar_of_each_bucket() -> None:
    """Whichever worker it comes from."""
    made: list[bytes] = []
    for value in (1, 2):
        reader = PrometheusReader()
        source = provider(reader)
        context = trace.set_span_in_context(
            trace.NonRecordingSpan(trace.SpanContext(value, value, False, trace.TraceFlags(1)))
        )
        source.get_meter("t").create_counter("c").add(value, context=context)
        made.append(page_of(source, reader))
    total = pages.total([(pid, pages.read(page), {}) for pid, page in enumerate(made)], {})
    (line,) = [line for line in pages.render(total, openmetrics=True).decode().split("\n")
               if line.startswith("c_total")]  # fmt: skip
    assert line.startswith('c_total 3 # {trace_id="00000000000000000000000000000002"')


def exponential(values: list[float]) -> bytes:
    """A page with an exponential histogram, whose bounds depend on what it holds."""
    reader = PrometheusReader()
    view = View(instrument_type=Histogram, aggregation=ExponentialBucketHistogramAggregation())
    source = provider(reader, views=(view,))
    for value in values:
        source.get_meter("t").create_histogram("h").record(value)
    return page_of(source, reader)


_VALUES = st.lists(st.floats(0, 1e9, allow_subnormal=False), min_size=1, max_size=20)


@settings(deadline=None, max_examples=50)
@given(st.lists(_VALUES, min_size=2, max_size=4))
def test_sum_of_histograms_with_other_bounds_ascends_and_counts_all(workers: Any) -> None:
    """Buckets that only some have are added at what is known for sure."""
    made: list[tuple[int, dict[str, pages.Family], dict[str, str]]] = [
        (pid, pages.read(exponential(values)), {}) for pid, values in enumerate(workers)
    ]
    found = samples(
        pages.render(pages.total(made, {}), openmetrics=True).decode(), openmetrics=True
    )
    buckets = sorted(
        (float(dict(labels)["le"]), value) for (name, labels), value in found.items()
        if name == "h_bucket"
    )  # fmt: skip
    counts = [count for _, count in buckets]
    assert counts == sorted(counts)
    assert counts[-1] == found["h_count", frozenset()] == sum(map(len, workers))
    assert found["h_sum", frozenset()] == pytest.approx(sum(map(sum, workers)))


def test_ended_workers_keep_no_gauge_and_no_target() -> None:
    """What counts stays, what was only true then goes."""
    reader = PrometheusReader()
    source = MeterProvider([reader], resource=Resource({"service.name": "s"}))
    meter = source.get_meter("t")
    meter.create_counter("c").add(1)
    meter.create_gauge("g").set(1)
    meter.create_up_down_counter("u").add(1)
    ended: dict[str, pages.Family] = {}
    pages.retire(ended, pages.read(page_of(source, reader)))
    assert list(ended) == ["c"]
