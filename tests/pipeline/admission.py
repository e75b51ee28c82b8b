"""The chart before a real API server of Kubernetes, which takes long to build: a long form.

Objects of the operators' own kinds are not among them: the definitions of these are in no Go
module. `test_kubernetes` decodes them into the operators' own types instead.
"""

from __future__ import annotations

import copy
import http
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.pipeline.test_kubernetes import OF_OTHERS, VALUES, Objects, chart, rendered
from tests.servers.kubernetes import ApiServer, Etcd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["chart"]  # a fixture

pytestmark = pytest.mark.servers("kubernetes", "helm")

_STANDARDS: Final = "pod-security.kubernetes.io"
RESTRICTED: Final = {f"{_STANDARDS}/enforce": "restricted", f"{_STANDARDS}/warn": "restricted"}
NAMESPACES: Final = {"telemetry": RESTRICTED, "monitoring": {}, "grafana": {}}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server with the namespaces that the chart is told of."""
    folder = tmp_path_factory.mktemp("cluster")
    with Etcd(folder / "etcd") as etcd, ApiServer(folder / "apiserver", etcd) as server:
        for name, labels in NAMESPACES.items():
            server.make_namespace(name, labels)
        yield server


def own(chart: Path, *values: str) -> list[dict[str, Any]]:
    """The rendered objects of Kubernetes' own kinds, each in a namespace, as Helm applies them."""
    found = [one for one in rendered(chart, *values).values() if one["apiVersion"] not in OF_OTHERS]
    for one in found:
        one["metadata"].setdefault("namespace", "telemetry")
    return found


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_api_server_takes_every_object(
    cluster: ApiServer, chart: Path, values: tuple[str, ...]
) -> None:
    """Without a word: a warning tells of what is deprecated, or too free for the namespace."""
    objects = own(chart, *values)
    assert {one["kind"] for one in objects} >= {"StatefulSet", "Service", "ConfigMap"}
    for one in objects:
        verdict = cluster.dry_run(one)
        assert verdict.status in {http.HTTPStatus.OK, http.HTTPStatus.CREATED}, verdict
        assert verdict.warnings == [], one["metadata"]["name"]
        assert verdict.answer["kind"] == one["kind"]


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_restricted_namespace_takes_the_pods(
    cluster: ApiServer, chart: Path, values: tuple[str, ...]
) -> None:
    """As what makes pods of templates would ask: only pods themselves are ever refused."""
    for one in workloads(rendered(chart, *values)):
        verdict = cluster.dry_run(pod(one))
        assert verdict.status == http.HTTPStatus.CREATED, verdict
        assert verdict.warnings == []


def workloads(objects: Objects) -> list[dict[str, Any]]:
    """What pods are made of."""
    return [one for (kind, _), one in objects.items() if kind in {"DaemonSet", "StatefulSet"}]


def pod(workload: dict[str, Any]) -> dict[str, Any]:
    """A pod of a workload, as its controller makes it: with a claim for each that it describes."""
    template, name = workload["spec"]["template"], workload["metadata"]["name"]
    claims = [one["metadata"]["name"] for one in workload["spec"].get("volumeClaimTemplates", ())]
    volumes = [
        {"name": claim, "persistentVolumeClaim": {"claimName": f"{claim}-{name}-0"}}
        for claim in claims
    ]
    spec = {**template["spec"], "volumes": [*template["spec"].get("volumes", ()), *volumes]}
    meta = {**template["metadata"], "name": f"{name}-0", "namespace": "telemetry"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def test_restricted_namespace_refuses_a_pod_that_may_more(cluster: ApiServer, chart: Path) -> None:
    """Or the test above would say nothing."""
    free = copy.deepcopy(pod(workloads(rendered(chart))[0]))
    free["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
    verdict = cluster.dry_run(free)
    assert verdict.status == http.HTTPStatus.FORBIDDEN
    assert "allowPrivilegeEscalation" in verdict.answer["message"]


@pytest.mark.parametrize(
    ("kind", "path", "field"),
    [
        ("StatefulSet", ("spec", "template", "spec", "containers", 0), "imagePullPolice"),
        ("DaemonSet", ("spec", "updateStrategy"), "rollingUpdates"),
        ("NetworkPolicy", ("spec",), "podSelectors"),
        ("Service", ("spec",), "clusterIp"),
    ],
)
def test_api_server_refuses_what_is_misspelt(
    cluster: ApiServer, chart: Path, kind: str, path: tuple[Any, ...], field: str
) -> None:
    """A field that it does not know, in any kind of object."""
    wrong = next(one for one in own(chart) if one["kind"] == kind)
    place: Any = wrong
    for step in path:
        place = place[step] if isinstance(place, list) else place.setdefault(step, {})
    place[field] = "x"
    verdict = cluster.dry_run(wrong)
    assert verdict.status >= http.HTTPStatus.BAD_REQUEST
    assert field in verdict.answer["message"]
