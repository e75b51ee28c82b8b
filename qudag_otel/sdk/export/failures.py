"""Why an export failed, in one word for metrics and one sentence for people."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from qudag_otel._redact.values import safe_text

_LONGEST: Final = 200  # characters of a receiver's own words
_SPACE: Final = re.compile(r"\s+")
# The libraries tell what happened in texts alone. The first pattern that is found names it.
_CAUSES: Final = tuple(
    (kind, re.compile(pattern, re.IGNORECASE), words)
    for kind, pattern, words in (
        (
            "certificate_invalid",
            "certificate.verify|hostname.*match|doesn't match|peer name|hostname verification",
            "TLS: the certificate of the receiver is not trusted",
        ),
        (
            "tls_failed",
            r"ssl|\btls\b|handshake",
            "TLS failed; is it TLS that the receiver speaks there?",
        ),
        (
            "name_not_found",
            "resolution|getaddrinfo|name or service|failed to resolve|errors resolving|nodename",
            "the name of the receiver is not found",
        ),
        ("connection_refused", "refused", "connection refused: nothing listens there"),
        ("unreachable", "no route to host|unreachable|enoent|no such file", "unreachable"),
        ("timeout", "timed? ?out|deadline", "timeout: no answer in time"),
        (
            "wrong_protocol",
            r"badstatusline|illegal|http/2|http2|http1|http/0\.9|invalidheader",
            "another protocol is spoken there; are the ports of HTTP and gRPC mixed up?",
        ),
        (
            "connection_closed",
            "reset|closed|aborted|disconnected|broken pipe|eof|goaway|incomplete",
            "the connection was closed without an answer",
        ),
    )
)


@dataclass(frozen=True, slots=True)
class Failure:
    """What came of one request instead of an acknowledgement.

    Args:
        kind: The attribute `error.type`: of few values.
        reason: What happened, for people.
        retry: Whether it may go better soon.
        after: How long the receiver asks to wait, in seconds.
        too_large: Whether a smaller request would do.
    """

    kind: str
    reason: str
    retry: bool = False
    after: float | None = None
    too_large: bool = False


class NotDelivered(Exception):  # noqa: N818 - it is an answer, counted and logged
    """Some of what was to be exported did not reach the receiver.

    Args:
        lost: How many spans, data points or records.
        failure: Why.
    """

    def __init__(self, lost: int, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.lost = lost
        self.failure = failure


def of_text(text: str) -> Failure:
    """Name the failure of a connection from what a library says about it."""
    for kind, pattern, words in _CAUSES:
        if pattern.search(text):
            return Failure(kind, words, retry=True)
    return Failure("other", shortened(text), retry=True)


def shortened(text: str) -> str:
    """A receiver's words on one line, and not too many of them."""
    line = _SPACE.sub(" ", text).strip()
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."


def described(error: BaseException) -> str:
    """An exception as text, also one whose own text fails."""
    return shortened(safe_text(error, repr))
