"""The blocks of the documents: which there are, and what stands below them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.servers.build import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DOCUMENTS: Final = [
    *(REPOSITORY / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")),
    *sorted((REPOSITORY / "docs").rglob("*.md")),
]
FENCE: Final = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TITLE: Final = re.compile(r'title="([^"]+)"')


class Block(NamedTuple):
    """A fenced block of a document.

    Args:
        document: Where it stands.
        number: Its place there.
        language: What its fence says.
        info: What its fence says beside the language.
        code: What is in it.
        output: The block `text` that follows it, if one does.
    """

    document: Path
    number: int
    language: str
    info: str
    code: str
    output: str

    @property
    def file(self) -> str:
        """The name of the file that it is, or "" if it is none."""
        titles = _TITLE.findall(self.info)
        return titles[0] if titles else ""


def blocks_of(document: Path) -> Iterator[Block]:
    """All blocks of a document, in order."""
    fences = FENCE.findall(document.read_text())
    for number, (language, info, code) in enumerate(fences):
        following = fences[number + 1] if number + 1 < len(fences) else ("", "", "")
        output = following[2] if following[0] == "text" else ""
        yield Block(document, number, language, info.strip(), code, output)


def blocks(*languages: str) -> list[Block]:
    """All blocks in one of the languages."""
    every = (block for document in DOCUMENTS for block in blocks_of(document))
    return [block for block in every if block.language in languages]


def name_of(block: Block) -> str:
    """Its document and place, for the name of a test."""
    return f"{place(block.document)}-{block.number}"


def place(document: Path) -> str:
    """A document as the repository names it."""
    return str(document.relative_to(REPOSITORY))


def says(printed: str, output: str) -> bool:
    """Whether what was printed is what the document says.

    An ellipsis stands for anything in its line, one that is a line for any lines.
    """
    lines = (
        r"[\s\S]*" if line == "…" else re.escape(line).replace("…", ".*")
        for line in output.strip().splitlines()
    )
    return bool(re.fullmatch("\n".join(lines), printed.strip()))
