"""Every configuration file is accepted by the server that reads it."""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.servers.backends import BACKENDS, ROUTING, RULES
from tests.servers.build import REPOSITORY, binary
from tests.servers.collectors import CONFIG, QUICK, Collector

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

ROLES = {
    "agent": ("common", "agent"),
    "agent with TLS": ("common", "agent", "agent-tls"),
    "gateway": ("common", "gateway"),
    "gateway with TLS": ("common", "gateway", "gateway-tls"),
}
FURTHER = ("agent-debug", "gateway-debug", "gateway-delta", "browser")


def _run(
    *command: str | Path, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _validated(
    configs: Sequence[Path], environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    options = [part for path in configs for part in ("--config", path)]
    return _run(binary("otelcol"), "validate", *options, environment=environment)


def _merged(role: str) -> dict[str, Any]:
    """The components and pipelines of a role's files, together."""
    merged: dict[str, Any] = {}
    for name in ROLES[role]:
        for section, content in yaml.safe_load((CONFIG / f"{name}.yaml").read_text()).items():
            merged.setdefault(section, {}).update(content)
    return merged


@pytest.mark.servers("collector")
@pytest.mark.parametrize(
    "waits",
    [{}, {**QUICK, "OTELCOL_LOGS_HEADERS": "{X-Scope-OrgID: tenant}"}],
    ids=["defaults", "variables set"],
)
@pytest.mark.parametrize("role", ROLES)
def test_collector_files_of_each_role_are_valid(
    role: str, waits: Mapping[str, str], tmp_path: Path
) -> None:
    """`otelcol validate` accepts them, with the defaults and with the variables set."""
    configs = [CONFIG / f"{name}.yaml" for name in ROLES[role]]
    done = _validated(configs, {"OTELCOL_STORAGE": str(tmp_path), **waits})
    assert done.returncode == 0, done.stderr
    assert "deprecated" not in done.stderr


@pytest.mark.servers("collector")
@pytest.mark.parametrize("further", FURTHER)
def test_further_files_are_valid(further: str, tmp_path: Path) -> None:
    """After those of their role; the ones that need the larger distribution run in test_scale."""
    role = further.partition("-")[0] if "-" in further else "agent"
    configs = [CONFIG / f"{name}.yaml" for name in ("common", role, further)]
    done = _validated(configs, {"OTELCOL_STORAGE": str(tmp_path)})
    assert done.returncode == 0, done.stderr


@pytest.mark.servers("collector")
def test_collector_file_with_a_mistake_is_not_valid(tmp_path: Path) -> None:
    """The check above can fail: a processor that does not exist is refused."""
    broken = tmp_path / "broken.yaml"
    broken.write_text("processors: {memory_limitre: {}}\n")
    configs = [CONFIG / "common.yaml", CONFIG / "gateway.yaml", broken]
    done = _validated(configs, {"OTELCOL_STORAGE": str(tmp_path)})
    assert done.returncode != 0
    assert "memory_limitre" in done.stderr


@pytest.mark.parametrize("role", ROLES)
def test_collector_files_of_each_role_define_what_they_use(role: str) -> None:
    """No component is left over, and memory is guarded before anything else happens."""
    config = _merged(role)
    pipelines = config["service"]["pipelines"]
    for kind in ("receivers", "processors", "exporters"):
        defined = {*config.get(kind, {}), *config.get("connectors", {})}
        used = {name for one in pipelines.values() for name in one.get(kind, [])}
        assert used <= defined
        assert set(config.get(kind, {})) == used & set(config.get(kind, {})), kind
    assert set(config["extensions"]) == set(config["service"]["extensions"])
    for name, one in pipelines.items():
        if "otlp" in one["receivers"]:
            assert one["processors"][0] == "memory_limiter", name


def test_builder_manifest_lists_exactly_the_components_in_use() -> None:
    """The distribution is lean, and whole."""
    used: set[str] = set()
    further = [yaml.safe_load((CONFIG / f"{name}.yaml").read_text()) for name in FURTHER]
    for config in [*map(_merged, ROLES), *further]:
        used |= {f"{kind} {_plain(name)}" for kind in KINDS for name in config.get(f"{kind}s", {})}
    manifest = yaml.safe_load((CONFIG / "builder.yaml").read_text())
    listed = set()
    for kind in KINDS:
        for one in manifest[f"{kind}s"]:
            module = one["gomod"].partition(" ")[0].rpartition("/")[2]
            listed.add(f"{kind} {module.removesuffix(kind)}")
    # debug is also the sink of the benchmark.
    assert listed == used


KINDS = ("receiver", "processor", "exporter", "connector", "extension")


def _plain(name: str) -> str:
    """`otlp_http/logs` and `otlphttp` are one component."""
    return name.partition("/")[0].replace("_", "")


@pytest.mark.servers("collector")
@pytest.mark.parametrize(
    ("state", "expected"), [("healthy", 0), ("stopped", 1)], ids=["healthy", "stopped"]
)
def test_health_check_of_the_container_tells_the_collectors_health(
    collector_server: Callable[..., Collector], tmp_path: Path, state: str, expected: int
) -> None:
    """healthcheck.yaml is valid exactly while the Collector answers on its health port."""
    collector = collector_server()
    if state == "stopped":
        collector.stop()
    done = _validated(
        [CONFIG / "healthcheck.yaml"],
        {"OTELCOL_HEALTH": collector.health.removeprefix("http://").removesuffix("/")},
    )
    assert done.returncode == expected, done.stderr


@pytest.mark.servers("prometheus")
def test_prometheus_file_is_valid(tmp_path: Path) -> None:
    """`promtool check config` accepts it with the rules and targets beside it."""
    for name in ("prometheus.yaml", "targets"):
        (tmp_path / name).symlink_to(BACKENDS / name)
    (tmp_path / "rules").symlink_to(RULES)
    done = _run(binary("promtool"), "check", "config", tmp_path / "prometheus.yaml")
    assert done.returncode == 0, done.stderr


@pytest.mark.servers("alertmanager")
def test_alertmanager_file_is_valid() -> None:
    """`amtool check-config` accepts it."""
    done = _run(binary("amtool"), "check-config", ROUTING)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.servers("jaeger")
def test_jaeger_file_is_valid(tmp_path: Path) -> None:
    """`jaeger validate` accepts it with its defaults."""
    done = _run(binary("jaeger"), "validate", "--config", BACKENDS / "jaeger.yaml")
    assert done.returncode == 0, done.stderr


def test_prometheus_takes_late_samples_for_longer_than_the_collector_retries() -> None:
    """What a queue delivers late is still accepted."""
    window = yaml.safe_load((BACKENDS / "prometheus.yaml").read_text())["storage"]["tsdb"]
    gateway = yaml.safe_load((CONFIG / "gateway.yaml").read_text())
    retry = gateway["exporters"]["otlp_http/metrics"]["retry_on_failure"]
    assert _seconds(window["out_of_order_time_window"]) > _seconds(retry["max_elapsed_time"])


def _seconds(duration: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([smh])", duration).groups()  # type: ignore[union-attr]
    return int(number) * {"s": 1, "m": 60, "h": 3600}[unit]


def test_every_variable_of_the_configuration_is_described() -> None:
    """docs/operating.md names each variable that a file reads."""
    text = (REPOSITORY / "docs" / "operating.md").read_text()
    files = [*CONFIG.glob("*.yaml"), *BACKENDS.glob("*.yaml"), REPOSITORY / "compose.yaml"]
    variables = {
        name
        for path in files
        for name in re.findall(r"\$\{(?:env:)?([A-Z][A-Z0-9_]+)(?::-|\})", path.read_text())
    }
    assert "OTELCOL_TRACES_ENDPOINT" in variables
    assert set(QUICK) <= variables  # what tests set has an effect
    assert {name for name in variables if f"`{name}`" not in text} == set()
