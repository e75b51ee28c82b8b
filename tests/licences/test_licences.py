"""The licence check: green as the repository is, red for what it is there to find."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.licences import locks, policy
from tests.licences.__main__ import complaints
from tests.licences.locks import Package
from tests.licences.record import DOCUMENT, Record, Row, read, written
from tests.licences.tools import installed
from tests.servers.build import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCKS = ("go.mod", "package-lock.json", "Cargo.lock", "uv.lock", "poetry.lock", "yarn.lock")


@pytest.fixture
def record() -> Record:
    """The committed one."""
    return read(DOCUMENT.read_text())


@pytest.fixture(scope="module")
def here() -> Mapping[Package, str]:
    """What is installed in this environment."""
    return installed()


def test_record_as_committed_has_no_complaint(record: Record, here: Mapping[Package, str]) -> None:
    """Everything that is pinned is listed, allowed, and as pip-licenses reads it here."""
    assert complaints(record, here) == []
    assert len(set(here) & {row.package for row in record.rows["Python"]}) > 50
    assert read(written(record)) == record


@pytest.mark.parametrize("kind", ["Python", "npm", "Go", "Rust"])
@pytest.mark.parametrize(
    "licence",
    ["AGPL-3.0", "MIT AND AGPL-3.0-only", "SSPL-1.0", "BUSL-1.1", "GPL-3.0",
     "GPL-2.0 OR AGPL-3.0", "(MIT OR ISC) AND AGPL-3.0", "UNKNOWN", "",
     "Other/Proprietary License"],
)  # fmt: skip
def test_licence_that_is_not_allowed_is_refused(record: Record, kind: str, licence: str) -> None:
    """Whatever pulls it in; the package is named with its licence."""
    row = record.rows[kind][0]
    record.rows[kind][0] = Row(row.package, licence, row.users)
    assert complaints(record, {}) == [
        f"{row.package.name} {row.package.version}: {licence} is not allowed"
    ]


def test_package_that_is_pinned_anew_is_missed(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A dependency cannot come in without being listed, nor stay listed when it is gone."""
    new, pinned = Package("copyleft", "1.0"), locks.python()
    gone = next(iter(pinned))
    left = {package: users for package, users in pinned.items() if package != gone}
    monkeypatch.setattr(locks, "python", lambda: {**left, new: ["dev"]})
    assert complaints(record, {}) == [
        "copyleft 1.0 is pinned and not listed",
        f"{gone.name} {gone.version} is listed and not pinned",
    ]


def test_lock_file_that_changed_is_to_be_listed_anew(
    record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which modules a server links follows from its go.mod, and crates from Cargo.lock."""
    monkeypatch.setattr(locks, "digests", lambda: {**record.digests, "jaeger": "0"})
    assert complaints(record, {}) == ["jaeger: its lock file changed after its parts were listed"]


def test_row_that_says_something_else_than_the_package_is_noticed(record: Record) -> None:
    """The table cannot be talked into another licence."""
    row = record.rows["Python"][0]
    assert complaints(record, {row.package: "AGPL-3.0-only"}) == [
        f"{row.package.name} is under AGPL-3.0-only, listed is {row.licence}"
    ]


@pytest.mark.parametrize(
    ("texts", "expression"),
    [
        (("MIT", "UNKNOWN", "BSD License"), "MIT"),
        (("UNKNOWN", "Dual License", "Apache Software License; BSD License"),
         "Apache-2.0 OR BSD-3-Clause"),
        (("UNKNOWN", "Apache License, Version 2.0", "Apache Software License"), "Apache-2.0"),
        (("UNKNOWN", "MIT OR Apache-2.0", "Other/Proprietary License"), "MIT OR Apache-2.0"),
        (("AGPL-3.0-only", "UNKNOWN", "UNKNOWN"), "AGPL-3.0-only"),
        (("UNKNOWN", "GNU AFFERO GPL 3.0", "UNKNOWN"), "GNU AFFERO GPL 3.0"),
        (("UNKNOWN", "", "UNKNOWN"), "UNKNOWN"),
    ],
)  # fmt: skip
def test_texts_of_packages_become_spdx_expressions(texts: tuple[str, ...], expression: str) -> None:
    """The expression, the metadata, the classifier: the first that says something."""
    assert policy.spdx(*texts) == expression


def test_every_lock_file_of_the_repository_is_read() -> None:
    """A new language, server or set of requirements is not forgotten."""
    known = {*locks.REQUIREMENTS, *locks.NPM, *locks.BUILDS.values()}
    folders = [path for path in REPOSITORY.iterdir() if path.is_dir() and path.name != ".venv"]
    found = {path for folder in folders for name in LOCKS for path in folder.rglob(name)}
    found |= {*REPOSITORY.glob("requirements/*.txt"), *REPOSITORY.glob("*.lock")}
    tracked = {path.relative_to(REPOSITORY).as_posix() for path in found}
    assert {path for path in tracked if "node_modules" not in path} <= known
