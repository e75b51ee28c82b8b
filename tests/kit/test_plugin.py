"""The pytest plugin, in runs of pytest of its own."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

_USER_TESTS = """
import logging
import pytest
from opentelemetry import trace

tracer = trace.get_tracer("app")

@pytest.mark.parametrize("number", range(20))
def test_work_makes_one_span(telemetry, number):
    tracer.start_span(f"work {number}").end()
    assert [span.name for span in telemetry.spans] == [f"work {number}"]
"""


def _pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("workers", ["0", "2"])
def test_plugin_in_a_project_captures_every_test_alone(tmp_path: Path, workers: str) -> None:
    """The fixture comes with the installed package and works in parallel workers too."""
    (tmp_path / "test_app.py").write_text(_USER_TESTS)
    result = _pytest(tmp_path, "-n", workers)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "20 passed" in result.stdout


def test_plugin_on_a_failing_test_shows_the_line_of_the_test(tmp_path: Path) -> None:
    """The traceback ends in the user's test, not inside of the kit."""
    (tmp_path / "test_app.py").write_text(
        "def test_work(telemetry):\n    telemetry.span('work')\n"
        "def test_count(telemetry):\n    telemetry.value('count')\n"
    )
    result = _pytest(tmp_path)
    assert result.returncode == 1
    assert "no span 'work'; captured: nothing" in result.stdout
    assert "no series 'count'; captured: nothing" in result.stdout
    assert "qudag_otel" not in result.stdout


def test_plugin_unused_loads_no_opentelemetry(tmp_path: Path) -> None:
    """A test run that does not ask for the fixture does not pay for it."""
    (tmp_path / "test_app.py").write_text(
        "import sys\n"
        "def test_nothing_loaded():\n"
        "    assert 'qudag_otel.testing.plugin' in sys.modules\n"
        "    assert 'opentelemetry.sdk' not in sys.modules\n"
    )
    result = _pytest(tmp_path)
    assert result.returncode == 0, result.stdout + result.stderr


def test_plugin_in_a_unittest_case_is_replaced_by_capture(tmp_path: Path) -> None:
    """Whoever uses unittest enters `capture()`."""
    (tmp_path / "test_app.py").write_text(
        "import unittest\n"
        "from opentelemetry import trace\n"
        "from qudag_otel.testing import capture\n"
        "class Case(unittest.TestCase):\n"
        "    def setUp(self):\n"
        "        self.telemetry = self.enterContext(capture())\n"
        "    def test_work(self):\n"
        "        trace.get_tracer('app').start_span('work').end()\n"
        "        self.assertEqual(self.telemetry.span('work').status, 'unset')\n"
    )
    result = subprocess.run(
        [sys.executable, "-m", "unittest", "-q"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert result.returncode == 0, result.stderr
