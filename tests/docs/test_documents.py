"""README and docs: every block runs, every link leads somewhere, every list is complete."""

from __future__ import annotations

import ast
import configparser
import re
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Final

import pytest
import yaml

from qudag_otel.catalogue.metrics import METRICS
from qudag_otel.sdk.settings.variables import TABLE
from tests.docs.blocks import DOCUMENTS, FENCE, Block, blocks, name_of, place, says
from tests.servers.build import REPOSITORY

if TYPE_CHECKING:
    from pathlib import Path

_LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
_COMMANDS: Final = {
    "make",
    "qudag-otel",
    "python",
    "uv",
    "pip",
    "docker",
    "curl",
    "opentelemetry-instrument",
    "opentelemetry-bootstrap",
}


PROGRAMS: Final = [block for block in blocks("python") if not block.info]


@pytest.mark.parametrize("block", PROGRAMS, ids=name_of)
def test_python_block_runs_and_prints_what_the_document_says(block: Block, tmp_path: Path) -> None:
    """A reader who copies it sees what stands below it; an ellipsis stands for anything."""
    program = tmp_path / "block.py"
    program.write_text(block.code)
    ended = subprocess.run(
        [sys.executable, "-W", "error", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    if block.output:
        assert says(ended.stdout, block.output), ended.stdout


@pytest.mark.parametrize("block", blocks("console"), ids=name_of)
def test_console_block_names_commands_and_targets_that_exist(block: Block) -> None:
    """Commands are ours or those of the tools we need; targets and options exist."""
    targets = set(re.findall(r"^([\w-]+):", (REPOSITORY / "Makefile").read_text(), re.MULTILINE))
    targets |= set(
        re.findall(
            r"^([\w-]+):", (REPOSITORY / "collector-config" / "stack.mk").read_text(), re.MULTILINE
        )
    )
    for line in block.code.replace("\\\n", " ").splitlines():
        command = line.removeprefix("$ ").partition("#")[0]
        words = [word for word in command.split() if not re.match(r"[A-Z_]+=", word)]
        if not words:
            continue
        assert words[0] in _COMMANDS, line
        if words[0] == "make":
            assert set(words[1:]) <= targets, line
        if words[0] == "qudag-otel":
            ended = subprocess.run(
                [sys.executable, "-m", "qudag_otel", words[1], "--help"],
                capture_output=True, text=True, timeout=60, check=False,
            )  # fmt: skip
            assert ended.returncode == 0, ended.stderr
            options = {word.partition("=")[0] for word in words[2:] if word.startswith("--")}
            if not ended.stdout.count("ACTION"):
                assert options <= set(re.findall(r"--[\w-]+", ended.stdout)), line


@pytest.mark.parametrize("block", blocks("ini", "yaml", "dockerfile"), ids=name_of)
def test_configuration_block_can_be_read(block: Block) -> None:
    """By the parser of its language; variables OTEL_* and QUDAG_* in it exist."""
    if block.language == "yaml":
        assert all(yaml.safe_load_all(block.code))
    elif block.language == "ini":
        parser = configparser.ConfigParser(strict=False, interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string(block.code)
        assert {"Unit", "Service", "Install"} <= set(parser)
    else:
        words = {line.split()[0] for line in block.code.splitlines()}
        assert words <= {"FROM", "RUN", "COPY", "WORKDIR", "USER", "ENV", "CMD"}
    named = set(re.findall(r"\b(?:OTEL|QUDAG)_[A-Z_]+", block.code))
    assert named <= {variable.name for variable in TABLE.values()}


@pytest.mark.parametrize("document", DOCUMENTS, ids=place)
def test_links_lead_to_files_and_sections_that_exist(document: Path) -> None:
    """Relative links name a file of the repository; anchors name one of its headings."""
    for link in _LINK.findall(FENCE.sub("", document.read_text())):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = link.partition("#")
        target = document.parent / name if name else document
        assert target.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE)
            assert anchor in {_slug(heading) for heading in headings}, link


def _slug(heading: str) -> str:
    return re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")


def test_changelog_knows_the_version_of_the_package() -> None:
    """The newest entry is the version that is built."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    headings = re.findall(r"^## (\S+)", (REPOSITORY / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert headings[0] == project["version"]


def test_first_output_of_the_readme_comes_early() -> None:
    """A newcomer sees a result within the first screens."""
    lines = (REPOSITORY / "README.md").read_text().splitlines()
    assert lines.index("```text") < 40


def test_metric_names_are_spelled_in_the_catalogue_alone() -> None:
    """Code that names a metric takes it from the catalogue; a renamed one cannot be forgotten."""
    names = {name for metric in METRICS for name in (metric.name, metric.prometheus_name)}
    spelled = []
    for folder in ("qudag_otel", "instrumentation"):
        for path in sorted((REPOSITORY / folder).rglob("*.py")):
            if "catalogue" in path.parts:
                continue
            tree = ast.parse(path.read_text())
            documented = {
                id(node.value)
                for node in ast.walk(tree)
                if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
            }
            spelled += [
                f"{path.relative_to(REPOSITORY)}:{node.lineno}: {node.value}"
                for node in ast.walk(tree)
                if isinstance(node, ast.Constant)
                and node.value in names
                and id(node) not in documented
            ]
    assert spelled == []
