"""What the tools find: pip-licenses, licensecheck in Go modules, and cargo."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tests.licences.locks import BUILDS, REQUIREMENTS, Package, canonical
from tests.licences.policy import STATED, spdx
from tests.servers.build import RECIPES, REPOSITORY, binary, build, restore_sources

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLATFORMS: Final = (("3.11", "linux"), ("3.13", "windows"))
"""Between them every marker of the lock files holds."""


def installed(folder: Path | None = None) -> dict[Package, str]:
    """The licences of the distributions in a folder, or in this environment."""
    path = {"PYTHONPATH": str(folder)} if folder else {}
    listed = _run(
        [sys.executable, "-m", "piplicenses", "--from=all", "--format=json", "--with-system"],
        **path,
    )
    found = {}
    for one in json.loads(listed):
        package = Package(canonical(one["Name"]), one["Version"].removeprefix("v"))
        texts = (one[f"License-{source}"] for source in ("Expression", "Metadata", "Classifier"))
        found[package] = STATED.get(package.name) or spdx(*texts)
    if folder is None:
        return found
    there = (path.stem.rpartition("-") for path in folder.glob("*.dist-info"))
    wanted = {Package(canonical(name), version.removeprefix("v")) for name, _, version in there}
    return {package: licence for package, licence in found.items() if package in wanted}


def downloaded() -> dict[Package, str]:
    """The licences of all that the requirements pin, from distributions installed aside."""
    found: dict[Package, str] = {}
    for file in REQUIREMENTS:
        for version, platform in _PLATFORMS:
            with tempfile.TemporaryDirectory() as folder:
                _run(
                    ["uv", "pip", "install", "--quiet", "--no-deps", "--target", folder,
                     "--python-version", version, "--python-platform", platform,
                     "--requirements", file],
                )  # fmt: skip
                found |= installed(Path(folder))
    return found


def linked() -> dict[Package, tuple[str, list[str]]]:
    """The modules in the built servers: the licence of each, and the servers that hold it."""
    users: dict[Package, list[str]] = {}
    folders: dict[Package, str] = {}
    for server in _built_by("go"):
        modules = _modules(server)
        with _copy(server) as copy:
            names = [f"{name}@{version}" for name, version in modules]
            answer = _run(["go", "mod", "download", "-json", *names], cwd=copy)
        for one in _values(answer):
            package = Package(one["Path"], one["Version"])
            folders[package] = one["Dir"]
            users.setdefault(package, []).append(server)
    lines = _run([binary("licences")], stdin="\n".join(folders.values())).splitlines()
    licences = dict(line.split("\t") for line in lines)
    return {
        package: (licences[folder].replace(" ", " AND ") or "UNKNOWN", users[package])
        for package, folder in folders.items()
    }


def crates() -> dict[Package, tuple[str, list[str]]]:
    """The crates in what cargo builds, for Linux, as `linked`."""
    found: dict[Package, tuple[str, list[str]]] = {}
    for server in _built_by("cargo"):
        with _copy(server) as copy:
            restore_sources(server, copy)
            answer = _run(
                ["cargo", "metadata", "--format-version=1", "--locked",
                 "--filter-platform=x86_64-unknown-linux-gnu"],
                cwd=copy,
            )  # fmt: skip
        for one in json.loads(answer)["packages"]:
            if one["source"]:  # none: the crate that stands here
                package = Package(one["name"], one["version"])
                stated = STATED.get(package.name)
                licence = stated or spdx((one["license"] or "").replace("/", " OR "))
                found.setdefault(package, (licence, []))[1].append(server)
    return found


def _built_by(tool: str) -> list[str]:
    return [name for name, recipe in RECIPES.items() if recipe.tool == tool]


@contextlib.contextmanager
def _copy(server: str) -> Iterator[Path]:
    """A server's sources, where a tool may write to them."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree((REPOSITORY / BUILDS[server]).parent, folder, dirs_exist_ok=True)
        yield Path(folder)


def _modules(server: str) -> list[Package]:
    """What Go's build information in the binaries lists; a replaced module by its replacement."""
    found: dict[Package, None] = {}
    for name in RECIPES[server].packages:
        last: Package | None = None
        for line in _run(["go", "version", "-m", build(server) / name]).splitlines():
            match line.split():
                case ["dep" | "=>" as kind, path, version, *_]:
                    if kind == "=>" and last:
                        found.pop(last, None)
                    last = Package(path, version)
                    found[last] = None
    return list(found)


def _values(text: str) -> list[dict[str, Any]]:
    """JSON values that follow each other."""
    decoder, found = json.JSONDecoder(), []
    while text := text.lstrip():
        value, end = decoder.raw_decode(text)
        found.append(value)
        text = text[end:]
    return found


def _run(
    command: list[str | Path], *, cwd: str | Path = REPOSITORY, stdin: str = "", **variables: str
) -> str:
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **variables}, input=stdin, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{command[0]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout
