"""The Collector, run from collector-config/, alone or with its backends as a pipeline."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Self, TypeVar

from tests.servers.backends import (
    RULES,
    Alertmanager,
    Jaeger,
    Prometheus,
    VictoriaLogs,
    in_fast_profile,
)
from tests.servers.build import REPOSITORY
from tests.servers.page import Page
from tests.servers.process import Ports, Server

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

S = TypeVar("S", bound=Server)

CONFIG = REPOSITORY / "collector-config"

QUICK = {
    # The disk is shared with all other tests, and no test crashes the machine.
    "OTELCOL_FSYNC": "false",
    "OTELCOL_SAMPLING_WAIT": "3s",
    "OTELCOL_SPAN_METRICS_INTERVAL": "1s",
    "OTELCOL_BATCH_TIMEOUT": "200ms",
    "OTELCOL_RETRY_MAX_INTERVAL": "1s",
    "OTELCOL_SELF_INTERVAL_MS": "1000",
    "OTELCOL_SLOW_TRACE_MS": "2000",
}
"""Shorter waits for tests; the files stay as they are."""


class Collector(Server):
    """One Collector."""

    name = "otelcol"

    def __init__(
        self,
        folder: Path,
        *,
        configs: Sequence[Path] = (CONFIG / "common.yaml", CONFIG / "gateway.yaml"),
        environment: Mapping[str, str] | None = None,
        program: str = "otelcol",
        ports: Ports | None = None,
    ) -> None:
        """Prepare, do not start.

        Args:
            folder: where log and queues go.
            configs: merged in this order.
            program: "otelcol-scale" is the distribution with load_balancing and Kafka.
            environment: OTELCOL_* variables: endpoints, waits (`QUICK` by default), TLS folder.
            ports: "otlp_grpc", "otlp_http", "otlp_self", "collector_health".
        """
        ports = ports or Ports()
        grpc, http = ports["otlp_grpc"], ports["otlp_http"]
        own, health = ports["otlp_self"], ports["collector_health"]
        self.otlp_grpc = f"http://{grpc}"
        self.otlp_http = f"http://{http}"
        super().__init__(
            program,
            [part for path in configs for part in ("--config", path)],
            url=self.otlp_http,
            health=f"http://{health}/",
            folder=folder,
            storage=folder / "queues",
            environment={
                "OTELCOL_OTLP_GRPC": str(grpc),
                "OTELCOL_OTLP_HTTP": str(http),
                "OTELCOL_SELF": str(own),
                "OTELCOL_HEALTH": str(health),
                "OTELCOL_STORAGE": str(folder / "queues"),
                **(QUICK if environment is None else environment),
            },
            ports=ports,
        )


class Pipeline:
    """The whole stack but Grafana, wired as compose.yaml wires it, on the system's ports."""

    def __init__(
        self,
        folder: Path,
        environment: Mapping[str, str] = QUICK,
        *,
        ports: Mapping[str, int] | None = None,
        on_demand: bool = False,
        fast: bool = False,
        page: bool = False,
    ) -> None:
        """Prepare, do not start.

        Args:
            folder: where configuration, logs and storage go.
            environment: the Collector's.
            ports: see the servers; by default every port is one from the system.
            fast: rules are evaluated as in `qudag-otel stack export --fast`.
            on_demand: start a server when it is first asked for, instead of all by `start`.
            page: with the dashboards' page where compose has Grafana.
        """
        reserved = Ports(ports)
        self._waiting: list[Server] = []
        self._alertmanager = Alertmanager(folder / "alertmanager", ports=reserved)
        self._logs = VictoriaLogs(folder / "victorialogs", ports=reserved)
        url = f"http://{reserved['prometheus']}"
        rules, overrides = in_fast_profile(folder / "rules") if fast else (RULES, None)
        self._jaeger = Jaeger(folder / "jaeger", prometheus=url, ports=reserved)
        self._prometheus = Prometheus(
            folder / "prometheus",
            ports=reserved,
            rules=rules,
            overrides=overrides,
            targets={
                "alertmanagers": [{"targets": [self._alertmanager.target]}],
                "stack": [
                    {"targets": [target], "labels": {"service_name": name}}
                    for name, target in {
                        "prometheus": url.removeprefix("http://"),
                        "alertmanager": self._alertmanager.target,
                        "jaeger": self._jaeger.metrics_target,
                        "victorialogs": self._logs.url.removeprefix("http://"),
                    }.items()
                ],
            },
        )
        self._collector = Collector(
            folder / "collector",
            environment={
                "OTELCOL_TRACES_ENDPOINT": self._jaeger.otlp_http,
                "OTELCOL_METRICS_ENDPOINT": f"{self._prometheus.url}/api/v1/otlp",
                "OTELCOL_LOGS_ENDPOINT": self._logs.otlp_http,
                **environment,
            },
            ports=reserved,
        )
        self._page = [Page(folder / "page", prometheus=url, ports=reserved)] if page else []
        self._waiting = self.servers if on_demand else []

    @property
    def prometheus(self) -> Prometheus:
        return self._ready(self._prometheus)

    @property
    def jaeger(self) -> Jaeger:
        return self._ready(self._jaeger)

    @property
    def logs(self) -> VictoriaLogs:
        return self._ready(self._logs)

    @property
    def alertmanager(self) -> Alertmanager:
        return self._ready(self._alertmanager)

    @property
    def collector(self) -> Collector:
        return self._ready(self._collector)

    @property
    def otlp_grpc(self) -> str:
        """Where applications send over gRPC."""
        return self.collector.otlp_grpc

    @property
    def otlp_http(self) -> str:
        """Where applications send over HTTP."""
        return self.collector.otlp_http

    @property
    def servers(self) -> list[Server]:
        """All, the Collector last."""
        backends = [self._prometheus, self._jaeger, self._logs, self._alertmanager]
        return [*backends, *self._page, self._collector]

    def _ready(self, server: S) -> S:
        if server in self._waiting:
            server.start()
            self._waiting.remove(server)
        return server

    def __enter__(self) -> Self:
        try:
            return self if self._waiting else self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, *, outlive: bool = False) -> Self:
        """Start all, then wait for each; `outlive` lets them run on when this process ends."""
        for server in self.servers:
            server.start(wait=False, outlive=outlive)
        for server in self.servers:
            server.wait_ready()
        return self

    def stop(self) -> None:
        """Stop all, the Collector first, so that it can hand over what it holds."""
        for server in reversed(self.servers):
            server.stop()

    def restart(self) -> None:
        """Stop and start all."""
        self.stop()
        self.start()

    def close(self) -> None:
        """Stop all for good."""
        with contextlib.ExitStack() as stack:
            for server in self.servers:
                stack.callback(server.close)
