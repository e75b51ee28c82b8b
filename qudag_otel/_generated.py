"""Write generated files, or compare them with what is there: the rooms that generate share this."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

ROOT: Final = Path(__file__).parent.parent
"""The repository, where this package runs from one."""


def command(
    name: str,
    description: str | None,
    texts: Mapping[Path, str],
    argv: Sequence[str] | None = None,
    orphaned: Iterable[Path] = (),
) -> int:
    """Run a room's generator: write its files, or with `--check` show what differs.

    Args:
        name: The command, as people type it.
        description: What it generates.
        texts: Every file with its text.
        argv: The arguments; the process's own by default.
        orphaned: Files that are no longer generated, to be deleted.

    Returns:
        1 if `--check` found a difference, else 0.
    """
    parser = argparse.ArgumentParser(prog=name, description=description)
    parser.add_argument("--check", action="store_true", help="change nothing, show differences")
    if parser.parse_args(argv).check:
        found = [*differences(texts), *(f"no longer generated: {path}" for path in orphaned)]
        if found:
            sys.stderr.write("\n".join([*found, f"Run `{name}` and commit the result.", ""]))
        return 1 if found else 0
    for path in orphaned:
        path.unlink()
    for path in write(texts):
        sys.stdout.write(f"wrote {path}\n")
    return 0


def write(texts: Mapping[Path, str]) -> list[Path]:
    """Write the texts that differ from their files, whole or not at all; return those files."""
    changed = [path for path, text in texts.items() if _read(path) != text]
    for path in changed:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        new.write_text(texts[path], encoding="utf-8")
        new.replace(path)
    return changed


def differences(texts: Mapping[Path, str]) -> list[str]:
    """How the files differ from the texts, as lines of a unified diff."""
    return [
        line
        for path, text in texts.items()
        for line in difflib.unified_diff(
            _read(path).splitlines(), text.splitlines(), f"{path}", f"{path} (generated)", n=1,
            lineterm="",
        )
    ]  # fmt: skip


def orphans(folder: Path, pattern: str, texts: Mapping[Path, str]) -> list[Path]:
    """Files of a folder that are no longer generated."""
    return sorted(set(folder.glob(pattern)) - set(texts))


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""
