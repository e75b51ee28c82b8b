"""Prometheus, Jaeger, VictoriaLogs and Alertmanager, run from the project's own configuration."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from qudag_otel.stack._fast import fast
from tests.servers.api import get, get_lines
from tests.servers.build import REPOSITORY, binary
from tests.servers.process import Ports, Server

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

COMPOSE = REPOSITORY / "compose.yaml"
BACKENDS = REPOSITORY / "collector-config" / "backends"
RULES = REPOSITORY / "alerts" / "rules"
ROUTING = REPOSITORY / "alerts" / "alertmanager.yaml"


QUICK_PROMETHEUS: Mapping[str, Any] = {
    "global": {
        "scrape_interval": "1s",
        "scrape_timeout": "1s",
        "evaluation_interval": "1s",
        "rule_query_offset": "0s",
    }
}
"""Overrides for tests that wait for a rule: evaluated every second, without looking back."""


def in_fast_profile(folder: Path) -> tuple[Path, Mapping[str, Any]]:
    """What a Prometheus takes as its rules and overrides: a minute's waits become seconds.

    Args:
        folder: where the rules go.
    """
    settings = BACKENDS / "prometheus.yaml"
    files = {
        str(path.relative_to(REPOSITORY)): path.read_bytes()
        for path in (settings, *RULES.glob("*.yaml"))
    }
    made = fast(files)
    folder.mkdir(parents=True)
    for path in RULES.glob("*.yaml"):
        (folder / path.name).write_bytes(made[str(path.relative_to(REPOSITORY))])
    overrides = yaml.safe_load(made[str(settings.relative_to(REPOSITORY))])
    return folder, {"global": overrides["global"]}


class Sample(NamedTuple):
    """One series of a query's answer: its labels and its value."""

    labels: dict[str, str]
    value: float


