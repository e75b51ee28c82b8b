"""What counts as a secret, for the application to extend and to use.

Everything that this package sends, serves, writes or logs is masked in the process: by name
(`password`, `X-Api-Key`, `db_pwd`, also inside dicts, dataclasses, JSON, queries and command
lines) and by shape (credentials in URLs, private keys, tokens, API keys of providers). SECURITY.md
says what is not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from qudag_otel._redact import MASK, exportable, texts

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MASK", "mask_also", "redacted"]


def mask_also(
    *, names: Iterable[str] = (), patterns: Iterable[str] = (), values: Iterable[str] = ()
) -> None:
    """Treat more as secret from now on, in the whole process.

    Args:
        names: Names whose values are masked, in any spelling: "wallet id" is `walletId`,
            `WALLET_ID` and `my.wallet-id`, too.
        patterns: Regular expressions for what is masked in any text. They run on every text that
            leaves the process: keep them linear.
        values: Texts to mask wherever they stand, such as a password that was read from a file;
            what is shorter than 6 characters is left out.

    Raises:
        re.error: A pattern is no regular expression.
    """
    compiled = [re.compile(pattern) for pattern in patterns]
    texts.add_names(names)
    texts.add(compiled)
    texts.learn(*values)


def redacted(value: object, *, name: str = "") -> object:
    """A value as it would leave the process: plain data with its secrets masked; never raises.

    Args:
        value: Any value.
        name: What it is called.
    """
    return exportable(value, name=name)
