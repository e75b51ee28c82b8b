"""The planted secrets: texts with what must not be left of them, and innocent texts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_FILE: Final[dict[str, Any]] = json.loads(Path(__file__).with_name("corpus.json").read_text())


@dataclass(frozen=True)
class Planted:
    """A text with secrets in it, and what has to stay readable."""

    kind: str
    text: str
    secrets: tuple[str, ...]
    keep: tuple[str, ...]


PLANTED: Final = tuple(
    Planted(row["kind"], row["text"], tuple(row["secrets"]), tuple(row.get("keep", ())))
    for row in _FILE["secrets"]
)
INNOCENT: Final[tuple[str, ...]] = tuple(_FILE["innocent"])


def found_in(output: str) -> list[str]:
    """Those planted secrets that an output still has."""
    return [secret for one in PLANTED for secret in one.secrets if secret in output]
