"""Routing and inhibition, by amtool and by the real Alertmanager with a receiver of the test."""

from __future__ import annotations

import http.server
import json
import shutil
import subprocess
import threading
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.build import REPOSITORY, binary
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers.backends import Alertmanager

CONFIG = REPOSITORY / "alerts" / "alertmanager.yaml"
RECEIVERS = ("page", "ticket", "note", "deadman")
pytestmark = pytest.mark.servers("alertmanager")


class Webhooks:
    """Receivers of notifications, one path each."""

    def __init__(self) -> None:
        self.received: list[tuple[str, dict[str, Any]]] = []
        received = self.received

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                received.append((self.path.strip("/"), json.loads(body)))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None: ...

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self._thread = threading.Thread(target=self.server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()

    def alerts(self, status: str = "firing") -> set[tuple[str, str]]:
        """(receiver, alert name) of everything received with this status."""
        return {
            (receiver, alert["labels"]["alertname"])
            for receiver, message in list(self.received)
            for alert in message["alerts"]
            if alert["status"] == status
        }


@pytest.fixture
def webhooks() -> Iterator[Webhooks]:
    """Receivers on loopback."""
    started = Webhooks()
    yield started
    started.close()


def configuration(folder: Path, webhooks: Webhooks) -> Path:
    """The committed file with receivers of the test beside it, as an operator puts them there."""
    (folder / "receivers").mkdir(parents=True)
    for name in RECEIVERS:
        (folder / "receivers" / name).write_text(f"{webhooks.url}/{name}")
    text = CONFIG.read_text()
    quick = {"group_wait: 30s": "group_wait: 100ms", "group_interval: 5m": "group_interval: 1s"}
    for old, new in quick.items():
        assert old in text
        text = text.replace(old, new)
    path = folder / "alertmanager.yaml"
    path.write_text(text)
    return path


def test_configuration_is_accepted_by_amtool() -> None:
    """The committed file parses."""
    subprocess.run([binary("amtool"), "check-config", CONFIG], check=True, capture_output=True)


@pytest.mark.parametrize(
    ("labels", "receiver"),
    [
        (("alertname=MessageProcessingStalled", "severity=critical", "node_id=n"), "page"),
        (("alertname=LowCacheHitRate", "severity=warning", "node_id=n"), "ticket"),
        (("alertname=LowCompressionRatio", "severity=info", "node_id=n"), "note"),
        (("alertname=Watchdog", "severity=info"), "deadman"),
        (("alertname=Unknown",), "ticket"),
    ],
)
def test_alert_goes_to_the_receiver_of_its_severity(labels: tuple[str, ...], receiver: str) -> None:
    """Three levels apart, the dead man's switch on its own, and nothing is lost."""
    ended = subprocess.run(
        [binary("amtool"), "config", "routes", "test", f"--config.file={CONFIG}", *labels],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ended.stdout.strip() == receiver


def _post(alertmanager: Alertmanager, *alerts: dict[str, str]) -> None:
    body = json.dumps([{"labels": labels} for labels in alerts]).encode()
    request = urllib.request.Request(
        f"{alertmanager.url}/api/v2/alerts", body, {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=10).close()


def test_critical_alert_silences_its_warning_on_the_same_node_only(
    tmp_path: Path, webhooks: Webhooks, alertmanager_server: Callable[..., Alertmanager]
) -> None:
    """Other nodes, other concerns and alerts without a node are heard."""
    alertmanager = alertmanager_server(config=configuration(tmp_path / "etc", webhooks))
    cpu = {"concern": "cpu"}
    critical = {"alertname": "CriticalCPUUsage", "severity": "critical", "node_id": "a", **cpu}
    _post(alertmanager, critical)
    eventually(lambda: _is_in(("page", "CriticalCPUUsage"), webhooks.alerts()))
    _post(
        alertmanager,
        critical,
        {"alertname": "Silenced", "severity": "warning", "node_id": "a", **cpu},
        {"alertname": "OtherNode", "severity": "warning", "node_id": "b", **cpu},
        {"alertname": "OtherConcern", "severity": "warning", "node_id": "a", "concern": "memory"},
        {"alertname": "NoNode", "severity": "warning", **cpu},
    )
    heard = {("ticket", name) for name in ("OtherNode", "OtherConcern", "NoNode")}

    def all_heard() -> None:
        assert heard <= webhooks.alerts()

    eventually(all_heard)
    state = {alert["labels"]["alertname"]: alert["status"] for alert in alertmanager.alerts()}
    assert state["Silenced"]["inhibitedBy"]
    assert ("ticket", "Silenced") not in webhooks.alerts()


def _is_in(one: tuple[str, str], of: set[tuple[str, str]]) -> None:
    assert one in of


def test_receiver_files_are_read_from_beside_the_configuration(
    tmp_path: Path, webhooks: Webhooks, alertmanager_server: Callable[..., Alertmanager]
) -> None:
    """Without a receiver's file Alertmanager runs; a file that comes later is used."""
    config = configuration(tmp_path / "etc", webhooks)
    shutil.move(config.parent / "receivers" / "page", tmp_path / "page")
    alertmanager = alertmanager_server(config=config)
    alert = {"alertname": "Late", "severity": "critical", "node_id": "a", "concern": "x"}
    _post(alertmanager, alert)
    eventually(lambda: _is_in(("ticket", "Other"), _posted(alertmanager, webhooks)))
    shutil.move(tmp_path / "page", config.parent / "receivers" / "page")
    eventually(lambda: _is_in(("page", "Late"), webhooks.alerts()))


def _posted(alertmanager: Alertmanager, webhooks: Webhooks) -> set[tuple[str, str]]:
    _post(alertmanager, {"alertname": "Other", "severity": "warning", "node_id": "a"})
    return webhooks.alerts()
