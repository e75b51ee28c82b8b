"""The site: it builds without a warning, and is read without asking anybody else for anything."""

from __future__ import annotations

import importlib
import os
import re
import subprocess
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.docs.test_names import MODULES, public_names
from tests.servers.build import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

CACHE: Final = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "qudag-otel"
# What a browser fetches by itself; a link that is clicked may lead anywhere.
_FETCHED: Final = re.compile(
    r"""<(?:script|img|iframe|source|video|audio)\b[^>]*?\ssrc=["']?(?P<src>[^"'\s>]+)
    |<link\b(?![^>]*rel=["']?canonical)[^>]*?\shref=["']?(?P<href>[^"'\s>]+)
    |url\(["']?(?P<url>[^"')]+)|@import\s+["'](?P<imported>[^"']+)""",
    re.VERBOSE,
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as `make docs` does."""
    python = _run(".ci/docs", str(CACHE)).strip().splitlines()[-1]
    folder = tmp_path_factory.mktemp("site")
    _run(python, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder))
    return folder


def _run(*command: str) -> str:
    ended = subprocess.run(
        command,
        cwd=REPOSITORY,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def _fetched(site: Path) -> Iterator[str]:
    for path in sorted(site.rglob("*")):
        if path.suffix in {".html", ".css"}:
            for found in _FETCHED.finditer(path.read_text()):
                yield next(filter(None, found.groups()))


def test_every_page_is_built(site: Path) -> None:
    """Strict: a link, an anchor or a name of the reference that leads nowhere is an error."""
    pages = [path.relative_to(REPOSITORY / "docs") for path in (REPOSITORY / "docs").rglob("*.md")]
    assert [page for page in pages if not (site / page.with_suffix(".html")).exists()] == []


@pytest.mark.parametrize("module", MODULES)
def test_public_names_stand_in_the_reference(site: Path, module: str) -> None:
    """With what their docstrings say; the site's inventory lists them."""
    _, _, packed = (site / "objects.inv").read_bytes().partition(b"zlib.\n")
    listed = {line.split()[0] for line in zlib.decompress(packed).decode().splitlines()}
    missing = []
    for name in public_names(module):
        public = getattr(importlib.import_module(module), name)
        home = getattr(public, "__module__", None) or module
        known = {f"{home}.{name}", f"{module}.{name}", f"{home}.{type(public).__name__}.__call__"}
        if not known & listed:
            missing.append(name)
    assert missing == []


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    """No fonts, scripts, pictures or counters of others; what is fetched exists."""
    fetched = list(_fetched(site))
    assert any(name.endswith(".js") for name in fetched)
    assert [name for name in fetched if re.match(r"(?:https?:)?//", name)] == []
