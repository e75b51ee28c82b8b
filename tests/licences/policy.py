"""Which licences may come in, and how packages spell them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

ALLOWED: Final = frozenset({
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-2-Clause-Views", "BSD-3-Clause", "BlueOak-1.0.0",
    "CC-BY-4.0", "CC0-1.0", "CDLA-Permissive-2.0", "ISC", "LGPL-2.1", "LGPL-3.0-only", "MIT",
    "MIT-0", "MIT-CMU", "MPL-2.0", "OpenSSL", "PSF-2.0", "Unicode-3.0", "Unlicense", "ZPL-2.1",
    "Zlib",
})  # fmt: skip
"""By SPDX identifier. Everything else is refused: AGPL and its kind, and what is not known."""

SPELLED: Final[Mapping[str, str]] = {
    r"apache[- ](software )?(license )?(version )?2(\.0)?|apache software license": "Apache-2.0",
    r"(the )?mit( license)?|dfsg approved; mit license": "MIT",
    r"(3-clause bsd|bsd 3-clause|new bsd)( license)?": "BSD-3-Clause",
    r"bsd 2-clause( license)?": "BSD-2-Clause",
    r"bsd( license)?": "BSD-3-Clause",  # no number: the usual one
    r"apache software license; bsd license": "Apache-2.0 OR BSD-3-Clause",
    r"isc license( \(iscl\))?": "ISC",
    r"mozilla public license 2\.0 \(mpl 2\.0\)": "MPL-2.0",
    r"python software foundation license": "PSF-2.0",
    r"gnu library or lesser general public license \(lgpl\)": "LGPL-2.1",
}
"""What packages write instead of an identifier, as regular expressions in lower case."""

_PLUGINS: Final = (
    "bar-chart", "markdown", "prometheus", "stat-chart", "static-list-variable",
    "status-history-chart", "table", "timeseries-chart",
)  # fmt: skip

STATED: Final[Mapping[str, str]] = {
    "ddtrace": "Apache-2.0 OR BSD-3-Clause",  # LICENSE in its wheel; the metadata name a file
    "kubernetes-validate": "Apache-2.0",  # LICENSE in its wheel; the metadata say "Apache"
    "ring": "ISC AND MIT AND OpenSSL",  # its LICENSE; the metadata name the file
    "typed-function": "MIT",  # its LICENSE, as of the next ones; package.json names none
    **{f"@perses-dev/{name}-plugin": "Apache-2.0" for name in _PLUGINS},
    "ddtrace-internal": "Apache-2.0 OR BSD-3-Clause",  # a part of ddtrace's repository
}
"""Where the metadata say nothing that can be read, what the package's own files say."""


def spdx(*texts: str) -> str:
    """The first text that is a licence, as an SPDX expression; "UNKNOWN" if none is."""
    for text in texts:
        plain = " ".join(text.split())
        if identifiers(plain) <= ALLOWED and plain:
            return plain
        for pattern, identifier in SPELLED.items():
            if re.fullmatch(pattern, plain.lower()):
                return identifier
    return next((text for text in texts if text not in {"", "UNKNOWN"}), "UNKNOWN")


def is_allowed(expression: str) -> bool:
    """Whether a choice that the expression leaves consists of allowed licences only.

    With brackets, which are rare, every licence that it names has to be allowed.
    """
    choices = [expression] if "(" in expression else expression.split(" OR ")
    return any(identifiers(choice) <= ALLOWED for choice in choices)


def identifiers(expression: str) -> set[str]:
    """The licences that an expression names."""
    return set(re.split(r" AND | OR ", re.sub(r"[()]", "", expression)))
