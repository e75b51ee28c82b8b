"""The bearer token of /metrics, from a file: Prometheus' web configuration has no key for one.

Prometheus sends it with `authorization: {credentials_file: ...}` in its scrape configuration.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import re
from pathlib import Path
from typing import Final, NamedTuple

from qudag_otel._redact import learn
from qudag_otel.sdk.settings import variables as v
from qudag_otel.sdk.settings.errors import ConfigurationError

# Source: RFC 6750, section 2.1.
_TOKEN: Final = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


class Stamp(NamedTuple):
    """Differs when a file has changed, also within the clock's step or by a rename."""

    modified: int
    node: int
    size: int


def stamp_of(file: Path) -> Stamp:
    """A file's stamp; taken before the file is read, so that no change is missed."""
    found = file.stat()
    return Stamp(found.st_mtime_ns, found.st_ino, found.st_size)


class Token:
    """What a scraper must send; read again when the file changes.

    Args:
        file: Has the token and white space around it, perhaps.

    Raises:
        ConfigurationError: The file cannot be read, or what it has is no token.
    """

    def __init__(self, file: str) -> None:
        self._file = Path(file)
        self._stamp: Stamp | None = None
        try:
            self._read()
        except (OSError, ValueError) as error:
            raise ConfigurationError(
                v.PROMETHEUS_TOKEN.name, file, str(error),
                "Write one token into it: letters, digits and -._~+/, perhaps = behind them.",
            ) from error  # fmt: skip

    def _read(self) -> None:
        stamp = stamp_of(self._file)
        if stamp == self._stamp:
            return
        token = self._file.read_text("utf-8").strip()
        if not _TOKEN.fullmatch(token):  # an empty one, too: it must not open the door
            raise ValueError("there is no bearer token in it")
        learn(token)
        self._digest, self._stamp = _digest(token), stamp

    def admits(self, credentials: str) -> bool:
        """Whether these are the token; takes as long for a wrong one, of any length."""
        with contextlib.suppress(OSError, ValueError):  # half-written, perhaps: as before till then
            self._read()
        return hmac.compare_digest(_digest(credentials.strip()), self._digest)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
