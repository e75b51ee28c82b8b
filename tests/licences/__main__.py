"""`python -m tests.licences [--check]`."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from tests.licences import locks, tools
from tests.licences.policy import STATED, is_allowed, spdx
from tests.licences.record import DOCUMENT, Record, Row, read, written

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.licences.locks import Package


def complaints(record: Record, installed: Mapping[Package, str]) -> list[str]:
    """What is not listed, listed in vain or with another licence, or not allowed."""
    found = []
    for kind, pinned in (("Python", set(locks.python())), ("npm", set(locks.npm()))):
        listed = {row.package for row in record.rows[kind]}
        found += [f"{' '.join(one)} is pinned and not listed" for one in sorted(pinned - listed)]
        found += [f"{' '.join(one)} is listed and not pinned" for one in sorted(listed - pinned)]
    for server, digest in locks.digests().items():
        if record.digests.get(server) != digest:
            found.append(f"{server}: its lock file changed after its parts were listed")
    for row in record.rows["Python"]:
        licence = installed.get(row.package, row.licence)
        if licence != row.licence:
            found.append(f"{row.package.name} is under {licence}, listed is {row.licence}")
    for rows in record.rows.values():
        found += [
            f"{row.package.name} {row.package.version}: {row.licence} is not allowed"
            for row in rows
            if not is_allowed(row.licence)
        ]
    return found


def listed() -> Record:
    """What the tools find now."""
    users, licences = locks.python(), tools.downloaded()
    rows = {
        "Python": [Row(one, licences.get(one, "UNKNOWN"), users[one]) for one in users],
        "npm": [
            Row(one, STATED.get(one.name) or spdx(licence), users)
            for one, (licence, users) in locks.npm().items()
        ],
        "Go": [Row(one, licence, servers) for one, (licence, servers) in tools.linked().items()],
        "Rust": [Row(one, licence, servers) for one, (licence, servers) in tools.crates().items()],
    }
    return Record(rows, locks.digests())


def main() -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(prog="python -m tests.licences", description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare, and write nothing")
    check = parser.parse_args().check
    if not check:
        DOCUMENT.write_text(written(listed()))
    text = DOCUMENT.read_text() if DOCUMENT.exists() else ""
    found = complaints(read(text), tools.installed())
    for one in found:
        sys.stderr.write(f"licences: {one}\n")
    if found:
        sys.stderr.write("remedy: `make licences` lists anew; leave out what is not allowed\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
