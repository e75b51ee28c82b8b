"""The work that agents do on received files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import zstandard

if TYPE_CHECKING:
    from collections.abc import Iterator

INDEX_WORDS: Final = 2000
"""How many words a node's index keeps: the most frequent ones."""

_WORD: Final = re.compile(rb"[A-Za-z_]{4,32}")
_INDEXED_BYTES: Final = 64 * 1024
_ARCHIVE_LEVEL: Final = 12


def words(content: bytes) -> Iterator[str]:
    """The words in the first 64 KiB of a file."""
    return (word.decode("ascii") for word in _WORD.findall(content[:_INDEXED_BYTES]))


def archived_size(content: bytes) -> int:
    """How many bytes the file takes when it is compressed well; slow, so call it in a thread."""
    return len(zstandard.ZstdCompressor(level=_ARCHIVE_LEVEL).compress(content))
