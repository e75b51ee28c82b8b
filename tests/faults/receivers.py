"""Faults of receivers: what is told of what they did not take, and what an application notices."""

from __future__ import annotations

import functools
import re
import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.faults.bench import Failed, finish
from tests.sdk.receiver import Answer
from tests.servers.collectors import CONFIG, Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.faults.bench import Bench

HTML: Final = {"Content-Type": "text/html"}
PROTOBUF: Final = {"Content-Type": "application/x-protobuf"}
CLAIM: Final = """
    from qudag_otel import configure, instrumented
    telemetry = configure()

    @instrumented(name="work")
    def work():
        pass

    for _ in range(10):
        work()
    print(int(bool(telemetry.force_flush(10))), flush=True)
"""
STEADY: Final = """
    import sys, time
    from qudag_otel import configure, instrumented
    telemetry = configure()

    @instrumented(name="work")
    def work():
        pass

    made, began = 0, time.monotonic()
    while (passed := time.monotonic() - began) < {seconds}:
        while made < passed * 200:
            work()
            made += 1
        time.sleep(0.01)
    print(made, flush=True)
"""
LATENCY: Final = """
    import time
    from qudag_otel import configure, instrumented
    telemetry = configure()

    @instrumented(name="work")
    def work():
        pass

    took = []
    for number in range(3000):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
        if number % 10 == 0:
            time.sleep(0.003)
    took.sort()
    print(took[len(took) * 99 // 100] * 1e6, flush=True)
"""
LARGE: Final = """
    import sys
    from qudag_otel import configure, instrumented
    telemetry = configure()
    from opentelemetry import trace

    @instrumented(name="work")
    def work():
        trace.get_current_span().set_attribute("text", "x" * 100_000)

    for _ in range(60):
        work()
    telemetry.force_flush(20)
"""


def partial(rejected: int) -> bytes:
    """A partial success."""
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = rejected
    return response.SerializeToString()


ANSWERS: Final = {
    "a web page, with 200": Answer(200, HTML, b"<html>log in</html>"),
    "a redirection, 301": Answer(301, {"Location": "https://elsewhere/"}),
    "nothing, with 200, to everything": Answer(200, HTML),
    "a partial success that rejects 3": Answer(200, PROTOBUF, partial(3)),
}


def false_acknowledgements(bench: Bench, answer: Answer) -> float:
    """Whether a flush is true although the receiver has not taken everything."""
    bench.receiver.answer = lambda _: answer
    bench.receiver.undecoded = answer
    out, _ = bench.run(CLAIM, OTEL_EXPORTER_OTLP_TIMEOUT="3000")
    return float(out)


def _outage(bench: Bench) -> int:
    """Have the receiver refuse everything for a while, soon; how many seconds."""
    away = bench.either(75, 8)
    began = time.monotonic()
    bench.receiver.failing = lambda: 2 < time.monotonic() - began < 2 + away
    return away


def untold(bench: Bench, protocol: str) -> float:
    """Of the spans that an outage cost, how many the program's lines do not tell."""
    away = _outage(bench)
    out, err = bench.run(
        STEADY.format(seconds=away + 4), OTEL_EXPORTER_OTLP_PROTOCOL=protocol,
        OTEL_BSP_MAX_QUEUE_SIZE=str(bench.either(2048, 256)), OTEL_BSP_SCHEDULE_DELAY="1000",
        OTEL_BSP_MAX_EXPORT_BATCH_SIZE="128",
        OTEL_EXPORTER_OTLP_TIMEOUT=str(bench.either(10_000, 2000)),
    )  # fmt: skip
    lost = int(out) - bench.receiver.span_names().count("work")
    # The last word on an outage has all of it.
    told = sum(map(int, re.findall(r"(\d+) (?:were|are) lost", err)))
    return abs(lost - told)


def lost_in_an_outage(bench: Bench) -> float:
    """Spans that the same outage costs a program that sends to the receiver itself."""
    out, _ = bench.run(STEADY.format(seconds=_outage(bench) + 4))
    return int(out) - bench.receiver.span_names().count("work")


def lost_behind_an_agent(bench: Bench) -> float:
    """Spans that it costs where an agent on the host is between, and is killed meanwhile."""
    configs = (CONFIG / "common.yaml", CONFIG / "agent.yaml")
    gateway = {"OTELCOL_GATEWAY_ENDPOINT": bench.receiver.http_endpoint,
               "OTELCOL_RETRY_MAX_INTERVAL": "1s"}  # fmt: skip
    with Collector(bench.folder / "agent", configs=configs, environment=gateway) as agent:
        away = _outage(bench)
        steady = bench.start(
            STEADY.format(seconds=away + 4), OTEL_EXPORTER_OTLP_ENDPOINT=agent.otlp_http
        )
        time.sleep(away / 2)
        agent.kill()
        agent.start()
        made = int(finish(steady)[0])
        deadline = time.monotonic() + 30
        while bench.receiver.span_names().count("work") < made and time.monotonic() < deadline:
            time.sleep(0.5)
    return made - bench.receiver.span_names().count("work")


@contextmanager
def slow(bench: Bench) -> Iterator[str]:
    """Answers after four seconds."""
    bench.receiver.delay = 4.0
    yield bench.receiver.http_endpoint


@contextmanager
def answering(answer: Answer, bench: Bench) -> Iterator[str]:
    """Answers so."""
    bench.receiver.answer = lambda _: answer
    yield bench.receiver.http_endpoint


@contextmanager
def refusing(_: Bench) -> Iterator[str]:
    """Nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{one.getsockname()[1]}"


@contextmanager
def hanging(_: Bench) -> Iterator[str]:
    """Accepts and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@contextmanager
def resetting(_: Bench) -> Iterator[str]:
    """Hangs up at once."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


RECEIVERS: Final[dict[str, Callable[[Bench], AbstractContextManager[str]]]] = {
    "takes four seconds for each answer": slow,
    "hangs": hanging,
    "resets every connection": resetting,
    "is not there": refusing,
    "answers 429, Retry-After: 2": functools.partial(answering, Answer(429, {"Retry-After": "2"})),
    "answers 503, Retry-After: 2": functools.partial(answering, Answer(503, {"Retry-After": "2"})),
    "answers 400": functools.partial(answering, Answer(400)),
}


_measured: dict[tuple[str, str, bool], tuple[float, float]] = {}


def _latency(bench: Bench, name: str) -> tuple[float, float]:
    """Both figures of one run of the program."""
    key = bench.setup, name, bench.long
    if key not in _measured:
        _measured[key] = _run(bench, name)
    return _measured[key]


def _run(bench: Bench, name: str) -> tuple[float, float]:
    with RECEIVERS[name](bench) as endpoint:
        process = bench.start(LATENCY, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint)
        assert process.stdout is not None
        line = process.stdout.readline()
        began = time.monotonic()
        finish(process, 60)
        took = time.monotonic() - began
    if not line:
        raise Failed("no figure")
    return float(line), took


def slowest_call(bench: Bench, name: str) -> float:
    """How long 99 of 100 calls take at most, in microseconds."""
    return _latency(bench, name)[0]


def seconds_to_exit(bench: Bench, name: str) -> float:
    """From the end of the program to the end of its process."""
    return _latency(bench, name)[1]


def lost_of_a_large_batch(bench: Bench) -> float:
    """Spans of a request of six megabytes, to a receiver that takes one."""
    bench.run(LARGE, OTEL_EXPORTER_OTLP_PROTOCOL="grpc", OTEL_BSP_SCHEDULE_DELAY="600000")
    return 60 - bench.receiver.span_names().count("work")
