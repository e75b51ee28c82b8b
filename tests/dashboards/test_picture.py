"""`qudag-otel dashboards picture`: what it draws from a real Prometheus, and what it refuses."""

from __future__ import annotations

import re
import socket
import struct
import time
from typing import TYPE_CHECKING, Final

import pytest

from qudag_otel.catalogue import metrics as m
from tests.dashboards.files import DASHBOARDS
from tests.demo.programs import run
from tests.servers.backends import QUICK_PROMETHEUS
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers.backends import Prometheus

SECONDS: Final = 600
COMMENT: Final = re.compile(r"<!-- (.*?) -->")
"""An SVG holds its words as shapes, and says in comments what they are."""


def _filled(prometheus_server: Callable[..., Prometheus]) -> Prometheus:
    """A Prometheus that knows one node for ten minutes, and that its rules are evaluated."""
    prometheus = prometheus_server(overrides=QUICK_PROMETHEUS)
    now = int(time.time())
    times = range(now - SECONDS, now + 1, 15)
    node = {"node_id": "node-7"}
    counted = {
        (m.MESSAGE_THROUGHPUT, ("direction", "inbound")): 25,
        (m.CACHE_HITS, ("validation_type", "signature")): 3,
        (m.CACHE_MISSES, ("validation_type", "signature")): 7,
    }
    for (metric, label), rate in counted.items():
        points = [(at, rate * (at - now + SECONDS)) for at in times]
        prometheus.push(metric.prometheus_name, {**node, **dict([label])}, points)
    prometheus.push(
        m.CPU_USAGE.prometheus_name, {**node, "cpu_core": "average"}, [(at, 42) for at in times]
    )

    def known() -> None:
        assert prometheus.query('ALERTS{alertname="Watchdog",alertstate="firing"}')
        assert prometheus.query(m.CPU_USAGE.prometheus_name)

    eventually(known)
    return prometheus


def _picture(output: Path, prometheus: str) -> None:
    result = run(
        "dashboards", "picture", "-o", str(output), "--prometheus", prometheus, "--minutes", "8"
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout == f"{output}\n"


@pytest.mark.servers
def test_picture_shows_what_prometheus_holds(
    prometheus_server: Callable[..., Prometheus], tmp_path: Path
) -> None:
    """Every headline panel is there; values, states and what absent means are the true ones."""
    prometheus = _filled(prometheus_server)
    _picture(tmp_path / "overview.svg", prometheus.url)
    svg = (tmp_path / "overview.svg").read_text()
    words = COMMENT.findall(svg)
    overview = DASHBOARDS["qudag-overview"]
    shown = [panel for panel in overview["panels"] if panel["type"] != "row"]
    assert {panel["title"] for panel in shown} <= set(words)
    assert "node-7   last 25/s  max 25/s" in words
    assert "node-7   last 30%  max 30%" in words
    assert "node-7 CPU   last 42%  max 42%" in words
    assert {"Reporting", "Silent", "Critical", "Warning", "Info"} <= set(words)
    assert {"Validation Cache Performance", "Telemetry", "Objectives"} <= set(words)
    empty = next(one for one in shown if one["title"] == "Connection Pool Efficiency")
    said = empty["fieldConfig"]["defaults"]["noValue"]
    assert said in " ".join(words)
    assert words[words.index("Reporting") - 1] == "1"
    assert words[words.index("Silent") - 1] == "0"
    assert "from Prometheus" in " ".join(words)  # it does not pass for a picture of Grafana


@pytest.mark.servers
def test_picture_of_the_same_moment_as_png_has_the_dashboards_proportions(
    prometheus_server: Callable[..., Prometheus], tmp_path: Path
) -> None:
    """A file's ending chooses the format; the image is wide enough to be read."""
    prometheus = _filled(prometheus_server)
    _picture(tmp_path / "overview.png", prometheus.url)
    data = (tmp_path / "overview.png").read_bytes()
    assert data.startswith(b"\x89PNG")
    width, height = struct.unpack(">II", data[16:24])
    assert width > 1600
    assert 0.5 < height / width < 0.9
    assert 50_000 < len(data) < 400_000


def test_picture_without_prometheus_is_refused_in_a_sentence(tmp_path: Path) -> None:
    """A refused connection, a word that is no URL: exit code 1, one line, no file."""
    output = tmp_path / "overview.png"
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers there
        url = f"http://127.0.0.1:{reserved.getsockname()[1]}"
        for address, sentence in (
            (url, f"cannot reach {url}: Connection refused"),
            ("prometheus", "--prometheus 'prometheus' is no URL: give it as http://HOST:PORT"),
            ("http://[", "--prometheus 'http://[' is no URL: "),
        ):
            result = run("dashboards", "picture", "-o", str(output), "--prometheus", address)
            assert result.returncode == 2
            assert result.stderr.startswith(f"qudag-otel dashboards: {sentence}")
            assert len(result.stderr.splitlines()) == 1
    assert list(tmp_path.iterdir()) == []
