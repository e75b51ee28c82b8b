"""What the lock files pin."""

from __future__ import annotations

import hashlib
import json
import re
from typing import Final, NamedTuple

from tests.servers.build import RECIPES, REPOSITORY

REQUIREMENTS: Final = (
    *(f"requirements/{name}.txt" for name in ("dev", "bench", "mutants", "contrib", "docs")),
    ".ci/uv.txt",
)
NPM: Final = ("tests/dashboards/package-lock.json",)
_FILES: Final = {"go": "go.mod", "cargo": "Cargo.lock"}
BUILDS: Final = {
    name: f"tests/servers/{recipe.tool}/{name}/{_FILES[recipe.tool]}"
    for name, recipe in RECIPES.items()
    if recipe.tool in _FILES
}
"""The lock file of everything that tests/servers builds."""


class Package(NamedTuple):
    """One version of a package."""

    name: str
    version: str


def python() -> dict[Package, list[str]]:
    """Every pinned distribution, with the sets of requirements that pin it."""
    found: dict[Package, list[str]] = {}
    for file in REQUIREMENTS:
        text = (REPOSITORY / file).read_text()
        for name, version in re.findall(
            r"^([\w.-]+)(?:\[[\w,-]+\])?==([\w.+!]+)", text, re.MULTILINE
        ):
            users = found.setdefault(Package(canonical(name), version), [])
            users.append(file.rpartition("/")[2].removesuffix(".txt"))
    return found


def npm() -> dict[Package, str]:
    """Every pinned package of npm, with the licence that the lock file names."""
    found = {}
    for file in NPM:
        packages = json.loads((REPOSITORY / file).read_text())["packages"]
        for path, one in packages.items():
            if path:  # "" is the project itself
                name = path.rpartition("node_modules/")[2]
                found[Package(name, one["version"])] = one.get("license", "")
    return found


def digests() -> dict[str, str]:
    """A digest of each server's lock file: what it is built from cannot change without it."""
    return {
        name: hashlib.sha256((REPOSITORY / file).read_bytes()).hexdigest()[:12]
        for name, file in BUILDS.items()
    }


def canonical(name: str) -> str:
    """A distribution's name as PyPI compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
