"""The distribution as a user gets it: built once, and installed where nothing else is."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def uv(*arguments: str | Path) -> str:
    """What uv prints, which must end well."""
    program = shutil.which("uv")
    if program is None:
        pytest.fail("these tests build and install with uv, which is not on PATH; use `make unit`")
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    result = subprocess.run(
        [program, *map(str, arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@dataclass(frozen=True)
class Installed:
    """An environment that holds the wheel and its dependencies, and nothing of this clone."""

    bin: Path
    folder: Path

    def run(
        self, *command: str | Path, environment: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, far away from the sources."""
        clean = {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(self.folder)}
        return subprocess.run(
            [self.bin / command[0], *command[1:]],
            cwd=self.folder,
            env=clean | (environment or {}),
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )

    def python(self, code: str) -> str:
        """Run a piece of Python and return what it prints."""
        result = self.run("python", "-W", "error", "-c", code)
        assert result.returncode == 0, result.stderr
        return result.stdout


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the sdist, and the wheel that was built from the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    uv("build", "--quiet", "--out-dir", folder, ROOT)
    return folder


@pytest.fixture(scope="session")
def wheel(distributions: Path) -> Path:
    """The wheel."""
    (path,) = distributions.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def sdist(distributions: Path) -> Path:
    """The source distribution."""
    (path,) = distributions.glob("*.tar.gz")
    return path


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The wheel in an environment of its own, with the locked versions of its dependencies."""
    folder = tmp_path_factory.mktemp("installed")
    uv("venv", "--quiet", "--python", sys.executable, folder / "venv")
    python = folder / "venv" / "bin" / "python"
    locked = ROOT / "requirements" / "dev.txt"
    uv("pip", "install", "--quiet", "--python", python, "--constraints", locked, wheel)
    return Installed(python.parent, folder)
