"""Servers from Debian's packages: downloaded and unpacked beside the others, nothing installed."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

_QUIET = (
    "--recurse", "--no-recommends", "--no-suggests", "--no-conflicts", "--no-breaks",
    "--no-replaces", "--no-enhances",
)  # fmt: skip
_AS_WE_ARE = ("-o", "APT::Sandbox::User=root")  # not as a user of apt's, who cannot write here


def unpack(packages: Iterable[str], source: Path, binaries: Path, run: Callable[..., None]) -> None:
    """Put the start scripts of a server into `binaries`, and what they start beside them.

    What the system has installed is used as it is; apt checks the signatures of the rest.

    Args:
        packages: Debian's names of what is needed; what they depend on follows.
        source: The folder with the start scripts.
        binaries: Where these go.
        run: Runs a command in a folder.
    """
    # Lists of our own: the machine's may be missing, or older than what its mirror still has.
    lists = source.parent / "lists"
    (lists / "partial").mkdir(parents=True)
    own = ("-o", f"Dir::State::lists={lists}", "-o", f"Dir::Cache={lists}", *_AS_WE_ARE)
    run(source, "apt-get", "update", *own)
    missing = _missing(packages, own)
    if missing:
        run(source, "apt-get", "download", *own, *missing)
    root = binaries.parent / "root"
    root.mkdir()
    for package in sorted(source.glob("*.deb")):
        run(source, "dpkg-deb", "--extract", str(package), str(root))
    shutil.rmtree(lists)
    for script in source.iterdir():
        if script.suffix != ".deb":
            shutil.copy2(script, binaries / script.name)


def _missing(packages: Iterable[str], lists: Iterable[str]) -> list[str]:
    """These packages and all that they depend on, without what is installed."""
    told = _told("apt-cache", "depends", *lists, *_QUIET, *packages)
    wanted = {line for line in told.splitlines() if line and not line.startswith((" ", "<", "|"))}
    status = _told("dpkg-query", "--show", "--showformat", "${db:Status-Abbrev} ${Package}\n")
    installed = {line.split()[-1] for line in status.splitlines() if line.startswith("ii")}
    return sorted({one for one in wanted if one.partition(":")[0] not in installed})


def _told(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout
