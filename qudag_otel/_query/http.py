"""Requests to a server that a person named: what its URL is, and why there is no answer.

The only place outside of the SDK that opens a connection. It closes what it opens, errors too.
"""

from __future__ import annotations

import base64
import http.client
import ssl
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import email.message
    from collections.abc import Callable, Mapping
    from typing import IO

MAX_BYTES: Final = 64 * 1024 * 1024
"""A longer answer is not read to its end."""

_REASON_BYTES: Final = 2000
_TLS_RECORDS: Final = ("\x15\x03", "\x16\x03")  # an alert, a handshake
_WANTS_TLS: Final = "HTTP request to an HTTPS server"  # Go's servers answer so


class UrlError(ValueError):
    """Words that are no URL of a web server; the message says why."""


class UnreachableError(Exception):
    """No answer.

    Args:
        url: Whose it would have been.
        reason: Why there is none, and what to do.
    """

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(f"cannot reach {url}: {reason}")
        self.reason = reason


class RefusedError(Exception):
    """An answer that is an error.

    Args:
        url: Whose it is.
        status: Its status code.
        reason: The words of the status line.
        text: The beginning of its body.
        location: Where it redirects to, if it does.
    """

    def __init__(self, url: str, status: int, reason: str, text: str, location: str) -> None:
        super().__init__(f"{url} answers {status}: {text or reason}")
        self.status = status
        self.reason = reason
        self.text = text
        self.location = location


@dataclass(frozen=True, slots=True)
class Server:
    """Whom to ask.

    Args:
        url: Its URL, without credentials.
        headers: What every request to it carries.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)


def server(url: str, *, option: str = "", token: str = "", variable: str = "") -> Server:
    """Read a URL; a user and a password in it become basic authentication.

    Args:
        url: With scheme and host.
        option: Where it was given, for the message.
        token: A bearer token, empty for none; it goes before user and password.
        variable: Where the token was given, for the message.

    Raises:
        UrlError: It is none, or the token cannot be one.
    """
    named = f"{option} {url!r}".lstrip()
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
    except ValueError as error:  # brackets without an address, or a port that is no number
        raise UrlError(f"{named} is no URL: {error}") from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or port == 0:
        raise UrlError(f"{named} is no URL: give it as http://HOST:PORT")
    token = token.strip()  # files end in a line end
    if not (token.isascii() and token.isprintable()):
        raise UrlError(f"{variable} holds something else than a token: give its one word")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    netloc = host if port is None else f"{host}:{port}"
    shown = urllib.parse.urlunsplit((parts.scheme, netloc, parts.path, parts.query, ""))
    headers: dict[str, str] = {}
    if parts.username is not None:
        name, password = map(urllib.parse.unquote, (parts.username, parts.password or ""))
        secret = base64.b64encode(f"{name}:{password}".encode()).decode()
        headers["Authorization"] = f"Basic {secret}"
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return Server(shown, headers)


def fetch(
    asked: Server,
    path: str = "",
    body: bytes | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    timeout: float,
    redirects: bool = False,
) -> bytes:
    """Ask a server, with POST if there is a body.

    Args:
        asked: The server.
        path: What stands behind its URL.
        body: What is sent.
        headers: More headers.
        timeout: How long each step may take, in seconds.
        redirects: Follow them, unless there are credentials: those are for the host that was
            named. The body of a POST would be lost.

    Raises:
        UnreachableError: No answer.
        RefusedError: An answer that is an error, or a redirect that is not followed.
    """
    request = urllib.request.Request(  # noqa: S310 - `server` lets http and https through alone
        asked.url.rstrip("/") + path if path else asked.url,
        body,
        {**asked.headers, **(headers or {})},
    )
    opener = urllib.request.build_opener(
        *([] if redirects and not asked.headers else [_NoRedirect])
    )
    try:
        with opener.open(request, timeout=timeout) as answer:
            content: bytes = answer.read(MAX_BYTES)
            return content
    except urllib.error.HTTPError as error:
        with error:
            text = error.read(_REASON_BYTES).decode(errors="replace").strip()
        if error.code == http.HTTPStatus.BAD_REQUEST and _WANTS_TLS in text:
            raise UnreachableError(asked.url, _NEEDS_TLS) from error
        location = error.headers.get("Location") or ""
        raise RefusedError(asked.url, error.code, error.reason, text, location) from error
    except (OSError, http.client.HTTPException) as error:
        raise UnreachableError(asked.url, why(error) + _proxied(asked.url)) from error


_NEEDS_TLS: Final = "it speaks TLS: write https://"
_WHY: Final[tuple[tuple[type[BaseException], Callable[[Any], str]], ...]] = (
    (
        ssl.SSLCertVerificationError,
        lambda error: (
            f"its certificate is not trusted ({error.verify_message}): "
            "name the file of its authority in SSL_CERT_FILE"
        ),
    ),
    (
        ssl.SSLError,
        lambda error: (
            "it does not speak TLS: write http://"
            if error.reason in {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE"}
            else f"TLS fails: {error.reason or error}"
        ),
    ),
    (TimeoutError, lambda _: "no answer in time"),
    (http.client.RemoteDisconnected, lambda _: "it ends the connection without an answer"),
    (
        http.client.BadStatusLine,
        lambda error: _NEEDS_TLS if error.line.startswith(_TLS_RECORDS) else _NOT_HTTP,
    ),
    (http.client.HTTPException, lambda _: _NOT_HTTP),
    (BaseException, lambda error: str(getattr(error, "strerror", None) or error)),
)
_NOT_HTTP: Final = "its answer is not HTTP"


def why(error: BaseException) -> str:
    """Why a connection failed, in words that name the remedy where there is one."""
    reason = getattr(error, "reason", None)
    cause = reason if isinstance(reason, BaseException) else error
    return next(words(cause) for kind, words in _WHY if isinstance(cause, kind))


def _proxied(url: str) -> str:
    parts = urllib.parse.urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if not proxy or urllib.request.proxy_bypass(parts.netloc):
        return ""
    return f"; asked through the proxy {proxy.rpartition('@')[2]} (NO_PROXY excepts hosts)"


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Let a redirect surface as an error."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: email.message.Message,
        newurl: str,
    ) -> None:
        """Follow none."""
