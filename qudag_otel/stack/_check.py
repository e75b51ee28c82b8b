"""What can be told about an exported stack without starting it."""

from __future__ import annotations

import enum
import json
import shutil
import subprocess
from typing import TYPE_CHECKING, Final, NamedTuple

from qudag_otel.stack import _fast, _files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

_SECONDS: Final = 60.0
_RULES: Final = "{rules}"  # stands for the files of rules


class Level(enum.Enum):
    """How a check ended; a note is no fault."""

    OK = "OK"
    NOTE = "NOTE"
    FAIL = "FAIL"


class Finding(NamedTuple):
    """One line: how it ended, about what, and why."""

    level: Level
    text: str


class _Tool(NamedTuple):
    """A server's own check.

    Args:
        programs: Any of these.
        arguments: What makes it check.
        about: The part that is checked.
        probe: What it has to answer well to be able to.
    """

    programs: Sequence[str]
    arguments: Sequence[str]
    about: str
    probe: Sequence[str] = ("--version",)


_TOOLS: Final = (
    _Tool(("promtool",), ("check", "rules", _RULES), "the rules"),
    _Tool(
        ("promtool",),
        ("check", "config", "--syntax-only", "collector-config/backends/prometheus.yaml"),
        "Prometheus' configuration",
    ),
    _Tool(("amtool",), ("check-config", "alerts/alertmanager.yaml"), "Alertmanager's routing"),
    _Tool(
        ("otelcol-contrib", "otelcol"),
        ("validate", *(f"--config=collector-config/{name}.yaml" for name in ("common", "gateway"))),
        "the Collector's configuration",
    ),
    _Tool(("docker",), ("compose", "config", "--quiet"), "compose.yaml", ("compose", "version")),
)  # fmt: skip


def check(folder: Path) -> Iterator[Finding]:
    """Look at a folder that `stack export` wrote, edited or not.

    Args:
        folder: The one with compose.yaml.

    Yields:
        What is found: missing and unreadable files, what the servers' own checks say where they
        are installed, and which files are not as this version writes them.
    """
    mounted = _files.mounted((folder / "compose.yaml").read_text(encoding="utf-8"))
    for name in (*mounted, *(f"{_files.STATE}/{one}" for one in _files.KEPT)):
        if not (folder / name).exists():
            yield Finding(Level.FAIL, f"{name} is missing: `qudag-otel stack export` writes it")
    changed: list[str] = []
    faults = 0
    for name, content in _fast.as_in(folder, _files.files()).items():
        path = folder / name
        if not path.is_file():
            continue  # told above, or left out by intent
        if path.read_bytes() != content:
            changed.append(name)
        problem = _unreadable(path)
        faults += bool(problem)
        if problem:
            yield Finding(Level.FAIL, f"{name}: {problem}")
    if not faults:
        yield Finding(Level.OK, "every YAML and JSON file can be read")
    for tool in _TOOLS:
        yield _asked(tool, folder)
    if changed:
        yield Finding(Level.NOTE, f"not as this version writes them: {', '.join(changed)}")


def _unreadable(path: Path) -> str:
    """Why a file cannot be read as what its name says; empty if it can."""
    import yaml

    readers: dict[str, Callable[[str], object]] = {".json": json.loads, ".yaml": yaml.safe_load}
    if path.suffix not in readers or path.parent.name == "templates":  # Helm's become YAML later
        return ""
    try:
        readers[path.suffix](path.read_text(encoding="utf-8"))
    except (ValueError, yaml.YAMLError) as error:
        return " ".join(str(error).split())
    return ""


def _asked(tool: _Tool, folder: Path) -> Finding:
    name = next(filter(shutil.which, tool.programs), "")
    if not name or _run((name, *tool.probe), folder).returncode:
        return Finding(Level.NOTE, f"{tool.about}: {tool.programs[0]} is not installed to check it")
    rules = [str(path.relative_to(folder)) for path in sorted(folder.glob("alerts/rules/*.yaml"))]
    arguments = [word for one in tool.arguments for word in (rules if one == _RULES else [one])]
    ended = _run((name, *arguments), folder)
    if ended.returncode:
        said = " ".join((ended.stderr or ended.stdout).split())[:500]
        return Finding(Level.FAIL, f"{tool.about}: {said}")
    return Finding(Level.OK, f"{tool.about}: {name} accepts it")


def _run(command: Sequence[str], folder: Path) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(  # noqa: S603 - the servers' own checks, of files that were named
            command, cwd=folder, capture_output=True, text=True, timeout=_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))
