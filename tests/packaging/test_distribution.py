"""Wheel and sdist: what is in them, and what the wheel does where nothing else is installed."""

from __future__ import annotations

import email
import json
import os
import re
import subprocess
import tarfile
import tomllib
import zipfile
from typing import TYPE_CHECKING, Any

import pytest

from qudag_otel.catalogue.metrics import METRICS
from qudag_otel.stack import _files
from tests.packaging.conftest import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from email.message import Message
    from pathlib import Path

    from tests.packaging.conftest import Installed

_PROJECT: Mapping[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
_STEM = f"qudag_otel-{_PROJECT['version']}"

# Ten lines of a user's program, then a scrape of it.
_PROGRAM = """
import asyncio
from urllib.request import urlopen
from qudag_otel import configure, instrumented

@instrumented
def double(number):
    return 2 * number

@instrumented(name="nap", component="smoke")
async def nap():
    await asyncio.sleep(0)

with configure(prometheus_port=0, traces_exporter="none", logs_exporter="none") as telemetry:
    assert double(2) == 4
    asyncio.run(nap())
    print(urlopen(telemetry.metrics_url).read().decode())
"""

# The stack's files and the chart's own; the Dockerfile is written for the version, the Makefile's
# part stays behind.
_CHART = {f"collector-config/kubernetes/{name}" for name in _files.chart() if "files/" not in name}
_STACK = {*_files.files(), *_CHART, "collector-config/stack.mk"} - {"Dockerfile"}


def _names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def _metadata(wheel: Path) -> Message:
    with zipfile.ZipFile(wheel) as archive:
        return email.message_from_bytes(archive.read(f"{_STEM}.dist-info/METADATA"))


def _text(metadata: Message) -> str:
    payload = metadata.get_payload(decode=True)
    assert isinstance(payload, bytes)
    return payload.decode()


def _sources(folder: str, top: str) -> set[str]:
    """Every file below a folder of the clone, by the name it has when installed."""
    return {
        path.relative_to(ROOT / top).as_posix()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


class TestWheel:
    def test_wheel_holds_both_import_roots_and_nothing_else(self, wheel: Path) -> None:
        """Every file of the two roots and of the stack is there; no test or benchmark is."""
        code = {name for name in _names(wheel) if not name.startswith(f"{_STEM}.dist-info/")}
        expected = _sources("qudag_otel", ".") | _sources("instrumentation", "instrumentation")
        expected |= {f"qudag_otel/stack/files/{name}" for name in _STACK}
        assert code == expected

    def test_wheel_leaves_the_namespace_to_opentelemetry(self, wheel: Path) -> None:
        """Nothing is put into `opentelemetry` but our own package."""
        ours = "opentelemetry/instrumentation/qudag/"
        assert all(n.startswith(ours) for n in _names(wheel) if n.startswith("opentelemetry/"))

    def test_wheel_is_marked_as_typed(self, wheel: Path) -> None:
        """Both roots carry py.typed."""
        assert {
            "qudag_otel/py.typed",
            "opentelemetry/instrumentation/qudag/py.typed",
        } <= _names(wheel)

    def test_wheel_carries_licence_and_readme(self, wheel: Path) -> None:
        """Licence, description and supported Python are in the metadata."""
        metadata = _metadata(wheel)
        assert f"{_STEM}.dist-info/licenses/LICENSE" in _names(wheel)
        assert metadata["License-Expression"] == "Apache-2.0"
        assert metadata["Requires-Python"] == ">=3.11"
        assert metadata["Description-Content-Type"] == "text/markdown"
        shown, readme = (
            re.sub(r"\]\([^)]*\)", "]()", text).strip()
            for text in (_text(metadata), (ROOT / "README.md").read_text())
        )
        assert shown == readme

    def test_links_of_the_description_lead_out_of_any_page(self, wheel: Path) -> None:
        """On PyPI nothing stands beside the README: a link and a picture is a whole URL."""
        targets = re.findall(r"\]\(([^)#]*)[^)]*\)", _text(_metadata(wheel)))
        assert len(targets) > 10
        ours = "https://github.com/qudag/qudag-otel/blob/main/"
        pictures = "https://raw.githubusercontent.com/qudag/qudag-otel/main/"
        for target in targets:
            assert target.startswith("https://"), target
            for root in (ours, pictures):
                if target.startswith(root):
                    assert (ROOT / target.removeprefix(root).partition("?")[0]).exists(), target


class TestSdist:
    def test_sdist_holds_what_a_packager_needs(self, sdist: Path) -> None:
        """Sources, tests, generated files, lock and documents are in the archive."""
        with tarfile.open(sdist) as archive:
            names = {name.removeprefix(f"{_STEM}/") for name in archive.getnames()}
        assert {
            "CHANGELOG.md",
            "CONTRIBUTING.md",
            "LICENSE",
            "Makefile",
            "README.md",
            "docs/metrics.md",
            "pyproject.toml",
            "qudag_otel/__init__.py",
            "requirements/dev.txt",
            "tests/conftest.py",
        } <= names
        assert not [name for name in names if "__pycache__" in name or name.startswith(".venv")]

    def test_sdist_passes_its_own_demo(self, sdist: Path, tmp_path: Path) -> None:
        """Unpacked anywhere, `make demo` makes its environment and shows a run."""
        with tarfile.open(sdist) as archive:
            archive.extractall(tmp_path, filter="data")
        ended = subprocess.run(
            ["make", "demo", "ARGS=--headless --duration 1"],
            cwd=tmp_path / _STEM,
            env={**os.environ, "OTEL_EXPORTER_PROMETHEUS_PORT": "0"},
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert ended.returncode == 0, ended.stderr
        assert json.loads(ended.stdout)["messages"] > 0


class TestInstalled:
    def test_import_loads_no_sdk(self, installed: Installed) -> None:
        """`import qudag_otel` and decorating need the API alone."""
        printed = installed.python(
            "import sys, qudag_otel\n"
            "@qudag_otel.instrumented\n"
            "def work(): return 1\n"
            "work()\n"
            "import opentelemetry.instrumentation.qudag\n"
            "print([name for name in sys.modules if name.startswith('opentelemetry.sdk')])"
        )
        assert printed == "[]\n"

    def test_program_decorates_configures_and_is_scraped(self, installed: Installed) -> None:
        """A decorated function and a coroutine are on /metrics after one call each."""
        page = installed.python(_PROGRAM)
        counts = [line for line in page.splitlines() if "duration_seconds_count" in line]
        assert any('operation="double"' in line and line.endswith(" 1") for line in counts)
        assert any(
            'component="smoke"' in line and 'operation="nap"' in line and line.endswith(" 1")
            for line in counts
        )

    def test_entry_points_are_declared_and_load(self, installed: Installed) -> None:
        """Every entry point of pyproject.toml is installed, and those of OpenTelemetry load."""
        printed = installed.python(
            "from importlib.metadata import distribution\n"
            "for point in distribution('qudag-otel').entry_points:\n"
            "    if point.group != 'pytest11':\n"
            "        point.load()\n"
            "    print(point.group, point.name, point.value)"
        )
        declared = {("console_scripts", *item) for item in _PROJECT["scripts"].items()} | {
            (group, *item)
            for group, points in _PROJECT["entry-points"].items()
            for item in points.items()
        }
        assert {tuple(line.split()) for line in printed.splitlines()} == declared

    def test_command_lists_the_metrics_without_extras(self, installed: Installed) -> None:
        """`qudag-otel metrics` names every metric of the catalogue."""
        result = installed.run("qudag-otel", "metrics")
        assert (result.returncode, result.stderr) == (0, "")
        assert [m.prometheus_name for m in METRICS if m.prometheus_name not in result.stdout] == []

    @pytest.mark.parametrize("command", ["demo", "dashboards"])
    def test_command_without_its_extra_names_the_remedy(
        self, installed: Installed, command: str
    ) -> None:
        """A command whose extra is missing says what to install."""
        result = installed.run("qudag-otel", command)
        assert result.returncode == 2
        assert "pip install 'qudag-otel[" in result.stderr
        assert "Traceback" not in result.stderr

    def test_stack_is_exported_without_the_clone(
        self, installed: Installed, tmp_path: Path
    ) -> None:
        """What the wheel writes is what the clone writes, and it passes its own check."""
        result = installed.run("qudag-otel", "stack", "export", "--dir", tmp_path / "stack")
        assert (result.returncode, result.stderr) == (0, "")
        for name, content in _files.files().items():
            assert (tmp_path / "stack" / name).read_bytes() == content
        told = installed.run("qudag-otel", "stack", "check", "--dir", tmp_path / "stack")
        assert told.returncode == 2
        assert "pip install 'qudag-otel[generate]'" in told.stderr

    def test_instrument_command_finds_the_distro(self, installed: Installed) -> None:
        """`opentelemetry-instrument` sets up an untouched program from the environment."""
        code = (
            "from qudag_otel.sdk import current\n"
            "telemetry = current()\n"
            "print(telemetry is not None and telemetry.metrics_url)"
        )
        result = installed.run(
            "opentelemetry-instrument",
            "python",
            "-c",
            code,
            environment={
                "OTEL_METRICS_EXPORTER": "prometheus",
                "OTEL_TRACES_EXPORTER": "none",
                "OTEL_LOGS_EXPORTER": "none",
                "OTEL_EXPORTER_PROMETHEUS_PORT": "0",
            },
        )
        assert result.returncode == 0, result.stderr
        assert result.stdout.startswith("http://127.0.0.1:"), result.stdout + result.stderr
