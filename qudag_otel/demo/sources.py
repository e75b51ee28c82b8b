"""Real files to send: from any folder, recent ones again and again, as caches meet them."""

from __future__ import annotations

import itertools
import os
import random
import sysconfig
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_FILE_BYTES: Final = 4 * 1024 * 1024
"""Larger files are left out, in bytes: even incompressible they fit into one frame."""

MAX_FILES: Final = 20_000
"""How many files of a folder are used at most."""

REPEATED: Final = 0.9
"""The share of choices that fall on a file chosen lately."""

RECENT: Final = 12
"""How many files count as chosen lately."""

_SKIPPED: Final = frozenset({"__pycache__", "site-packages", "dist-packages", "node_modules"})


class SourceError(ValueError):
    """A folder that cannot be used; the message says why."""


def standard_library() -> Path:
    """The folder with the standard library's sources."""
    return Path(sysconfig.get_path("stdlib"))


class FileSource:
    """An endless choice of a folder's files.

    Args:
        folder: Where the files are; folders below it are read too.
        seed: What the choice follows from.

    Raises:
        SourceError: If there is no such folder, or no file in it that can be used.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        if not folder.is_dir():
            raise SourceError(f"there is no folder {folder}")
        self._random = random.Random(seed)  # noqa: S311  # a reproducible choice, not a secret
        self.files = sorted(itertools.islice(_files(folder), MAX_FILES))
        if not self.files:
            raise SourceError(
                f"the folder {folder} has no readable file up to {MAX_FILE_BYTES >> 20} MiB"
            )
        self._recent: deque[Path] = deque(maxlen=RECENT)

    def next(self) -> Path:
        """The file to send next."""
        if self._recent and self._random.random() < REPEATED:
            return self._random.choice(self._recent)
        file = self._random.choice(self.files)
        self._recent.append(file)
        return file


def _files(folder: Path) -> Iterator[Path]:
    for path, folders, names in os.walk(folder):
        folders[:] = sorted(f for f in folders if f not in _SKIPPED and not f.startswith("."))
        for name in sorted(names):
            file = Path(path, name)
            if file.suffix != ".pyc" and file.is_file() and _usable(file):
                yield file


def _usable(file: Path) -> bool:
    try:
        return file.stat().st_size <= MAX_FILE_BYTES and os.access(file, os.R_OK)
    except OSError:
        return False