class Prometheus(Server):
    """Prometheus on collector-config/backends/prometheus.yaml."""

    name = "prometheus"

    def __init__(
        self,
        folder: Path,
        *,
        rules: Path = RULES,
        targets: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
        overrides: Mapping[str, Any] | None = None,
        arguments: Sequence[str] = (),
        ports: Ports | None = None,
    ) -> None:
        """Prepare, do not start.

        Args:
            folder: where configuration, log and storage go.
            rules: folder with the rule files.
            targets: contents of targets/<name>.yaml: "alertmanagers", "applications", "stack".
            overrides: merged into the configuration, mapping by mapping; without it the file is
                used as it is.
            arguments: further flags.
            ports: "prometheus"; by default every port is one from the system.
        """
        ports = ports or Ports()
        port = ports["prometheus"]
        config = _linked(folder / "etc", "prometheus.yaml", overrides)
        _link(config.parent / "rules", rules)
        (config.parent / "targets").mkdir(exist_ok=True)
        self._targets = config.parent / "targets"
        for name in ("alertmanagers", "applications", "stack"):
            self.set_targets(name, (targets or {}).get(name, ()))
        super().__init__(
            "prometheus",
            [
                f"--config.file={config}",
                f"--storage.tsdb.path={folder / 'data'}",
                f"--web.listen-address={port}",
                "--web.enable-otlp-receiver",
                "--enable-feature=exemplar-storage,created-timestamp-zero-ingestion",
                *arguments,
            ],
            url=f"http://{port}",
            health=f"http://{port}/-/ready",
            folder=folder,
            storage=folder / "data",
            ports=ports,
        )

    def set_targets(self, name: str, groups: Sequence[Mapping[str, Any]]) -> None:
        """Replace targets/<name>.yaml; Prometheus notices by itself."""
        path = self._targets / f"{name}.yaml"
        new = path.with_suffix(".new")
        new.write_text(yaml.safe_dump([dict(group) for group in groups]))
        new.rename(path)

    def query(self, promql: str, time: float | None = None) -> list[Sample]:
        """An instant query; a scalar comes back as one sample without labels."""
        at = {} if time is None else {"time": time}
        data = get(f"{self.url}/api/v1/query", query=promql, **at)["data"]
        if data["resultType"] == "scalar":
            return [Sample({}, float(data["result"][1]))]
        return [Sample(one["metric"], float(one["value"][1])) for one in data["result"]]

    def samples(self, selector: str) -> list[list[float]]:
        """The stored values behind `series[range]`, oldest first, a list for every series."""
        data = get(f"{self.url}/api/v1/query", query=selector)["data"]
        return [[float(value) for _, value in one["values"]] for one in data["result"]]

    def query_range(
        self, promql: str, start: float, end: float, step: float
    ) -> list[tuple[dict[str, str], list[tuple[float, float]]]]:
        """A range query: each series' labels and its (time, value) pairs; times in seconds."""
        url = f"{self.url}/api/v1/query_range"
        data = get(url, query=promql, start=start, end=end, step=step)["data"]
        return [
            (one["metric"], [(float(at), float(value)) for at, value in one["values"]])
            for one in data["result"]
        ]

    def push(
        self,
        name: str,
        labels: Mapping[str, str],
        points: Iterable[tuple[float, float]],
        *,
        service: str = "pushed",
    ) -> None:
        """Store samples as they are, over OTLP, also in the past (as far as the file allows: 2 h).

        Args:
            name: the Prometheus name, with its suffix; no translation happens to it.
            labels: the labels; job and service_name become `service`.
            points: (Unix time in seconds, value), oldest first.
            service: the service that it is said to come from.
        """
        gauge = [
            {
                "timeUnixNano": str(int(at * 1e9)),
                "asDouble": value,
                "attributes": _otlp_attributes(labels),
            }
            for at, value in points
        ]
        body = {
            "resourceMetrics": [
                {
                    "resource": {"attributes": _otlp_attributes({"service.name": service})},
                    "scopeMetrics": [{"metrics": [{"name": name, "gauge": {"dataPoints": gauge}}]}],
                }
            ]
        }
        request = urllib.request.Request(
            f"{self.url}/api/v1/otlp/v1/metrics",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=30).close()

    def backfill(self, openmetrics: str) -> None:
        """Store older history, any number of days; before the start only.

        Args:
            openmetrics: OpenMetrics text with time stamps in seconds; "# EOF" is added.

        Raises:
            subprocess.CalledProcessError: promtool refused it; its output is on stderr.
        """
        text = self._directory / "backfill.txt"
        text.write_text(openmetrics.removesuffix("# EOF\n") + "# EOF\n")
        subprocess.run(
            [binary("promtool"), "tsdb", "create-blocks-from", "openmetrics", text, self.storage],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        text.unlink()

    def reload(self) -> None:
        """Have it read configuration and rules again (by signal: no lifecycle API is enabled)."""
        if self._process:
            os.kill(self._process.pid, signal.SIGHUP)

    def exemplars(self, promql: str) -> list[dict[str, Any]]:
        """Exemplars of the last hour of every series that the expression selects."""
        end = time.time() + 60
        url = f"{self.url}/api/v1/query_exemplars"
        data = get(url, query=promql, start=end - 3660, end=end)["data"]
        return [exemplar for series in data for exemplar in series["exemplars"]]


class Jaeger(Server):
    """Jaeger 2 on collector-config/backends/jaeger.yaml."""

    name = "jaeger"

    def __init__(self, folder: Path, *, prometheus: str = "", ports: Ports | None = None) -> None:
        """Prepare, do not start.

        Args:
            folder: where log and storage go.
            prometheus: the URL that service performance is read from.
            ports: "jaeger", "jaeger_grpc", "jaeger_health", "jaeger_metrics", "jaeger_otlp".
        """
        ports = ports or Ports()
        query, grpc, health = ports["jaeger"], ports["jaeger_grpc"], ports["jaeger_health"]
        metrics, otlp = ports["jaeger_metrics"], ports["jaeger_otlp"]
        self.otlp_http = f"http://{otlp}"
        self.metrics_target = str(metrics)
        super().__init__(
            "jaeger",
            ["--config", BACKENDS / "jaeger.yaml"],
            url=f"http://{query}",
            health=f"http://{health}/status",
            folder=folder,
            storage=folder / "data",
            environment={
                "JAEGER_QUERY_HTTP": str(query),
                "JAEGER_QUERY_GRPC": str(grpc),
                "JAEGER_OTLP_HTTP": str(otlp),
                "JAEGER_HEALTH": str(health),
                "JAEGER_METRICS_PORT": str(metrics.number),
                "JAEGER_STORAGE": str(folder / "data"),
                **({"JAEGER_PROMETHEUS": prometheus} if prometheus else {}),
            },
            ports=ports,
        )

    def trace(self, trace_id: str) -> dict[str, Any]:
        """One trace by its id, as Jaeger's UI gets it; ApiError while it is not there."""
        trace: dict[str, Any] = get(f"{self.url}/api/traces/{trace_id}")["data"][0]
        return trace

    def traces(self, service: str, *, limit: int = 1000, **search: str) -> list[dict[str, Any]]:
        """Traces of the last hour that a service took part in; `search` as operation, tags."""
        end = int((time.time() + 60) * 1e6)
        url = f"{self.url}/api/traces"
        found: list[dict[str, Any]] = get(
            url, service=service, limit=limit, start=end - 3_660_000_000, end=end, **search
        )["data"]
        return found


class VictoriaLogs(Server):
    """VictoriaLogs with the flags of compose.yaml: it has no configuration file."""

    name = "victorialogs"

    def __init__(self, folder: Path, *, ports: Ports | None = None) -> None:
        """Prepare, do not start; `ports` is "victorialogs"."""
        ports = ports or Ports()
        port = ports["victorialogs"]
        self.otlp_http = f"http://{port}/insert/opentelemetry"
        super().__init__(
            "victoria-logs",
            [
                f"-httpListenAddr={port}",
                f"-storageDataPath={folder / 'data'}",
                *_flags("victorialogs", but=("-httpListenAddr", "-storageDataPath")),
            ],
            url=f"http://{port}",
            health=f"http://{port}/health",
            folder=folder,
            storage=folder / "data",
            ports=ports,
        )

    def query(self, logsql: str, **parameters: str | float) -> list[dict[str, str]]:
        """Lines or rows of statistics, each as fields and their values."""
        return get_lines(f"{self.url}/select/logsql/query", query=logsql, **parameters)

    def messages(self, logsql: str) -> list[str]:
        """What the lines say."""
        return [line["_msg"] for line in self.query(logsql)]


class VictoriaMetrics(Server):
    """VictoriaMetrics with the flags of docs/operating.md."""

    name = "victoriametrics"

    def __init__(self, folder: Path) -> None:
        """Prepare, do not start."""
        ports = Ports()
        port = ports["victoriametrics"]
        self.otlp_http = f"http://{port}/opentelemetry"
        text = (REPOSITORY / "docs" / "operating.md").read_text()
        super().__init__(
            "victoria-metrics",
            [
                f"-httpListenAddr={port}",
                f"-storageDataPath={folder / 'data'}",
                "-search.maxLookback=5m",  # as Prometheus; else it guesses from the samples
                "-search.latencyOffset=0s",  # what is copied is whole, up to the present
                *re.findall(r"^-opentelemetry\.\S+", text, re.MULTILINE),
            ],
            url=f"http://{port}",
            health=f"http://{port}/health",
            folder=folder,
            storage=folder / "data",
            ports=ports,
        )

    def copy(self, prometheus: Prometheus, window: str) -> None:
        """Take over the samples of a Prometheus, as its remote write would have sent them.

        Args:
            prometheus: where from.
            window: how far back, as a PromQL duration.
        """
        everything = f'{{__name__=~".+"}}[{window}]'
        data = get(f"{prometheus.url}/api/v1/query", query=everything)["data"]["result"]
        lines = [
            json.dumps(
                {
                    "metric": series["metric"],
                    "values": [float(value) for _, value in series["values"]],
                    "timestamps": [int(at * 1000) for at, _ in series["values"]],
                }
            )
            for series in data
        ]
        body = "\n".join(line for line in lines if "NaN" not in line and "Infinity" not in line)
        request = urllib.request.Request(f"{self.url}/api/v1/import", body.encode())
        urllib.request.urlopen(request, timeout=30).close()
        get_lines(f"{self.url}/internal/force_flush")

    def query(self, promql: str) -> list[Sample]:
        """An instant query."""
        data = get(f"{self.url}/api/v1/query", query=promql, nocache=1)["data"]
        return [Sample(one["metric"], float(one["value"][1])) for one in data["result"]]


class Alertmanager(Server):
    """Alertmanager on alerts/alertmanager.yaml."""

    name = "alertmanager"

    def __init__(self, folder: Path, *, config: Path = ROUTING, ports: Ports | None = None) -> None:
        """Prepare, do not start; `ports` is "alertmanager"."""
        ports = ports or Ports()
        port = ports["alertmanager"]
        self.target = str(port)
        super().__init__(
            "alertmanager",
            [
                f"--config.file={config}",
                f"--storage.path={folder / 'data'}",
                f"--web.listen-address={port}",
                "--cluster.listen-address=",  # one instance: no gossip port
            ],
            url=f"http://{port}",
            health=f"http://{port}/-/ready",
            folder=folder,
            storage=folder / "data",
            ports=ports,
            directory=config.parent,  # receivers are read from beside the configuration
        )

    def alerts(self) -> list[dict[str, Any]]:
        """The alerts that it holds."""
        found: list[dict[str, Any]] = get(f"{self.url}/api/v2/alerts")
        return found


def _otlp_attributes(values: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in values.items()]


def _flags(service: str, *, but: Sequence[str]) -> list[str]:
    """A container's flags with the variables of this environment, without those named."""
    command: list[str] = yaml.safe_load(COMPOSE.read_text())["services"][service]["command"]

    def value(match: re.Match[str]) -> str:
        return os.environ.get(match["name"]) or match["default"]

    return [
        re.sub(r"\$\{(?P<name>\w+):-(?P<default>[^}]*)\}", value, flag)
        for flag in command
        if flag.partition("=")[0] not in but
    ]


def _linked(folder: Path, name: str, overrides: Mapping[str, Any] | None) -> Path:
    """The configuration file under a folder of its own, since its relative paths start there."""
    folder.mkdir(parents=True, exist_ok=True)
    if overrides is None:
        return _link(folder / name, BACKENDS / name)
    merged = _merge(yaml.safe_load((BACKENDS / name).read_text()), overrides)
    (folder / name).write_text(yaml.safe_dump(merged))
    return folder / name


def _link(path: Path, target: Path) -> Path:
    path.unlink(missing_ok=True)
    path.symlink_to(target)
    return path


def _merge(base: Any, over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        both = isinstance(old, dict) and isinstance(value, dict)
        merged[key] = _merge(old, value) if both else value
    return merged
