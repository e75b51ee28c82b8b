"""etcd and the API server of Kubernetes, without nodes: what would it take of manifests?"""

from __future__ import annotations

import http.client
import json
import secrets
import ssl
import subprocess
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from tests.servers.process import Ports, Server, ServerError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_READY_SECONDS = 120.0


class Etcd(Server):
    """What the API server keeps its objects in."""

    name = "etcd"

    def __init__(self, folder: Path) -> None:
        """Prepare, do not start."""
        ports = Ports()
        clients, peers = (f"http://{ports[name]}" for name in ("clients", "peers"))
        super().__init__(
            "etcd",
            [f"--data-dir={folder / 'data'}", f"--listen-client-urls={clients}",
             f"--advertise-client-urls={clients}", f"--listen-peer-urls={peers}",
             f"--initial-advertise-peer-urls={peers}", f"--initial-cluster=default={peers}"],
            url=clients, health=f"{clients}/health", folder=folder, storage=folder, ports=ports,
        )  # fmt: skip


class Verdict(NamedTuple):
    """What the API server says to a request: status, its answer, and its warnings."""

    status: int
    answer: dict[str, Any]
    warnings: list[str]


class ApiServer(Server):
    """The API server; its one user may do everything."""

    name = "kube-apiserver"

    def __init__(self, folder: Path, etcd: Etcd) -> None:
        """Prepare, do not start.

        Args:
            folder: where its log, its key and its certificate go.
            etcd: what it keeps its objects in.
        """
        ports = Ports()
        folder.mkdir(parents=True, exist_ok=True)
        key = folder / "accounts.key"
        subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
        self._token = secrets.token_hex()
        (folder / "tokens.csv").write_text(f"{self._token},tests,tests,system:masters\n")
        self._address = str(ports["https"])
        super().__init__(
            "kube-apiserver",
            [f"--etcd-servers={etcd.url}", "--bind-address=127.0.0.1",
             "--advertise-address=127.0.0.1",  # or it looks for an interface that is not loopback
             f"--secure-port={ports['https'].number}", f"--cert-dir={folder / 'certificates'}",
             "--service-account-issuer=https://kubernetes.default.svc",
             f"--service-account-key-file={key}", f"--service-account-signing-key-file={key}",
             f"--token-auth-file={folder / 'tokens.csv'}", "--authorization-mode=RBAC",
             "--service-cluster-ip-range=10.0.0.0/24",
             # Without the controllers that make accounts and endpoints.
             "--disable-admission-plugins=ServiceAccount", "--endpoint-reconciler-type=none"],
            url=f"https://{self._address}", health="", folder=folder, storage=folder, ports=ports,
        )  # fmt: skip
        self._plurals: dict[tuple[str, str], str] = {}

    def wait_ready(self, timeout: float = _READY_SECONDS) -> None:
        """Return when it says that it is ready.

        Raises:
            ServerError: it does not within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                if self._ask("GET", "/readyz").status == http.HTTPStatus.OK:
                    return
            except OSError:
                pass
            if time.monotonic() > deadline:
                raise ServerError(f"{self.name} is not ready:\n{self.log_tail()}")
            time.sleep(0.1)

    def make_namespace(self, name: str, labels: Mapping[str, str]) -> None:
        """Make a namespace, to stay."""
        body = {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": name, "labels": labels},
        }
        made = self._ask("POST", "/api/v1/namespaces", body)
        assert made.status == http.HTTPStatus.CREATED, made

    def dry_run(self, item: Mapping[str, Any]) -> Verdict:
        """What would become of an object that is applied: nothing is kept.

        Unknown and repeated fields are errors, as with `kubectl apply --server-side`.
        """
        version, meta = item["apiVersion"], item["metadata"]
        base = f"/apis/{version}" if "/" in version else f"/api/{version}"
        place = f"namespaces/{meta['namespace']}/" if "namespace" in meta else ""
        options = {"dryRun": "All", "fieldManager": "tests", "fieldValidation": "Strict"}
        path = (
            f"{base}/{place}{self._plural(base, item['kind'])}/{meta['name']}?{urlencode(options)}"
        )
        return self._ask("PATCH", path, item, media="application/apply-patch+yaml")

    def _plural(self, base: str, kind: str) -> str:
        if (base, kind) not in self._plurals:
            for one in self._ask("GET", base).answer["resources"]:
                if "/" not in one["name"]:
                    self._plurals[base, one["kind"]] = one["name"]
        return self._plurals[base, kind]

    def _ask(
        self, method: str, path: str, body: Any = None, media: str = "application/json"
    ) -> Verdict:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it made its own
        link = http.client.HTTPSConnection(self._address, timeout=30, context=context)
        try:
            headers = {"Content-Type": media, "Authorization": f"Bearer {self._token}"}
            link.request(method, path, None if body is None else json.dumps(body), headers)
            answer = link.getresponse()
            text = answer.read().decode()
            found = json.loads(text) if text.startswith("{") else {}
            return Verdict(answer.status, found, answer.headers.get_all("Warning") or [])
        finally:
            link.close()
