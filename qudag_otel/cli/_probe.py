"""What is spoken at a port, compared with what the configuration says: the classic mistakes."""

from __future__ import annotations

import os
import socket
import ssl
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from qudag_otel._query.http import why
from qudag_otel.sdk.export.otlp import GRPC
from qudag_otel.sdk.settings import variables as v

if TYPE_CHECKING:
    from qudag_otel.sdk.export.otlp import Receiver

CONNECT_SECONDS: Final = 3.0
_ANSWER_SECONDS: Final = 1.0
_MOST: Final = 4096
_PORTS: Final = {"http": 80, "https": 443}
_GRPC_PORT: Final = 4317
# The preface of HTTP/2 with empty settings; a request that no receiver counts as an export.
_HTTP2: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
_HTTP1: Final = "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
_SETTINGS: Final = 4  # the type of the frame that an HTTP/2 server begins with
_PROXIES: Final = {
    GRPC: ("grpc_proxy", "https_proxy", "http_proxy"),
    "http": ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"),
    "https": ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
}
"""Which variables name the proxy that is asked, the first one that is set."""


@dataclass(frozen=True, slots=True)
class Address:
    """Where a receiver is.

    Args:
        host: Its host.
        port: Its port.
        scheme: The scheme that was written; empty for none.
        path: The path of its URL.
        shown: The endpoint without credentials.
    """

    host: str
    port: int
    scheme: str
    path: str
    shown: str


def address(endpoint: str) -> Address | None:
    """Read an endpoint; None for a target that only gRPC can resolve."""
    parts = urllib.parse.urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
    if parts.scheme and parts.scheme not in _PORTS:
        return None
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl().removeprefix("//")
    port = parts.port or _PORTS.get(parts.scheme, _GRPC_PORT)
    return Address(parts.hostname or "", port, parts.scheme, parts.path or "/", shown)


def proxy(to: Receiver, at: Address) -> str:
    """The variable and the proxy that requests to a receiver go through; empty for none."""
    names = _PROXIES[to.protocol if to.protocol == GRPC else at.scheme]
    name = next((name for name in names if os.environ.get(name)), "")
    if not name or urllib.request.proxy_bypass(f"{at.host}:{at.port}"):
        return ""
    return f"{name}={os.environ[name].rpartition('@')[2]}"


def mistake(to: Receiver, at: Address) -> str:
    """What is wrong between here and there, with its remedy; empty if nothing is seen.

    Raises:
        OSError: Nothing accepts a connection there.
    """
    grpc = to.protocol == GRPC
    request = _HTTP2 if grpc else _HTTP1.format(path=at.path, host=at.host).encode()
    with socket.create_connection((at.host, at.port), CONNECT_SECONDS) as plain:
        plain.settimeout(_ANSWER_SECONDS)
        try:
            with plain if to.insecure else _secured(plain, to, at) as connection:
                connection.sendall(request)
                answer = connection.recv(_MOST)
        except ssl.SSLCertVerificationError as error:
            return (
                f"its certificate is not trusted ({error.verify_message}): name the file of its "
                f"authority in {v.OTLP_CERTIFICATE[to.signal].name}"
            )
        except ssl.SSLError as error:
            if at.scheme or "write http://" not in why(error):
                return why(error)
            return (
                "it does not speak TLS, which gRPC uses where there is no scheme: "
                f"write http://{at.shown}"
            )
        except OSError:
            return ""  # it says nothing to this: the test says more
    return _heard(answer, to)


def _secured(plain: socket.socket, to: Receiver, at: Address) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=to.certificate or None)
    context.set_alpn_protocols(["h2"] if to.protocol == GRPC else ["http/1.1"])
    if to.client_certificate:
        context.load_cert_chain(to.client_certificate, to.client_key or None)
    return context.wrap_socket(plain, server_hostname=at.host)


def _heard(answer: bytes, to: Receiver) -> str:
    protocol = v.OTLP_PROTOCOL[to.signal].name
    if answer[:2] == b"\x15\x03" or b"HTTP request to an HTTPS server" in answer:
        return "it speaks TLS: write https://"
    # What is asked in HTTP/2 may be answered without a status line, as in HTTP/0.9.
    if answer.lstrip().startswith((b"HTTP/", b"<")):
        if to.protocol == GRPC:
            return (
                f"it speaks HTTP, not gRPC: set {protocol}=http/protobuf, or use the port of gRPC, "
                "usually 4317"
            )
        head, _, body = answer.partition(b"\r\n\r\n")
        if b" 200 " in head[:16] and (b"text/html" in head.lower() or b"<html" in body.lower()):
            return "it answers with a page of HTML: a web server is there, no receiver of OTLP"
    elif to.protocol != GRPC and answer[3:4] == bytes([_SETTINGS]):
        return (
            f"it speaks gRPC, not HTTP: set {protocol}=grpc, or use the port of HTTP, usually 4318"
        )
    return ""
