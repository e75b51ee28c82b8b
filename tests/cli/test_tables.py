"""`qudag-otel top` over any /metrics, on the smallest screen there is."""

from __future__ import annotations

import itertools
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.cli.terminal import in_terminal
from tests.demo.programs import run

if TYPE_CHECKING:
    from collections.abc import Iterator

# Of an application with prometheus_client, of node_exporter, and of a Collector, as they write it.
PAGE = """\
# TYPE render_seconds histogram
render_seconds_bucket{{page="/slow",le="0.1"}} 0
render_seconds_bucket{{page="/slow",le="1.0"}} {0}
render_seconds_bucket{{page="/slow",le="+Inf"}} {0}
render_seconds_count{{page="/slow"}} {0}
render_seconds_bucket{{page="/busy",le="0.1"}} {1}
render_seconds_bucket{{page="/busy",le="1.0"}} {1}
render_seconds_bucket{{page="/busy",le="+Inf"}} {1}
render_seconds_count{{page="/busy"}} {1}
# TYPE http_requests_total counter
http_requests_total{{code="200",service="shop"}} {1}
http_requests_total{{code="503",service="shop"}} {0}
# TYPE node_memory_MemAvailable_bytes gauge
node_memory_MemAvailable_bytes 3.221225472e+09
# TYPE node_boot_time_seconds gauge
node_boot_time_seconds 1.7e+09
# TYPE node_cpu_seconds_total counter
node_cpu_seconds_total{{cpu="0",mode="idle"}} {1}
# TYPE otelcol_exporter_queue_size gauge
otelcol_exporter_queue_size{{exporter="otlp/a-backend-with-a-long-name",service_instance_id="1"}} 7
# TYPE otelcol_exporter_send_failed_spans__spans__total counter
otelcol_exporter_send_failed_spans__spans__total{{exporter="otlp"}} {0}
# TYPE acme_operation_duration_seconds histogram
acme_operation_duration_seconds_bucket{{operation="place",outcome="ok",le="0.01"}} {1}
acme_operation_duration_seconds_bucket{{operation="place",outcome="ok",le="+Inf"}} {1}
acme_operation_duration_seconds_bucket{{operation="place",outcome="error",le="0.01"}} {0}
acme_operation_duration_seconds_bucket{{operation="place",outcome="error",le="+Inf"}} {0}
acme_operation_duration_seconds_count{{operation="place",outcome="error"}} {0}
"""


@pytest.fixture(scope="module")
def port() -> Iterator[str]:
    """Where the page is served, its counts growing with each reading."""
    with _served() as port:
        yield port


@contextmanager
def _served() -> Iterator[str]:
    readings = itertools.count(1)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            number = next(readings)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(PAGE.format(number, 9 * number).encode())

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield str(server.server_port)
        server.shutdown()
        thread.join()


