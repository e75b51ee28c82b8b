"""Routing and inhibition, by amtool and by the real Alertmanager with a receiver of the test."""

from __future__ import annotations

import http.server
import json
import shutil
import socketserver
import subprocess
import threading
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.servers.build import REPOSITORY, binary
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.servers.backends import Alertmanager

CONFIG = REPOSITORY / "alerts" / "alertmanager.yaml"
SERVICES = REPOSITORY / "alerts" / "alertmanager-services.yaml"
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


@pytest.mark.parametrize("config", [CONFIG, SERVICES], ids=lambda path: path.stem)
def test_configuration_is_accepted_by_amtool(config: Path) -> None:
    """The committed file parses."""
    subprocess.run([binary("amtool"), "check-config", config], check=True, capture_output=True)


def test_both_configurations_route_and_inhibit_alike() -> None:
    """They differ in who receives, and in nothing else."""
    plain, services = (yaml.safe_load(path.read_text()) for path in (CONFIG, SERVICES))
    for part in ("route", "inhibit_rules"):
        assert plain[part] == services[part]


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


def _post(
    alertmanager: Alertmanager, *alerts: dict[str, str], annotations: dict[str, str] | None = None
) -> None:
    body = json.dumps([
        {"labels": labels, "annotations": annotations or {}} for labels in alerts
    ]).encode()  # fmt: skip
    request = urllib.request.Request(
        f"{alertmanager.url}/api/v2/alerts", body, {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=10).close()


FLEET = {"cluster": "eu", "deployment_environment_name": "prod", "group": "g"}
CPU = {"concern": "cpu"}
TASKS = {"concern": "tasks", "swarm_id": "s"}
POOL = {"concern": "pool", "node_id": "a"}
MOST = {"alertname": "MostNodesAbsent", "severity": "critical"}
SLOWLY = {"alertname": "ObjectiveBurnsSlowly", "severity": "warning"}
Labels = dict[str, str]
# What fires, what it holds back, and what stays loud beside it.
DISK = {"instance": "host-1", "concern": "disk"}
HELD_BACK: dict[str, tuple[Labels, tuple[Labels, ...], tuple[Labels, ...]]] = {
    "a critical alert and its warning on the same node": (
        {"alertname": "CriticalCPUUsage", "severity": "critical", "node_id": "a", **CPU},
        ({"severity": "warning", "node_id": "a", **CPU},),
        (
            {"severity": "warning", "node_id": "b", **CPU},
            {"severity": "warning", "node_id": "a", "concern": "memory"},
            {"severity": "warning", "node_id": "a", "cluster": "us", **CPU},
            {"severity": "warning", "node_id": "a", "deployment_environment_name": "dev", **CPU},
            {"severity": "warning", **CPU},
        ),
    ),
    "one type of task, and not another": (
        {"alertname": "TaskLatency", "severity": "critical", "task_type": "x", **TASKS},
        ({"severity": "warning", "task_type": "x", **TASKS},),
        ({"severity": "warning", "task_type": "y", **TASKS}, {"severity": "warning", **TASKS}),
    ),
    "one pool, and not another": (
        {"alertname": "PoolExhausted", "severity": "critical", "pool_type": "x", **POOL},
        ({"severity": "warning", "pool_type": "x", **POOL},),
        ({"severity": "warning", "pool_type": "y", **POOL},),
    ),
    "an objective that burns fast, and slowly": (
        {"alertname": "ObjectiveBurnsFast", "severity": "critical", "operation": "x", "sli": "s"},
        ({**SLOWLY, "operation": "x", "sli": "s"},),
        (
            {**SLOWLY, "operation": "y", "sli": "s"},
            {**SLOWLY, "operation": "x", "sli": "l"},
        ),
    ),
    "a full filesystem, and not another": (
        {"alertname": "HostDiskFull", "severity": "critical", "mountpoint": "/", **DISK},
        ({"severity": "warning", "mountpoint": "/", **DISK},),
        (
            {"severity": "warning", "mountpoint": "/data", **DISK},
            {"severity": "warning", "mountpoint": "/", **DISK, "instance": "host-2"},
            {"severity": "warning", "mountpoint": "/", **DISK, "concern": "inodes"},
        ),
    ),
    "most nodes of a fleet": (
        {"alertname": "MostNodesAbsent", "severity": "critical"},
        ({"alertname": "NodeAbsent", "severity": "critical", "node_id": "a"},),
        (
            {"alertname": "NodeAbsent", "severity": "critical", "node_id": "a", "cluster": "us"},
            {"alertname": "HighErrorRate", "severity": "critical", "node_id": "a"},
        ),
    ),
    "a Collector of the fleet": (
        {"alertname": "CollectorAbsent", "severity": "critical", "job": "gateway"},
        (MOST, {"alertname": "NodeAbsent", "severity": "critical", "node_id": "a"}),
        ({**MOST, "cluster": "us"},),
    ),
    "a Collector of all fleets": (
        {"alertname": "CollectorAbsent", "severity": "critical", **dict.fromkeys(FLEET, "")},
        (MOST, {**MOST, "cluster": "us"}),
        ({"alertname": "HighErrorRate", "severity": "critical", "node_id": "a"},),
    ),
}  # fmt: skip


def _labelled(alert: dict[str, str]) -> dict[str, str]:
    """An alert with the fleet's labels, unless it has others; empty ones are none."""
    labels = {"alertname": "Other", **FLEET, **alert}
    return {key: value for key, value in labels.items() if value}


@pytest.mark.parametrize("name", HELD_BACK)
def test_alert_holds_back_what_it_explains_and_nothing_else(
    name: str, tmp_path: Path, alertmanager_server: Callable[..., Alertmanager]
) -> None:
    """Other subjects, other concerns and other fleets stay loud."""
    source, quiet, loud = HELD_BACK[name]
    alertmanager = alertmanager_server(config=CONFIG)
    _post(alertmanager, *map(_labelled, (source, *quiet, *loud)))

    def judged() -> None:
        held = {
            frozenset(alert["labels"].items()): bool(alert["status"]["inhibitedBy"])
            for alert in alertmanager.alerts()
        }
        expected = {
            frozenset(_labelled(alert).items()): back
            for alerts, back in (((source,), False), (quiet, True), (loud, False))
            for alert in alerts
        }
        assert held == expected

    eventually(judged)


def test_twenty_absent_nodes_are_one_message(
    tmp_path: Path, webhooks: Webhooks, alertmanager_server: Callable[..., Alertmanager]
) -> None:
    """Alerts of one name in one fleet come together; another fleet's come apart."""
    alertmanager = alertmanager_server(config=configuration(tmp_path / "etc", webhooks))
    nodes = [{"node_id": f"n{number}"} for number in range(20)]
    absent = {"alertname": "NodeAbsent", "severity": "critical"}
    _post(
        alertmanager,
        *(_labelled(absent | node) for node in nodes),
        _labelled(absent | {"node_id": "n1", "cluster": "us"}),
    )

    def arrived() -> None:
        assert sorted(len(message["alerts"]) for _, message in webhooks.received) == [1, 20]

    eventually(arrived)


class Mail:
    """A mail server that takes one message after the other."""

    def __init__(self) -> None:
        self.received: list[str] = []
        received = self.received

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 here\r\n")
                for line in self.rfile:
                    if line.upper().startswith(b"DATA"):
                        self.wfile.write(b"354 go on\r\n")
                        lines = iter(self.rfile.readline, b".\r\n")
                        received.append(b"".join(lines).decode())
                    self.wfile.write(b"250 fine\r\n")
                    if line.upper().startswith(b"QUIT"):
                        return

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        self._thread = threading.Thread(target=self.server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self.server.shutdown()
        self._thread.join()
        self.server.server_close()


def test_pagerduty_slack_and_email_get_what_they_need_to_act(
    tmp_path: Path, webhooks: Webhooks, alertmanager_server: Callable[..., Alertmanager]
) -> None:
    """Each receiver of alertmanager-services.yaml, with its secret from a file, at a fake of it."""
    mail = Mail()
    try:
        settings = yaml.safe_load(SERVICES.read_text())
        settings["global"] |= {
            "pagerduty_url": f"{webhooks.url}/pagerduty",
            "smtp_smarthost": mail.address,
            "smtp_require_tls": False,
        }
        # The fake knows no passwords.
        del settings["global"]["smtp_auth_username"], settings["global"]["smtp_auth_password_file"]
        settings["route"]["group_wait"] = "100ms"
        (tmp_path / "receivers").mkdir()
        secrets = {"slack": f"{webhooks.url}/slack", "pagerduty": "the-key"}
        for name, secret in secrets.items():
            (tmp_path / "receivers" / name).write_text(secret)
        (tmp_path / "alertmanager.yaml").write_text(yaml.safe_dump(settings))
        alertmanager = alertmanager_server(config=tmp_path / "alertmanager.yaml")
        texts = {
            key: f"the {key}"
            for key in ("summary", "description", "runbook_url", "dashboard_url", "explain")
        }
        _post(
            alertmanager,
            *({"alertname": each, "severity": each} for each in ("critical", "warning", "info")),
            annotations=texts,
        )

        def seen() -> None:
            told = {path: json.dumps(message) for path, message in webhooks.received}
            assert set(told) == {"pagerduty", "slack"}
            told["email"] = "".join(mail.received)
            for text in told.values():
                assert all(each in text for each in texts.values()), text
            assert '"routing_key": "the-key"' in told["pagerduty"]

        eventually(seen)
    finally:
        mail.close()


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
