"""docs/licences.md: written from what the tools found, read by the check."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from tests.licences.locks import Package
from tests.servers.build import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

DOCUMENT: Final = REPOSITORY / "docs" / "licences.md"
KINDS: Final = ("Python", "npm", "Go", "Rust")
_HEAD: Final = """\
# Licences

What the project depends on and what it builds for its tests and its native stack, with the licence
of each. `make licences` asks pip-licenses, the lock files of npm, licensecheck about the Go modules
that are linked into the servers, and cargo, and writes this file. `make check` compares it with the
lock files and refuses AGPL, what is unknown, and every licence that tests/licences/policy.py does
not list.
The images of compose.yaml are not in it; Grafana's is under AGPL and is not changed or linked to.
"""


class Row(NamedTuple):
    """A package, its licence, and what it is in the project for."""

    package: Package
    licence: str
    users: Sequence[str]


class Record(NamedTuple):
    """The document: rows by kind, and digests of the lock files of what is built."""

    rows: dict[str, list[Row]]
    digests: dict[str, str]


def written(record: Record) -> str:
    """The document's text."""
    parts = [_HEAD]
    for kind in KINDS:
        rows = sorted(record.rows[kind])
        lines = (
            f"| {name} | {version} | {licence} | {', '.join(users)} |"
            for (name, version), licence, users in rows
        )
        parts.append(_table(kind, ("package", "version", "licence", "for"), lines))
    digests = (f"| {server} | {digest} |" for server, digest in record.digests.items())
    parts.append(_table("Lock files", ("server", "digest"), digests))
    return "\n".join(parts)


def _table(title: str, heads: Sequence[str], lines: Iterable[str]) -> str:
    head = f"| {' | '.join(heads)} |\n|{'---|' * len(heads)}"
    return f"## {title}\n\n{head}\n" + "".join(f"{line}\n" for line in lines)


def read(text: str) -> Record:
    """The record that a text holds; what is not there is empty."""
    sections = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))
    rows = {
        kind: [
            Row(Package(name, version), licence, users.split(", "))
            for name, version, licence, users in _cells(sections.get(kind, ""), 4)
        ]
        for kind in KINDS
    }
    digests = dict(_cells(sections.get("Lock files", ""), 2))
    return Record(rows, digests)


def _cells(section: str, count: int) -> list[list[str]]:
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in cells if len(row) == count]
