"""The Helm chart: rendered, and checked by Helm, by Kubernetes' schemas and by the servers' own."""

from __future__ import annotations

import json
import re
import subprocess
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

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


def rendered(chart: Path, *values: str, release: str = "qudag") -> Objects:
    """Every object of the chart, by kind and name."""
    words = [word for value in values for word in ("--set", value)]
    text = helm("template", release, str(chart), "--namespace", "telemetry", *words)
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


def operators_own(objects: list[dict[str, Any]]) -> subprocess.CompletedProcess[str]:
    """What the types of Prometheus' operator make of objects; fields that they lack are errors."""
    return subprocess.run(
        [binary("kinds")],
        input=yaml.safe_dump_all(objects),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.servers("kinds")
@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_prometheus_operator_takes_its_objects(chart: Path, values: tuple[str, ...]) -> None:
    """Decoded as it does, into its own Go types, with nothing left over."""
    kinds = ("PrometheusRule", "ServiceMonitor")
    found = [one for (kind, _), one in rendered(chart, *values).items() if kind in kinds]
    done = operators_own(found)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(done.stdout.split()) == [f"monitoring.coreos.com/v1/{kind}" for kind in kinds]


@pytest.mark.servers("kinds")
@pytest.mark.parametrize(
    ("kind", "name", "path", "field"),
    [
        ("PrometheusRule", "qudag-rules", ("spec", "groups", 0, "rules", 0), "exprs"),
        ("ServiceMonitor", "qudag-applications", ("spec", "endpoints", 0), "intervall"),
        ("ServiceMonitor", "qudag-applications", ("spec", "endpoints", 0), "honorLabels"),
    ],
)
def test_prometheus_operator_refuses_what_is_misspelt(
    chart: Path, kind: str, name: str, path: tuple[Any, ...], field: str
) -> None:
    """A field that it would ignore in a cluster, and a value of another type."""
    wrong = rendered(chart)[kind, name]
    place: Any = wrong
    for step in path:
        place = place[step]
    place[field] = "x"
    done = operators_own([wrong])
    assert done.returncode == 1
    assert field in done.stderr


def fits(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a selector of labels alone chooses what has these; an empty one chooses all."""
    assert selector.keys() <= {"matchLabels"}
    return set(selector.get("matchLabels", {}).items()) <= set(labels.items())


def templates(objects: Objects) -> dict[str, dict[str, Any]]:
    """The pods of all workloads with their labels, by the workload's name."""
    return {
        name: one["spec"]["template"]
        for (kind, name), one in objects.items()
        if kind in {"DaemonSet", "StatefulSet"}
    }


def opened(template: dict[str, Any]) -> dict[str, int]:
    """The ports of a pod, by name."""
    (container,) = template["spec"]["containers"]
    return {port["name"]: port["containerPort"] for port in container["ports"]}


@pytest.mark.parametrize(
    "release", ["qudag", "telemetry-of-the-northern-shops-and-all-their-nodes"]
)
def test_policies_choose_the_pods_and_open_the_ports_that_they_have(
    chart: Path, release: str
) -> None:
    """One for each tier, that names ports of its pods; agents may send where gateways listen."""
    objects = rendered(chart, release=release)
    found = templates(objects)
    policies = {
        name: one["spec"] for (kind, name), one in objects.items() if kind == "NetworkPolicy"
    }
    chosen = {
        name: [
            pod
            for pod, template in found.items()
            if fits(policy["podSelector"], template["metadata"]["labels"])
        ]
        for name, policy in policies.items()
    }
    assert chosen == {name: [name] for name in found}
    for name, policy in policies.items():
        named = {port["port"] for rule in policy["ingress"] for port in rule["ports"]}
        assert named == set(opened(found[name]))
    agent, gateway = sorted(found, key=lambda name: name.endswith("-gateway"))
    listens, labels = opened(found[gateway]), found[gateway]["metadata"]["labels"]
    (there,) = [rule for rule in policies[agent]["egress"] if "to" in rule]
    assert [fits(peer["podSelector"], labels) for peer in there["to"]] == [True]
    assert {port["port"] for port in there["ports"]} == {
        listens[name] for name in ("otlp-grpc", "otlp-http")
    }
    (here,) = [rule for rule in policies[gateway]["ingress"] if "from" in rule]
    labels = found[agent]["metadata"]["labels"]
    assert [fits(peer["podSelector"], labels) for peer in here["from"]] == [True]
    environment = {
        one["name"]: one.get("value", "") for one in found[gateway]["spec"]["containers"][0]["env"]
    }
    backends = {
        urlsplit(environment[f"OTELCOL_{signal}_ENDPOINT"]).port
        for signal in ("TRACES", "METRICS", "LOGS")
    }
    allowed = {port["port"] for rule in policies[gateway]["egress"] for port in rule["ports"]}
    assert backends <= allowed


def resolved(objects: Objects, url: str, namespace: str = "telemetry") -> dict[str, Any]:
    """The pod that a URL leads to, through a Service, from a pod of a namespace.

    Raises:
        KeyError: There is no such Service, or it has no such port.
    """
    address = urlsplit(url)
    name, _, rest = str(address.hostname).partition(".")
    service = objects["Service", name]
    assert rest in {"", f"{service['metadata']['namespace']}.svc"}
    assert rest or namespace == service["metadata"]["namespace"]
    ports = {port["port"]: port["targetPort"] for port in service["spec"]["ports"]}
    target = ports[address.port or 0]
    (template,) = [
        one
        for one in templates(objects).values()
        if service["spec"]["selector"].items() <= one["metadata"]["labels"].items()
    ]
    assert target in opened(template)
    return template


def test_endpoints_lead_through_services_to_pods_that_listen(chart: Path) -> None:
    """What the operator injects and NOTES tell leads to an agent, and an agent's to a gateway."""
    objects = rendered(chart, "instrumentation.enabled=true")
    injected = objects["Instrumentation", "qudag-sdk"]["spec"]
    agent = objects["DaemonSet", "qudag-agent"]["spec"]["template"]
    gateway = objects["StatefulSet", "qudag-gateway"]["spec"]["template"]
    assert resolved(objects, injected["exporter"]["endpoint"], namespace="shop") == agent
    environment = {one["name"]: one.get("value") for one in agent["spec"]["containers"][0]["env"]}
    assert resolved(objects, environment["OTELCOL_GATEWAY_ENDPOINT"]) == gateway
    peers = f"http://{environment['OTELCOL_GATEWAYS']}:4317"
    assert resolved(objects, peers) == gateway
    protocols = {one["name"]: one.get("value") for one in injected["env"]}
    assert protocols["OTEL_EXPORTER_OTLP_PROTOCOL"] == "http/protobuf"
    assert injected["exporter"]["endpoint"].endswith(":4318")  # which speaks that
    names = [one["name"] for one in injected["env"]]
    uses = [
        name for one in injected["env"] for name in re.findall(r"\$\((\w+)\)", one.get("value", ""))
    ]
    assert uses
    for name in uses:  # Kubernetes puts in what stands before
        assert names.index(name) < names.index("OTEL_RESOURCE_ATTRIBUTES")


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
