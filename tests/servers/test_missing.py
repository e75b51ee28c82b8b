"""A server that cannot be built costs its own tests; and what the builds say."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.servers import __main__ as command
from tests.servers import build as recipes
from tests.servers.build import REPOSITORY, BuildError, Recipe, binary

if TYPE_CHECKING:
    from collections.abc import Callable

TESTS = """
import pytest
from tests.servers.api import get

@pytest.fixture(scope="module")
def sent(pipeline):
    return pipeline.jaeger.otlp_http

def test_needs_none():
    assert True

@pytest.mark.servers("jaeger")
def test_names_the_missing_one():
    raise AssertionError("it must not begin")

def test_has_a_fixture_that_needs_it(sent):
    raise AssertionError("it must not begin")

def test_asks_the_pipeline_for_it(pipeline):
    pipeline.jaeger.traces("any")

def test_asks_the_pipeline_for_another(pipeline):
    assert pipeline.logs.query("*") == []
    assert [server.name for server in pipeline.servers if server.pid] == ["victorialogs"]
"""


@pytest.fixture
def without_jaeger(tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Runs `TESTS` where VictoriaLogs is in the cache, and nothing else, and there is no Go."""
    cache = tmp_path / "cache" / "qudag-otel" / "servers"
    cache.mkdir(parents=True)
    built = binary("victoria-logs").parent.parent
    (cache / built.name).symlink_to(built)
    file = tmp_path / "test_some.py"
    file.write_text(TESTS)

    def run(ci: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "tests.servers.plugin",
             "-p", "no:cacheprovider", f"--rootdir={tmp_path}", file],
            cwd=REPOSITORY,
            env={**os.environ, "CI": ci, "XDG_CACHE_HOME": str(tmp_path / "cache"),
                 "PATH": str(Path(sys.executable).parent)},
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip

    return run


@pytest.mark.servers("victorialogs")
@pytest.mark.parametrize(("ci", "code", "count"), [("", 0, "3 skipped"), ("true", 1, "failed")])
def test_tests_without_the_missing_server_run_and_its_own_fail_only_in_ci(
    without_jaeger: Callable[[str], subprocess.CompletedProcess[str]],
    ci: str,
    code: int,
    count: str,
) -> None:
    """Two of five need no Jaeger; the end of the output names what is missing, and the remedy."""
    done = without_jaeger(ci)
    assert done.returncode == code, done.stdout + done.stderr
    assert "2 passed" in done.stdout
    assert count in done.stdout
    assert "MISSING SERVER: jaeger" in done.stdout
    assert "install Go" in done.stdout
    assert "AssertionError" not in done.stdout


def test_build_says_how_long_each_took_and_names_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that fails does not keep the next from being built."""

    def built(done: Path, server: str, _: Recipe) -> None:
        if server == "jaeger":
            raise BuildError("building jaeger failed; the end of Go's output: no")
        (done / "bin").mkdir(parents=True)
        for name in recipes.RECIPES[server].packages:
            (done / "bin" / name).touch()
        (done / "seconds").write_text("17")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(recipes, "_build_into", built)
    monkeypatch.setattr(recipes, "_FAILED", {})
    monkeypatch.setattr(sys, "argv", ["servers", "build", "jaeger", "victorialogs"])
    assert command.main() == 1
    said = capsys.readouterr()
    assert said.out.split()[:5] == ["victorialogs", "build", "time", "17", "s"]
    assert "building jaeger failed" in said.err
    assert "missing: jaeger" in said.err
