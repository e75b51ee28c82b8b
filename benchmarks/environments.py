"""Environments of others' packages, each made once for its lock file, outside of the clone."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parent.parent
LOCKS: Final = {
    "PEERS": ROOT / "requirements" / "bench.txt",
    "SERVICE": ROOT / "requirements" / "contrib.txt",
}


def interpreter(name: str) -> str:
    """The interpreter of an environment.

    Args:
        name: One of `LOCKS`.
    """
    lock = LOCKS[name]
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qudag-otel"
    folder = base / f"bench-{hashlib.sha256(lock.read_bytes()).hexdigest()[:12]}"
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        uv = shutil.which("uv") or str(base / "uv" / "bin" / "uv")
        make = [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(folder)]
        sync = [
            uv,
            "pip",
            "sync",
            "--quiet",
            "--require-hashes",
            "--python",
            str(python),
            str(lock),
        ]
        subprocess.run(make, check=True)
        subprocess.run(sync, check=True)
        (folder / ".ready").touch()
    return str(python)


def pins(name: str) -> dict[str, str]:
    """The versions in a lock file.

    Args:
        name: One of `LOCKS`.
    """
    lines = LOCKS[name].read_text(encoding="utf-8").splitlines()
    pairs = (line.split(" ")[0].partition("==") for line in lines if "==" in line)
    return {package: version for package, _, version in pairs}
