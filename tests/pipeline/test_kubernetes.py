"""The Helm chart: rendered, and checked by Helm, by Kubernetes' schemas and by the servers' own."""

from __future__ import annotations

import json
import subprocess
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import kubernetes_validate
import pytest
import yaml

from qudag_otel.stack import _files
from tests.servers.build import REPOSITORY, binary

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.servers("helm")

VERSION: Final = "1.33.0"
VALUES: Final = {
    "as it is": (),
    "one gateway": ("gateway.replicas=1",),
    "no agents, no policies": ("agent.enabled=false", "networkPolicy.enabled=false"),
    "another operator's labels": (
        "prometheusOperator.labels.release=kube-prometheus-stack",
        "prometheusOperator.namespace=monitoring", "dashboards.namespace=grafana",
    ),
    "pinned, placed, named": (
        "image.digest=sha256:" + 64 * "0", "image.pullSecrets[0].name=registry",
        "gateway.queue.storageClass=fast", "gateway.nodeSelector.pool=telemetry",
        "cluster=eu-1", "environment=staging", "agent.env.OTELCOL_LOG_LEVEL=debug",
        "instrumentation.enabled=true",
    ),
}  # fmt: skip
OF_OTHERS: Final = ("monitoring.coreos.com/v1", "opentelemetry.io/v1alpha1")

Objects = dict[tuple[str, str], dict[str, Any]]


@pytest.fixture(scope="module")
def chart(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The chart as `qudag-otel stack export --format helm` writes it."""
    folder = tmp_path_factory.mktemp("chart")
    _files.write(folder, _files.chart())
    return folder


def helm(*words: str) -> str:
    """Run Helm and return what it printed."""
    ended = subprocess.run(
        [binary("helm"), *words, "--kube-version", VERSION],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr + ended.stdout
    return ended.stdout


def rendered(chart: Path, *values: str) -> Objects:
    """Every object of the chart, by kind and name."""
    words = [word for value in values for word in ("--set", value)]
    text = helm("template", "qudag", str(chart), "--namespace", "telemetry", *words)
    found = [one for one in yaml.safe_load_all(text) if one]
    named = {(one["kind"], one["metadata"]["name"]): one for one in found}
    assert len(named) == len(found)
    return named


def pods(objects: Objects) -> list[dict[str, Any]]:
    """The pods of all workloads."""
    return [
        one["spec"]["template"]["spec"]
        for (kind, _), one in objects.items()
        if kind in {"DaemonSet", "StatefulSet"}
    ]


def test_lint_has_nothing_to_say(chart: Path) -> None:
    """Helm's own check, with warnings as errors."""
    assert "0 chart(s) failed" in helm("lint", "--strict", str(chart))


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_every_object_is_what_kubernetes_takes(chart: Path, values: tuple[str, ...]) -> None:
    """No unknown field, no wrong type, whatever is set."""
    objects = rendered(chart, *values)
    for one in objects.values():
        if one["apiVersion"] not in OF_OTHERS:
            kubernetes_validate.validate(one, VERSION.rpartition(".")[0], strict=True)
        assert one["metadata"]["labels"]["app.kubernetes.io/instance"] == "qudag"


def test_misspelt_field_would_be_found(chart: Path) -> None:
    """The check above is one: a field that Kubernetes would ignore is refused."""
    service = rendered(chart)["Service", "qudag-gateway"]
    service["spec"]["selektor"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="selektor"):
        kubernetes_validate.validate(service, VERSION.rpartition(".")[0], strict=True)


def test_pods_keep_to_the_restricted_standard(chart: Path) -> None:
    """Source: Kubernetes, Pod Security Standards, "Restricted"."""
    found = pods(rendered(chart))
    assert len(found) == 2
    for pod in found:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"}
        assert all("hostPath" not in volume for volume in pod["volumes"])
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert context["readOnlyRootFilesystem"] is True
            assert all("hostPort" not in port for port in container["ports"])
            assert container["resources"]["requests"].keys() == {"cpu", "memory"}
            assert {"startupProbe", "livenessProbe", "readinessProbe"} <= container.keys()


def test_configuration_is_the_stacks_own(chart: Path) -> None:
    """Each file that a Collector is started with is in the ConfigMap, as the repository has it."""
    objects = rendered(chart)
    data = objects["ConfigMap", "qudag-config"]["data"]
    for pod in pods(objects):
        for argument in pod["containers"][0]["args"]:
            name = argument.removeprefix("--config=/etc/otelcol/")
            assert data[name] == (REPOSITORY / "collector-config" / name).read_text()


def test_agents_choose_a_gateway_by_trace_only_where_there_are_several(chart: Path) -> None:
    """With one, agents need no balancing; with several they know where DNS lists them."""
    balanced = "--config=/etc/otelcol/agent-balanced.yaml"

    def agent(*values: str) -> dict[str, Any]:
        found = rendered(chart, *values)["DaemonSet", "qudag-agent"]
        container: dict[str, Any] = found["spec"]["template"]["spec"]["containers"][0]
        return container

    assert balanced not in agent("gateway.replicas=1")["args"]
    assert balanced in agent()["args"]
    environment = {one["name"]: one.get("value") for one in agent()["env"]}
    assert environment["OTELCOL_GATEWAYS"] == "qudag-gateway-peers.telemetry.svc"
    peers = rendered(chart)["Service", "qudag-gateway-peers"]["spec"]
    assert peers["clusterIP"] == "None"
    stateful = rendered(chart)["StatefulSet", "qudag-gateway"]["spec"]
    assert stateful["serviceName"] == "qudag-gateway-peers"
    assert peers["selector"] == stateful["selector"]["matchLabels"]


@pytest.mark.servers("prometheus")
def test_rules_are_the_repositorys_and_promtool_reads_them(chart: Path, tmp_path: Path) -> None:
    """PrometheusRule holds every group, under the labels that the operator looks for."""
    rule = rendered(chart)["PrometheusRule", "qudag-rules"]
    assert rule["metadata"]["labels"]["release"] == "prometheus"
    expected = [
        group
        for path in sorted((REPOSITORY / "alerts" / "rules").glob("*.yaml"))
        for group in yaml.safe_load(path.read_text())["groups"]
    ]
    assert rule["spec"]["groups"] == expected
    (tmp_path / "rules.yaml").write_text(yaml.safe_dump(rule["spec"]))
    subprocess.run(
        [binary("promtool"), "check", "rules", "--lint=none", tmp_path / "rules.yaml"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip


def test_dashboards_are_where_grafanas_sidecar_looks(chart: Path) -> None:
    """A ConfigMap for each, below the limit of one, with the JSON as it is."""
    objects = rendered(chart)
    for path in (REPOSITORY / "grafana" / "dashboards").glob("*.json"):
        found = objects["ConfigMap", f"qudag-{path.stem}"]
        assert found["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert json.loads(found["data"][path.name]) == json.loads(path.read_text())
        assert len(found["data"][path.name]) < 1 << 20


def test_chart_has_the_packages_version(chart: Path) -> None:
    """A chart is of the release that its dashboards and rules are of."""
    found = yaml.safe_load((chart / "Chart.yaml").read_text())
    assert found["version"] == found["appVersion"] == version("qudag-otel")


def test_secrets_of_the_cluster_are_not_mounted(chart: Path) -> None:
    """A Collector asks the cluster nothing, so it gets no account's token."""
    assert all(pod["automountServiceAccountToken"] is False for pod in pods(rendered(chart)))


@pytest.mark.servers("collector-scale")
def test_collector_takes_the_agents_balanced_configuration(chart: Path) -> None:
    """The distribution with load_balancing reads what the chart starts agents with."""
    files = chart / "files" / "collector"
    configs = [f"--config={files / name}" for name in ("common.yaml", "agent.yaml")]
    subprocess.run(
        [binary("otelcol-scale"), "validate", *configs,
         f"--config={files / 'agent-balanced.yaml'}"],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
