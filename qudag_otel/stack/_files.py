"""Which files the stack is made of, and how they become a folder that compose can start.

The wheel has them beside this module; where the package runs from its clone, they are the clone's.
"""

from __future__ import annotations

import re
import secrets
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

PARTS: Final = (
    "compose.yaml",
    "collector-config",
    "grafana",
    "alerts/rules",
    "alerts/alertmanager.yaml",
    "alerts/receivers",
)
"""What the stack is made of: files and folders of the repository."""

STATE: Final = ".stack"
"""The folder, beside compose.yaml, for what the stack keeps on the host."""

KEPT: Final = ("queues", "grafana_admin_password")
"""What is in it before the first start."""

_INSTALLED: Final = Path(__file__).parent / "files"
_CLONE: Final = Path(__file__).parents[2]
_CHART: Final = "collector-config/kubernetes/"
_CHARTED: Final = {
    r"collector-config/(common|gateway|agent)[\w-]*\.yaml": "collector",
    r"alerts/rules/[\w-]+\.yaml": "rules",
    r"grafana/dashboards/[\w-]+\.json": "dashboards",
}
_OF_THE_CLONE: Final = (".mk", ".pyc")  # commands of its Makefile
_DOCKERFILE: Final = """\
# The image of compose.yaml's profiles: this package, from PyPI.
FROM python:3.13.9-slim-trixie
RUN pip install --no-cache-dir 'qudag-otel[demo]=={version}' \\
    && useradd --system --uid 10001 --no-create-home qudag
ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
USER 10001:10001
ENTRYPOINT ["qudag-otel"]
CMD ["demo", "--headless"]
"""


def files() -> dict[str, bytes]:
    """Every file of the stack for compose, by its path below the folder that it is exported to."""
    found = {"Dockerfile": _DOCKERFILE.format(version=version("qudag-otel")).encode()}
    return found | {name: text for name, text in _parts().items() if not name.startswith(_CHART)}


def chart() -> dict[str, bytes]:
    """Every file of the Helm chart: its own, and the stack's configuration files below files/."""
    found: dict[str, bytes] = {}
    for name, content in _parts().items():
        if name.startswith(_CHART):
            found[name.removeprefix(_CHART)] = content
        for source, target in _CHARTED.items():
            if re.fullmatch(source, name):
                found[f"files/{target}/{name.rpartition('/')[2]}"] = content
    return found


def _parts() -> dict[str, bytes]:
    root = _INSTALLED if _INSTALLED.is_dir() else _CLONE
    found: dict[str, bytes] = {}
    for part in PARTS:
        paths = sorted((root / part).rglob("*")) if (root / part).is_dir() else [root / part]
        found |= {
            path.relative_to(root).as_posix(): path.read_bytes()
            for path in paths
            if path.is_file() and path.suffix not in _OF_THE_CLONE
        }
    return found


def write(folder: Path, texts: Mapping[str, bytes]) -> list[Path]:
    """Write files into a folder; what is there under other names stays.

    Args:
        folder: Where to; made if it is not there.
        texts: The files by their paths.

    Returns:
        What was written.

    Raises:
        OSError: Something cannot be written.
    """
    written: list[Path] = []
    for name, content in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        written.append(path)
    return written


def prepare(state: Path) -> bool:
    """Make what compose mounts: the queues' folder, and Grafana's password on the first start.

    The state folder itself is for this user only. What is in it has to be readable, and the
    queues writable, by the users inside the containers.

    Returns:
        Whether the password is new.
    """
    state.mkdir(parents=True, exist_ok=True)
    state.chmod(0o700)
    queues, password = (state / name for name in KEPT)
    queues.mkdir(exist_ok=True)
    queues.chmod(0o777)
    if password.exists():
        return False
    # Nothing may hold half a password, so it gets its name when it is complete.
    fresh = password.with_suffix(".new")
    fresh.write_text(secrets.token_urlsafe(24))
    fresh.chmod(0o444)
    fresh.rename(password)
    return True


def mounted(compose: str) -> list[str]:
    """The files and folders beside it that a compose file mounts."""
    return sorted(set(re.findall(r"source: \./([\w./-]+)", compose)))