def test_keys_choose_what_a_small_screen_shows(port: str) -> None:
    """All tables in 80 columns and 24 lines, then one, a filter, an order, help, and the end."""
    with in_terminal("top", port, "--interval", "0.2", size=(24, 80)) as terminal:
        frame = terminal.wait_for(lambda frame: "3 errors" in frame and "4 rates" in frame)
        for line in (
            r"^1 calls +calls/s +errors +p50 +p95 +p99",
            r"^place +[\d.]+ +10% +[\d.]+ ms",
            r"^2 latencies +/s +p50 +p95 +p99",
            r"^render_seconds page=/busy +[\d.]+ +50 ms +95 ms +99 ms",
            r"^http_requests_total code=503 +[\d.]+ +\d+",
            r"^otelcol_exporter_send_failed_\S+ exporter=otlp +[\d.]+ +\d+",
            r"^node_cpu_seconds_total cpu=0 mode=idle +[\d.]+ +\d+ s",
            r"^node_memory_MemAvailable_bytes +3 GiB",
            r"^q quit +\? help +/ filter +s busiest +p pause +1-5 one table",
        ):
            assert re.search(line, frame, re.MULTILINE), (line, frame)
        lines = frame.rstrip("\n").split("\n")
        assert (len(lines), max(map(len, lines))) == (24, 80)
        assert frame.index("page=/busy") < frame.index("page=/slow")

        terminal.press(b"s")
        frame = terminal.wait_for(lambda frame: "s slowest" in frame)
        assert frame.index("page=/slow") < frame.index("page=/busy")
        terminal.press(b"5")
        frame = terminal.wait_for(lambda frame: "calls/s" not in frame)
        assert re.search(
            r"otelcol_exporter_queue_size \S+long-name service_instance_id=1 +7", frame
        )
        assert re.search(r"node_boot_time_seconds +-[\d,]+ d", frame)
        terminal.press(b"0/FAILED")
        frame = terminal.wait_for(lambda frame: "filter: FAILED_" in frame)
        assert "send_failed" in frame
        assert "render_seconds" not in frame
        terminal.press(b"\r?")
        frame = terminal.wait_for(lambda frame: "one table alone" in frame)
        terminal.press(b"?\x1b")
        terminal.wait_for(lambda frame: "render_seconds" in frame)
        terminal.press(b"p")
        terminal.wait_for(lambda frame: "paused" in frame)
        terminal.press(b"q")
        assert terminal.wait() == 0
        assert "Traceback" not in terminal.written


def test_what_does_not_fit_is_told(port: str) -> None:
    """Fewer rows than there are say how many, and which key shows them; arrows move in them."""
    with in_terminal("top", port, "--interval", "0.2", size=(14, 80)) as terminal:
        frame = terminal.wait_for(lambda frame: "5 gauges" in frame and "3 errors" in frame)
        assert re.search(r"^5 gauges \(1-\d of 3; 5 shows all\)", frame, re.MULTILINE), frame
        terminal.press(b"5")
        terminal.wait_for(lambda frame: "calls/s" not in frame)
        terminal.press(b"q")
        assert terminal.wait() == 0
    with in_terminal("top", port, "--interval", "0.2", size=(4, 80)) as terminal:
        terminal.wait_for(lambda frame: "1 calls" in frame)
        terminal.press(b"5")
        first = terminal.wait_for(lambda frame: "(1-1 of 3)" in frame)
        terminal.press(b"\x1b[B")
        assert terminal.wait_for(lambda frame: "(2-2 of 3)" in frame) != first
        assert terminal.end()[0] == 130


def test_course_of_values_takes_no_column_of_a_name(port: str) -> None:
    """On a wide screen there is room for both; on a narrow one the names win."""
    with in_terminal("top", port, "--interval", "0.2", size=(40, 160)) as terminal:
        frame = terminal.wait_for(lambda frame: "4 rates" in frame)
        assert re.search(r"a-backend-with-a-long-name\S* .* 7 [▁-█]+", frame), frame
        terminal.press(b"q")
        assert terminal.wait() == 0


def test_dumb_terminal_gets_lines(port: str) -> None:
    """As a pipe does: the busiest calls, latencies and errors."""
    line = re.compile(r"[\d.]+ calls/s; place [\d.]+ calls/s, 10% errors, .*errors/s; .*in all")
    with in_terminal(
        "top", port, "--rounds", "2", "--interval", "0.2", TERM="dumb", size=(24, 80)
    ) as terminal:
        assert terminal.wait() == 0
    assert "\x1b" not in terminal.written
    assert line.search(terminal.written.replace("\r", "")), terminal.written
    ended = run("top", port, "--rounds", "2", "--interval", "0.2")
    assert line.fullmatch(ended.stdout.splitlines()[1]), ended.stdout


def test_two_endpoints_are_told_apart(port: str) -> None:
    """By port, as they are of one host."""
    with _served() as other:
        ended = run("top", port, other, "--rounds", "2", "--interval", "0.2")
    assert f"endpoint={port}" in ended.stdout
    assert f"endpoint={other}" in ended.stdout
