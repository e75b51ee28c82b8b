"""mypy and pyright reject what `negative_forms.py` marks, and accept every other form."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_HERE = Path(__file__).parent
_ROOT = _HERE.parent.parent
_NEGATIVE = _HERE / "negative_forms.py"
_FORMS = _HERE / "test_forms.py"
_MARK = "# error"


def _marked(path: Path) -> set[int]:
    lines = path.read_text().splitlines()
    return {number for number, line in enumerate(lines, start=1) if line.endswith(_MARK)}


def _mypy(path: Path, cache: Path) -> set[int]:
    """The lines that mypy strict rejects."""
    command = ["-m", "mypy", "--no-error-summary", "--cache-dir", str(cache), "--exclude", "^$"]
    result = _run([sys.executable, *command, str(path)])
    assert "error: " not in result.stderr, result.stderr
    return {int(found[1]) for found in re.finditer(rf"{path.name}:(\d+): error: ", result.stdout)}


def _pyright(path: Path, folder: Path) -> set[int]:
    """The lines that pyright strict rejects, in a project of its own."""
    shutil.copy(path, folder)
    configuration = {
        "include": [path.name],
        "extraPaths": [str(_ROOT), str(_ROOT / "instrumentation")],
        "pythonVersion": "3.11",
        "typeCheckingMode": "strict",
    }
    (folder / "pyrightconfig.json").write_text(json.dumps(configuration))
    command = ["-m", "pyright", "--outputjson", "--pythonpath", sys.executable, "-p", str(folder)]
    result = _run([sys.executable, *command])
    report = json.loads(result.stdout)
    assert report["summary"]["filesAnalyzed"] == 1, result.stdout
    return {
        diagnostic["range"]["start"]["line"] + 1
        for diagnostic in report["generalDiagnostics"]
        if diagnostic["severity"] == "error"
    }


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, cwd=_ROOT, capture_output=True, text=True, timeout=110, check=False
    )


@pytest.mark.parametrize("path", [_FORMS, _NEGATIVE], ids=lambda path: path.stem)
def test_mypy_on_the_forms_rejects_exactly_the_marked_lines(path: Path) -> None:
    """Mypy strict accepts every right form and rejects every wrong one."""
    assert _mypy(path, _ROOT / ".mypy_cache") == _marked(path)


@pytest.mark.parametrize("path", [_FORMS, _NEGATIVE], ids=lambda path: path.stem)
def test_pyright_on_the_forms_rejects_exactly_the_marked_lines(path: Path, tmp_path: Path) -> None:
    """Pyright strict accepts every right form and rejects every wrong one."""
    assert _pyright(path, tmp_path) == _marked(path)
