"""`qudag-otel top` over what live nodes serve, and over what serves nothing of use."""

from __future__ import annotations

import re
import signal
import socket
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from tests.cli.terminal import FIRST, OTHER, SHOWN, in_terminal
from tests.demo.programs import run, running

if TYPE_CHECKING:
    from collections.abc import Iterator

NOWHERE = "http://127.0.0.1:1/metrics"
LINE = re.compile(
    r"(?P<rate>[\d.,]+) messages/s, [\d.,]+ errors/s, queue [\d.,]+, bytes saved [\d.]+%, "
    r"pool hits [\d.]+%, cache hits [\d.]+%, agents busy [\d.]+%, memory [\d.]+%, CPU [\d.]+%, "
    r"telemetry: [\d.]+% of (?:this|a) process.*"
)


@pytest.fixture(scope="module")
def urls() -> Iterator[list[str]]:
    """The endpoints of two live nodes, each in a process of its own."""
    words = ("demo", "--headless", "--processes", "--nodes", "2", "--rate", "20")
    with running(*words) as demo:
        yield demo.metrics_urls()
        demo.end(signal.SIGTERM)


@pytest.mark.parametrize("count", [1, 2])
def test_top_without_a_terminal_writes_a_line_a_round(urls: list[str], count: int) -> None:
    """Each line has every share of the view, and from the second on there are rates."""
    ended = run("top", *urls[:count], "--rounds", "3", "--interval", "0.5")
    assert (ended.returncode, ended.stderr) == (0, "")
    lines = [LINE.fullmatch(line) for line in ended.stdout.splitlines()[1:]]
    assert len(lines) == 2, ended.stdout
    assert all(line and float(line["rate"].replace(",", "")) > 0 for line in lines), ended.stdout


def test_top_endpoint_may_be_a_port_or_a_host_with_port(urls: list[str]) -> None:
    """What is left out of a URL has its usual value."""
    port = urls[0].split(":")[2].partition("/")[0]
    for short in (port, f"127.0.0.1:{port}"):
        ended = run("top", short, "--rounds", "1")
        assert (ended.returncode, ended.stderr) == (0, "")
        assert "messages/s" in ended.stdout


def test_top_in_a_terminal_draws_both_nodes_until_ctrl_c(urls: list[str]) -> None:
    """Names and numbers of two endpoints on one screen, and Ctrl-C leaves no trace of it."""
    with in_terminal("top", *urls, "--interval", "0.3") as terminal:
        rates = r"│ node-1 +[\d.,]+ +[\d.,]+ .*│[\s\S]*│ node-2 +[\d.,]+ +[\d.,]+ .*│"
        frame = terminal.wait_for(
            lambda frame: re.search(rates, frame) and "chunk a message" in frame
        )
        assert OTHER in terminal.written
        for url in urls:
            assert f"✓ {url}" in frame
        for title in ("Messages and connections", "Latency", "Ratios and resources", "Swarms",
                      "Alert thresholds"):  # fmt: skip
            assert title in frame
        for quantile in (r"chunk a message +[\d.]+ (µs|ms|s) +[\d.]+ (µs|ms|s)",
                         r"pool hits +[\d.]+% +[█░]+ +[▁-█]+", r"cache hits +[\d.]+% +[█░]+",
                         r"caches hold +[\d.]+ \wiB"):  # fmt: skip
            assert re.search(quantile, frame), frame
        code, seconds = terminal.end()
        assert (code, seconds < 5) == (130, True)
        assert terminal.written.rindex(FIRST) > terminal.written.rindex(OTHER)
        assert SHOWN in terminal.written[terminal.written.rindex(FIRST) - 20 :]
        assert "Traceback" not in terminal.written


def test_top_in_a_terminal_leaves_the_last_view(urls: list[str]) -> None:
    """After a number of rounds the last view stays where the shell goes on."""
    with in_terminal("top", urls[0], "--rounds", "2", "--interval", "0.3") as terminal:
        assert terminal.wait() == 0
    assert f"✓ {urls[0]}" in terminal.left
    assert "Alert thresholds" in terminal.left


def test_top_in_a_terminal_names_what_is_unreachable(urls: list[str]) -> None:
    """A dead endpoint is marked in the view, and the others are shown all the same."""
    with in_terminal("top", NOWHERE, urls[1], "--interval", "0.3") as terminal:
        frame = terminal.wait_for(lambda frame: "✗" in frame and "node-2" in frame)
        assert f"✗ {NOWHERE} unreachable: Connection refused" in frame
        assert "node-1" not in frame
        assert terminal.end()[0] == 130
        assert "Traceback" not in terminal.written


def test_top_live_endpoint_beside_a_dead_one_succeeds(urls: list[str]) -> None:
    """The dead one is told in every round, the line is of those that live."""
    ended = run("top", urls[0], NOWHERE, "--rounds", "2", "--interval", "0.5")
    assert ended.returncode == 0
    assert [line[: len(NOWHERE) + 12] for line in ended.stderr.splitlines()] == [
        f"{NOWHERE} unreachable"
    ] * 2
    assert len(ended.stdout.splitlines()) == 2


PAGES = {
    "/html": (200, "text/html", b"<html><body>It works</body></html>"),
    "/binary": (200, "application/octet-stream", bytes(range(256))),
    "/missing": (404, "text/plain", b"nothing here"),
    "/broken": (500, "text/plain", b"oops"),
    "/cut": (200, "text/plain", b'up{instance="a'),
}


@contextmanager
def _served() -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            code, kind, body = PAGES[self.path]
            self.send_response(code)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_top_what_is_no_metrics_endpoint_says_so() -> None:
    """Pages of other kinds, error codes, and ports that refuse or never answer: a reason each."""
    with _served() as base, socket.create_server(("127.0.0.1", 0)) as silent:
        hanging = f"http://127.0.0.1:{silent.getsockname()[1]}/metrics"
        given = [*(base + path for path in PAGES), hanging, NOWHERE, "http://no.such.invalid/"]
        ended = run("top", *given, "--rounds", "1")
    assert (ended.returncode, ended.stdout) == (1, "")
    problems = dict(line.split(" ", 1) for line in ended.stderr.splitlines())
    assert list(problems) == given
    assert {url: problems[url].split(":")[0] for url in given} == {
        f"{base}/html": "no Prometheus text",
        f"{base}/binary": "no Prometheus text",
        f"{base}/missing": "answers 404 Not Found",
        f"{base}/broken": "answers 500 Internal Server Error",
        f"{base}/cut": "no Prometheus text",
        hanging: "unreachable",
        NOWHERE: "unreachable",
        "http://no.such.invalid/": "unreachable",
    }
