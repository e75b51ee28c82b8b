"""Any page of /metrics is read by Prometheus itself, in both formats."""

from __future__ import annotations

import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from qudag_otel.sdk.prometheus.exposition import CLASSIC, OPENMETRICS
from tests.sdk.wild import page
from tests.servers.api import get
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.servers.backends import Prometheus

SEEDS = range(1000, 1060)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        _, seed, form = self.path.split("/")
        openmetrics = form == "openmetrics"
        body = page(int(seed), openmetrics=openmetrics).encode()
        self.send_response(200)
        self.send_header("Content-Type", OPENMETRICS if openmetrics else CLASSIC)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - inherited name
        """Say nothing."""


@pytest.fixture
def address() -> Iterator[str]:
    """A server of wild pages."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.servers("prometheus")
def test_any_page_is_read_by_prometheus(
    prometheus_server: Callable[..., Prometheus], address: str
) -> None:
    """No scrape fails and no sample is refused, whatever was recorded."""
    job: dict[str, Any] = {
        "job_name": "wild",
        "scrape_interval": "6s",
        "scrape_timeout": "6s",
        "static_configs": [
            {"targets": [address], "labels": {"__metrics_path__": f"/{seed}/{form}"}}
            for seed in SEEDS
            for form in ("openmetrics", "classic")
        ],
        "relabel_configs": [{"source_labels": ["__metrics_path__"], "target_label": "page"}],
    }
    prometheus = prometheus_server(overrides={"scrape_configs": [job], "rule_files": []})

    def scraped() -> list[dict[str, Any]]:
        targets = get(f"{prometheus.url}/api/v1/targets", state="active")["data"]["activeTargets"]
        assert len(targets) == 2 * len(SEEDS)
        assert all(target["health"] != "unknown" for target in targets)
        return list(targets)

    targets = eventually(scraped, 90)
    assert {t["labels"]["page"]: t["lastError"] for t in targets if t["lastError"]} == {}
    refused = [
        f"prometheus_target_scrapes_{reason}_total"
        for reason in (
            "sample_duplicate_timestamp", "sample_out_of_bounds", "exceeded_sample_limit",
        )
    ]  # fmt: skip
    with urllib.request.urlopen(f"{prometheus.url}/metrics") as response:
        own = response.read().decode().splitlines()
    assert [line for line in own if line.split(" ")[0] in refused and line[-2:] != " 0"] == []
