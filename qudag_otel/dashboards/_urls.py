"""Which words are a server's root URL."""

from __future__ import annotations

import urllib.parse


def is_root(url: str) -> bool:
    """Whether a request can be sent there: a scheme of the web, a host, a port if any."""
    try:
        parts = urllib.parse.urlsplit(url)
        return parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets without an address, or a port that is no number
        return False
