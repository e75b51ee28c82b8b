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
NPM: Final = {
    "tests/dashboards/package-lock.json": "dev",
    "tests/servers/npm/page/package-lock.json": "page",
}
"""Each lock file of npm, and what its packages are in the project for."""
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


def npm() -> dict[Package, tuple[str, list[str]]]:
    """Every pinned package of npm: the licence that the lock file names, and what it is for."""
    found: dict[Package, tuple[str, list[str]]] = {}
    for file, user in NPM.items():
        packages = json.loads((REPOSITORY / file).read_text())["packages"]
        for path, one in packages.items():
            if path:  # "" is the project itself
                name = path.rpartition("node_modules/")[2]
                package = Package(name, one["version"])
                users = found.setdefault(package, (one.get("license", ""), []))[1]
                if user not in users:  # a lock may hold the same package in two places
                    users.append(user)
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
