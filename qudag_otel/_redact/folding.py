"""Letters that look like Latin ones, as those: a name is a name in whatever alphabet it is typed.

Each character becomes one character, so that places in a text and in the folded text agree.
"""

from __future__ import annotations

import unicodedata
from typing import Final

# Cyrillic and Greek letters that read as Latin ones, and letters with a stroke.
# Source: Unicode Technical Standard 39, confusables.txt; those of the words in question.
_LOOKALIKES: Final = dict(
    zip(
        map(ord, "аАеЕоОрРсСуУхХіІјЈѕЅԁһНкКмМтТвВԛԝԜαΑοΟρΡνΝκΚιΙτΤεΕɑıłŁøØđĐ"),
        "aAeEoOpPcCyYxXiIjJsSdhHkKmMtTBBqwWaAoOpPvNkKiItTeEailLoOdD",
        strict=True,
    )
)
_KEPT: Final = 4096
_ASCII: Final = 128


class _Folding(dict[int, int]):
    """A table for `str.translate` that fills itself, and is bounded."""

    def __missing__(self, code: int) -> int:
        plain = unicodedata.normalize("NFKD", chr(code))[0]
        found = ord(_LOOKALIKES.get(code, plain))
        if found >= _ASCII:
            found = code
        if len(self) < _KEPT:
            self[code] = found
        return found


_folding: Final = _Folding()


def folded(text: str) -> str:
    """A text of the same length in which full-width, accented and look-alike letters are Latin."""
    return text if text.isascii() else text.translate(_folding)
