"""The recipes of CONTRIBUTING.md, done as they say."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from tests.servers.build import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

CONTRIBUTING = (REPOSITORY / "CONTRIBUTING.md").read_text()
ROOMS = re.findall(r"^ROOMS +:= (.*)$", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)[0]
COPIED = ("qudag_otel", "instrumentation", "tests", "benchmarks", "docs", "grafana", "alerts",
          "collector-config", "requirements", "pyproject.toml", "Makefile", "README.md",
          "CHANGELOG.md", "CONTRIBUTING.md", "compose.yaml", "conftest.py")  # fmt: skip
# What looks at the whole catalogue.
TESTS = (
    "tests/docs/test_documents.py::test_metric_names_are_spelled_in_the_catalogue_alone",
    "tests/baseline/test_estimators.py::test_measures_every_metric_of_the_catalogue_is_taken",
    "tests/dashboards/test_names.py",
)


def _copy(folder: Path) -> None:
    skip = shutil.ignore_patterns("__pycache__", "node_modules", "build", ".*_cache")
    for name in COPIED:
        source = REPOSITORY / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=skip)
        else:
            shutil.copy(source, folder / name)


def _run(folder: Path, *arguments: str) -> str:
    environment = {"PYTHONPATH": f"{folder}:{folder}/instrumentation", "PATH": "/usr/bin:/bin",
                   "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}  # fmt: skip
    ended = subprocess.run(
        [sys.executable, *arguments],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    return ended.stdout


def test_metric_is_one_record_and_what_follows_is_generated(tmp_path: Path) -> None:
    """The record of the recipe, `make generate`, and everything agrees with nothing else edited."""
    _copy(tmp_path)
    (record,) = re.findall(r"^```python metric\n(.*?)^```$", CONTRIBUTING, re.DOTALL | re.MULTILINE)
    name = record.partition(":")[0]
    catalogue = tmp_path / "qudag_otel" / "catalogue" / "metrics.py"
    above, begin, names = catalogue.read_text().partition("METRICS: Final = (\n")
    names = names.replace(")\n", f"    {name},\n)\n", 1)
    catalogue.write_text(f"{above}{record}\n{begin}{names}")

    _run(tmp_path, "-m", "ruff", "check", "--quiet", "--no-cache", str(catalogue))
    _run(tmp_path, "-m", "ruff", "format", "--check", "--quiet", "--no-cache", str(catalogue))
    everything = "import runpy, sys\nfor sys.argv[0] in {rooms}:\n    {each}"
    each = "try:\n        runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=False)\n"
    each += "    except SystemExit as end:\n        assert not end.code, sys.argv[0]"
    program = everything.format(rooms=ROOMS.split(), each=each)
    written = _run(tmp_path, "-c", program)
    assert "docs/metrics.md" in written
    assert "qudag_orders_total" in (tmp_path / "docs" / "metrics.md").read_text()
    _run(tmp_path, "-c", program, "--check")
    _run(tmp_path, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not servers", *TESTS)
