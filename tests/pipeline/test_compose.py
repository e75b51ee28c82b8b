"""compose.yaml: valid for the real parser, hardened, and made of the files that the tests run."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from qudag_otel.dashboards._view import Source
from tests.servers.backends import BACKENDS, ROUTING, RULES
from tests.servers.build import RECIPES, REPOSITORY, binary
from tests.servers.collectors import CONFIG

pytestmark = pytest.mark.servers("compose")

GO = REPOSITORY / "tests" / "servers" / "go"
COMPOSE = REPOSITORY / "compose.yaml"
PUBLISHED = {
    "grafana": {3001: 3000},
    "prometheus": {9091: 9090},
    "alertmanager": {9093: 9093},
    "jaeger": {16686: 16686},
    "victorialogs": {9428: 9428},
    "collector": {4317: 4317, 4318: 4318},
}

APPLICATIONS = {"demo", "node"}


def _parsed(path: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """What compose's own parser, schema included, makes of a file."""
    return subprocess.run(
        [binary("compose"), path],
        env={"PATH": os.environ["PATH"], "HOME": str(Path.home()), **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """The parsed project, with the services of every profile."""
    done = _parsed(COMPOSE)
    assert done.returncode == 0, done.stdout + done.stderr
    project: dict[str, Any] = json.loads(done.stdout)
    return project


def _services(project: dict[str, Any]) -> dict[str, dict[str, Any]]:
    services: dict[str, dict[str, Any]] = project["services"]
    return services


def test_project_holds_the_stack_and_applications_only_by_profile(project: dict[str, Any]) -> None:
    """Six services start by themselves; the demo and a watched node only where asked for."""
    by_profile = {name for name, one in _services(project).items() if one.get("profiles") == [name]}
    assert by_profile == APPLICATIONS
    assert set(_services(project)) - by_profile == set(PUBLISHED)


@pytest.mark.parametrize(
    ("key", "value", "complaint"),
    [("prots", ["127.0.0.1:1:1"], "prots"), ("mem_limit", {"a": 1}, "mem_limit")],
)
def test_parser_refuses_a_file_that_is_wrong(
    tmp_path: Path, key: str, value: object, complaint: str
) -> None:
    """The check of the real file can fail: unknown keys and wrong values do not pass."""
    wrong = yaml.safe_load(COMPOSE.read_text())
    wrong["services"]["victorialogs"][key] = value
    path = tmp_path / "compose.yaml"
    path.write_text(yaml.safe_dump(wrong))
    done = _parsed(path)
    assert done.returncode != 0
    assert complaint in done.stdout + done.stderr


def test_ports_are_the_documented_ones_on_loopback(project: dict[str, Any]) -> None:
    """Nothing is published to other hosts."""
    published: dict[str, dict[int, int]] = {}
    for name, service in _services(project).items():
        for port in service.get("ports", []):
            assert port["host_ip"] == "127.0.0.1", name
            published.setdefault(name, {})[int(port["published"])] = port["target"]
    assert published == PUBLISHED


def test_images_are_pinned_by_exact_version(project: dict[str, Any]) -> None:
    """No image is `latest`, nor a version that moves."""
    images = {service["image"] for service in _services(project).values()}
    images |= set(re.findall(r"^FROM (\S+)", (REPOSITORY / "Dockerfile").read_text(), re.MULTILINE))
    moving = [image for image in images if not re.search(r":v?\d+\.\d+\.\d+(-[a-z-]+)?$", image)]
    assert moving == []


def test_collector_image_is_the_version_of_the_builder_manifest(project: dict[str, Any]) -> None:
    """The tests' Collector and the container's are one version."""
    manifest = yaml.safe_load((CONFIG / "builder.yaml").read_text())
    image = _services(project)["collector"]["image"]
    assert image.endswith(f"opentelemetry-collector-contrib:{manifest['dist']['version']}")


# Jaeger's module has a number of its own: 1.76.0 is the release 2.13.0.
@pytest.mark.parametrize(
    ("service", "module", "released"),
    [
        ("prometheus", "github.com/prometheus/prometheus v0.316.0", "v3.16.0"),
        ("alertmanager", "github.com/prometheus/alertmanager v0.31.1", "v0.31.1"),
        ("jaeger", "github.com/jaegertracing/jaeger v1.76.0", "2.13.0"),
        ("victorialogs", "github.com/VictoriaMetrics/VictoriaLogs v1.52.1", "v1.52.1"),
    ],
)
def test_images_are_the_releases_that_the_tests_build(
    project: dict[str, Any], service: str, module: str, released: str
) -> None:
    """What is tested is what compose ships."""
    assert _services(project)[service]["image"].rpartition(":")[2] == released
    assert module in (GO / service / "go.mod").read_text()
    said = RECIPES[service].version
    assert not said or said.endswith(released.removeprefix("v"))


def test_mounted_files_are_the_ones_that_the_tests_run(project: dict[str, Any]) -> None:
    """Every mounted file exists, read-only, and is the native servers' own configuration."""
    state = REPOSITORY / ".stack"
    mounted: dict[str, set[Path]] = {}
    for name, service in _services(project).items():
        for volume in service.get("volumes", []):
            source = Path(volume["source"])
            if volume["type"] != "bind" or source.is_relative_to(state):
                continue
            assert volume["read_only"], f"{name} could write to {source}"
            if name in APPLICATIONS:
                continue
            assert source.exists(), f"{name} mounts {source}"
            mounted.setdefault(name, set()).add(source)
    grafana = REPOSITORY / "grafana"
    assert mounted == {
        "collector": {CONFIG},
        "prometheus": {BACKENDS / "prometheus.yaml", BACKENDS / "targets", RULES},
        "alertmanager": {ROUTING, ROUTING.parent / "receivers"},
        "jaeger": {BACKENDS / "jaeger.yaml"},
        "grafana": {grafana / "provisioning", grafana / "dashboards"},
    }


def test_state_folder_holds_the_queues_and_the_password(project: dict[str, Any]) -> None:
    """What `make stack` creates is what is mounted from the state folder."""
    secrets = {name: one["file"] for name, one in project["secrets"].items()}
    assert secrets == {"grafana_admin_password": f"{REPOSITORY}/.stack/grafana_admin_password"}
    [queues] = [
        volume
        for volume in _services(project)["collector"]["volumes"]
        if volume["target"] == "/var/lib/otelcol"
    ]
    assert queues["source"] == f"{REPOSITORY}/.stack/queues"


def test_services_run_with_least_rights_and_limits(project: dict[str, Any]) -> None:
    """Not root, no capabilities, a read-only root, and a ceiling for memory, CPU and processes."""
    for name, service in _services(project).items():
        user, _, _ = service["user"].partition(":")
        assert user not in {"", "0", "root"}, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert service["read_only"] is True, name
        assert not service.get("privileged"), name
        for limit in ("mem_limit", "cpus", "pids_limit"):
            assert service[limit], f"{name} has no {limit}"


def test_services_start_by_health_of_what_they_need(project: dict[str, Any]) -> None:
    """Each server that can has a health check, and nobody waits for one that has none."""
    services = _services(project)
    for name, service in services.items():
        assert ("healthcheck" in service) == (name not in {*APPLICATIONS, "victorialogs"}), name
        for needed, condition in service.get("depends_on", {}).items():
            tells = "healthcheck" in services[needed]
            assert condition["condition"] == f"service_{'healthy' if tells else 'started'}", name
    assert set(services["collector"]["depends_on"]) == {"prometheus", "jaeger", "victorialogs"}


def test_networks_keep_the_backends_inside(project: dict[str, Any]) -> None:
    """What publishes no port has no way out."""
    assert project["networks"]["backend"]["internal"] is True
    for name, service in _services(project).items():
        assert "backend" in service["networks"], name
        assert ("edge" in service["networks"]) == (name in PUBLISHED), name


def test_grafana_has_no_default_password_and_tells_nobody(project: dict[str, Any]) -> None:
    """The password is a secret file, there is no anonymous access, and telemetry is off."""
    environment = _services(project)["grafana"]["environment"]
    assert environment["GF_SECURITY_ADMIN_PASSWORD__FILE"] == "/run/secrets/grafana_admin_password"
    assert "GF_SECURITY_ADMIN_PASSWORD" not in environment
    for name in (
        "GF_AUTH_ANONYMOUS_ENABLED",
        "GF_USERS_ALLOW_SIGN_UP",
        "GF_ANALYTICS_REPORTING_ENABLED",
        "GF_ANALYTICS_CHECK_FOR_UPDATES",
    ):
        assert environment[name] == "false", name


def test_grafana_gets_the_plugin_of_the_log_data_source_in_one_version(
    project: dict[str, Any],
) -> None:
    """The provisioned data source has its plugin; nothing else is downloaded or updated."""
    environment = _services(project)["grafana"]["environment"]
    plugin, _, version = environment["GF_PLUGINS_PREINSTALL_SYNC"].partition("@")
    assert plugin == Source.VICTORIALOGS.plugin
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert environment["GF_PLUGINS_PREINSTALL_AUTO_UPDATE"] == "false"
    offline = json.loads(_parsed(COMPOSE, QUDAG_GRAFANA_OFFLINE="true").stdout)
    assert _services(offline)["grafana"]["environment"]["GF_PLUGINS_PREINSTALL_DISABLED"] == "true"


def test_no_server_offers_its_lifecycle_or_admin_api(project: dict[str, Any]) -> None:
    """Nobody can stop Prometheus or delete its series over HTTP."""
    for name, service in _services(project).items():
        for argument in service.get("command") or []:
            assert not re.search(r"enable-(lifecycle|admin-api|remote-write)", argument), name


def test_prometheus_flags_are_those_of_the_tests(project: dict[str, Any]) -> None:
    """OTLP receiver and exemplars are on in the container, too."""
    command = _services(project)["prometheus"]["command"]
    assert {
        "--web.enable-otlp-receiver",
        "--enable-feature=exemplar-storage,created-timestamp-zero-ingestion",
    } <= set(command)


def test_container_variables_are_read_by_the_files(project: dict[str, Any]) -> None:
    """No variable of a container is misspelt: its configuration file reads it."""
    files = {
        "collector": "".join(path.read_text() for path in CONFIG.glob("*.yaml")),
        "jaeger": (BACKENDS / "jaeger.yaml").read_text(),
    }
    for name, text in files.items():
        declared = yaml.safe_load(COMPOSE.read_text())["services"][name]["environment"]
        read = set(re.findall(r"\$\{(?:env:)?([A-Z_]+)", text))
        assert set(declared) - {"GOMEMLIMIT"} <= read, name
        assert set(_services(project)[name]["environment"]) <= set(declared)


def test_variables_of_the_host_reach_the_containers() -> None:
    """Ports and endpoints are put in; what has no value in the file is handed through if set."""
    done = _parsed(
        COMPOSE,
        OTELCOL_TRACES_ENDPOINT="http://tempo:4318",
        OTELCOL_SAMPLING_PERCENTAGE="42",
        QUDAG_PROMETHEUS_PORT="19091",
    )
    services = _services(json.loads(done.stdout))
    assert services["prometheus"]["ports"][0]["published"] == "19091"
    environment = services["collector"]["environment"]
    assert environment["OTELCOL_TRACES_ENDPOINT"] == "http://tempo:4318"
    assert environment["OTELCOL_SAMPLING_PERCENTAGE"] == "42"
    assert environment.get("OTELCOL_SLOW_TRACE_MS") is None


def test_targets_of_prometheus_are_services_and_their_ports(project: dict[str, Any]) -> None:
    """Each target of the stack exists under its name in the backend network."""
    names = {*_services(project), "localhost"}
    for file in ("stack", "alertmanagers"):
        for group in yaml.safe_load((BACKENDS / "targets" / f"{file}.yaml").read_text()):
            for target in group["targets"]:
                assert target.partition(":")[0] in names


def test_data_sources_of_grafana_are_services_with_stable_uids(project: dict[str, Any]) -> None:
    """The uids that dashboards refer to, at addresses that exist."""
    path = REPOSITORY / "grafana" / "provisioning" / "datasources" / "stack.yaml"
    sources = {one["uid"]: one["url"] for one in yaml.safe_load(path.read_text())["datasources"]}
    assert set(sources) == {"prometheus", "jaeger", "victorialogs", "alertmanager"}
    for url in sources.values():
        host = url.removeprefix("http://").partition(":")[0]
        assert host in _services(project), url
