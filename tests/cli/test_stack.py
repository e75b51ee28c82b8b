"""`qudag-otel stack`: what is written is whole, and what is wrong with it is told."""

from __future__ import annotations

import fnmatch
import json
import re
from typing import TYPE_CHECKING

import pytest
import yaml

from qudag_otel._query.promql import seconds
from qudag_otel.cli import main
from qudag_otel.stack import _fast, _files
from tests.servers.build import REPOSITORY, binary

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Path:
    """An exported stack, where no server's own check is installed."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    assert main(["stack", "export", "--dir", str(tmp_path / "stack")]) == 0
    capsys.readouterr()
    return tmp_path / "stack"


def check(folder: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, list[str]]]:
    """The exit code, and the findings by level."""
    code = main(["stack", "check", "--dir", str(folder)])
    found: dict[str, list[str]] = {"OK": [], "NOTE": [], "FAIL": []}
    for level, text in re.findall(r"^  (\w+) +(.*)$", capsys.readouterr().out, re.MULTILINE):
        found[level].append(text)
    return code, found


def test_export_is_everything_that_compose_needs(folder: Path) -> None:
    """Each file as the repository has it, an image to build, a password that is nobody else's."""
    for name, content in _files.files().items():
        assert (folder / name).read_bytes() == content
        assert name == "Dockerfile" or content == (REPOSITORY / name).read_bytes()
    compose = yaml.safe_load((folder / "compose.yaml").read_text())
    for service in compose["services"].values():
        for mount in service.get("volumes", []):
            source = re.sub(r"\$\{\w+:-(.*?)\}", r"\1", mount["source"])
            if source.startswith("./"):
                assert (folder / source).exists(), source
    password = folder / ".stack" / "grafana_admin_password"
    assert len(password.read_text()) > 20
    assert oct((folder / ".stack").stat().st_mode)[-3:] == "700"


def test_export_again_keeps_what_somebody_changed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only --force writes over another text; the password stays."""
    routing = folder / "alerts" / "alertmanager.yaml"
    password = (folder / ".stack" / "grafana_admin_password").read_text()
    routing.write_text("mine: true\n")
    assert main(["stack", "export", "--dir", str(folder)]) == 2
    assert "alerts/alertmanager.yaml; choose another" in capsys.readouterr().err
    assert routing.read_text() == "mine: true\n"
    assert main(["stack", "export", "--dir", str(folder), "--force"]) == 0
    assert routing.read_bytes() == (REPOSITORY / "alerts" / "alertmanager.yaml").read_bytes()
    assert (folder / ".stack" / "grafana_admin_password").read_text() == password


def test_check_of_what_was_exported_finds_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be checked here is said to be so."""
    code, found = check(folder, capsys)
    assert (code, found["FAIL"]) == (0, [])
    assert found["OK"] == ["every YAML and JSON file can be read"]
    assert all("is not installed to check it" in text for text in found["NOTE"])


def test_check_names_what_is_missing_broken_or_changed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mount that is not there, a file that cannot be read, and one that is somebody's own."""
    (folder / "alerts" / "alertmanager.yaml").unlink()
    (folder / "grafana" / "dashboards" / "qudag-host.json").write_text("{")
    (folder / "collector-config" / "gateway.yaml").write_text("receivers: {}\n")
    code, found = check(folder, capsys)
    assert code == 1
    assert found["FAIL"][0].startswith("alerts/alertmanager.yaml is missing")
    assert found["FAIL"][1].startswith("grafana/dashboards/qudag-host.json: Expecting")
    assert "collector-config/gateway.yaml" in found["NOTE"][-1]


def test_check_of_no_stack_says_how_to_get_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder without compose.yaml cannot be checked."""
    assert main(["stack", "check", "--dir", str(tmp_path)]) == 2
    assert "qudag-otel stack export" in capsys.readouterr().err


def test_fast_profile_changes_every_number_that_it_names() -> None:
    """What stands in the files once is what it replaces; a file that moved on fails here."""
    files = _files.files()
    for pattern, swaps in _fast.SWAPS.items():
        names = fnmatch.filter(files, pattern)
        assert names
        for name in names:
            for old, new in swaps:
                assert files[name].decode().count(old) == 1, (name, old)
                assert new in _fast.fast(files)[name].decode()


def test_fast_profile_is_five_seconds_all_the_way(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Export, scrape, evaluation and panels; rules look back by an export and a batch."""
    assert main(["stack", "export", "--dir", str(folder), "--fast", "--force"]) == 0
    capsys.readouterr()
    environ = dict(
        line.split("=")
        for line in (folder / ".env").read_text().splitlines()
        if "=" in line[1:] and not line.startswith("#")
    )
    compose = (folder / "compose.yaml").read_text()
    assert all(f"{name}:" in compose or f"${{{name}:-" in compose for name in environ)
    config = yaml.safe_load((folder / "collector-config/backends/prometheus.yaml").read_text())
    every = seconds(config["global"]["evaluation_interval"])
    assert seconds(config["global"]["scrape_interval"]) == every == 5
    assert seconds(environ["QUDAG_EXPORT_INTERVAL"]) == every
    assert float(environ["OTEL_METRIC_EXPORT_INTERVAL"]) == 1000 * every
    batch = 1  # second: OTELCOL_BATCH_TIMEOUT
    assert every + batch < seconds(config["global"]["rule_query_offset"]) <= 2 * every
    slow = {
        group["name"]
        for path in (folder / "alerts/rules").glob("*.yaml")
        for group in yaml.safe_load(path.read_text())["groups"]
        if "interval" in group
    }
    assert "qudag-expected" in slow
    assert all(name.startswith(("qudag-expected", "qudag-baselines-")) for name in slow)
    for path in (folder / "grafana/dashboards").glob("*.json"):
        board = json.loads(path.read_text())
        (interval,) = [one for one in board["templating"]["list"] if one["name"] == "interval"]
        assert interval["current"]["value"] == board["refresh"] == "5s"
        assert "5s" in interval["query"].split(",")
    code, found = check(folder, capsys)
    assert (code, found["FAIL"]) == (0, [])
    assert not [text for text in found["NOTE"] if "not as this version writes" in text]


def test_fast_profile_is_not_the_charts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It has no Prometheus of its own."""
    command = ["stack", "export", "--dir", str(tmp_path), "--format", "helm", "--fast"]
    assert main(command) == 2
    assert "--fast is of --format compose" in capsys.readouterr().err


@pytest.mark.servers("prometheus", "alertmanager", "collector")
@pytest.mark.parametrize("profile", [(), ("--fast",)])
def test_check_asks_the_servers_that_are_installed(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], profile: tuple[str, ...]
) -> None:
    """Their own commands accept the files, and refuse a rule that is none."""
    assert main(["stack", "export", "--dir", str(folder), "--force", *profile]) == 0
    capsys.readouterr()
    (tmp_path / "bin").mkdir()
    for name in ("promtool", "amtool", "otelcol"):
        (tmp_path / "bin" / name).symlink_to(binary(name))
    code, found = check(folder, capsys)
    assert (code, found["FAIL"]) == (0, [])
    assert len([text for text in found["OK"] if text.endswith("accepts it")]) == 4
    rules = folder / "alerts" / "rules" / "alerts.yaml"
    rules.write_text("groups: [{name: a, rules: [{alert: A, expr: 'sum('}]}]\n")
    code, found = check(folder, capsys)
    assert code == 1
    assert found["FAIL"][0].startswith("the rules: ")
