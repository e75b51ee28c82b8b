"""Where and how each signal is sent, as the variables say, and the exporter that does so."""

from __future__ import annotations

import importlib
import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from qudag_otel._otel.encoders import encoder
from qudag_otel._redact.names import Verdict, verdict
from qudag_otel._warnings import warn_once
from qudag_otel.sdk.settings import variables as v
from qudag_otel.sdk.settings.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qudag_otel.sdk.export.client import OtlpExporter, Transport
    from qudag_otel.sdk.settings.settings import Settings

GRPC: Final = "grpc"
_DEFAULT: Final = {
    GRPC: "http://localhost:4317",
    "http/protobuf": "http://localhost:4318",
    "http/json": "http://localhost:4318",
}
_WEB: Final = ("http", "https")
_PLAIN: Final = ("http", "unix")  # schemes that say by themselves: no TLS
_SUSPICIOUS_SECONDS: Final = 0.1
_HTTP_ON_USE: Final = (
    "encodings.idna", "google.rpc.status_pb2", "netrc", "requests.exceptions",
    "qudag_otel.sdk.export.http", "qudag_otel.sdk.export.patience",
)  # fmt: skip
_LOADED_ON_USE: Final = {
    GRPC: (
        "encodings.idna", "google.rpc.error_details_pb2", "google.rpc.status_pb2", "grpc._channel",
        "grpc.experimental", "qudag_otel.sdk.export.grpc",
    ),
    "http/protobuf": _HTTP_ON_USE,
    "http/json": (*_HTTP_ON_USE, "google.protobuf.json_format"),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Where and how one signal is sent.

    Args:
        signal: "traces", "metrics" or "logs".
        protocol: "grpc", "http/protobuf" or "http/json".
        endpoint: For gRPC the URL of the receiver or a target of gRPC's own, for HTTP the whole URL
            of the signal.
        insecure: No TLS.
        headers: Headers of every request.
        timeout: How long one export may take with its retries, in seconds.
        compression: "none", "gzip" or "deflate".
        certificate: PEM file of authorities; empty for the system's.
        client_key: PEM file; empty for none.
        client_certificate: PEM file; empty for none.
    """

    signal: str
    protocol: str
    endpoint: str
    insecure: bool
    headers: Mapping[str, str]
    timeout: float
    compression: str
    certificate: str
    client_key: str
    client_certificate: str


def receiver(settings: Settings, signal: str) -> Receiver:
    """Read where and how a signal is sent.

    Raises:
        ConfigurationError: Two variables contradict each other.
    """
    protocol = settings[v.OTLP_PROTOCOL[signal]]
    compression = v.OTLP_COMPRESSION[signal]
    if protocol == GRPC and settings[compression] == "deflate":
        raise ConfigurationError(
            _spelled(settings, compression), "deflate", "gRPC has no such compression",
            f"Set it to gzip or none, or {v.OTLP_PROTOCOL[signal].name} to http/protobuf.",
        )  # fmt: skip
    key, certificate = v.OTLP_CLIENT_KEY[signal], v.OTLP_CLIENT_CERTIFICATE[signal]
    if settings[key] and not settings[certificate]:
        raise ConfigurationError(
            _spelled(settings, key), settings[key], "a key without its certificate",
            f"Set {certificate.name} to the certificate that belongs to it.",
        )  # fmt: skip
    timeout = settings[v.OTLP_TIMEOUT[signal]]
    if timeout < _SUSPICIOUS_SECONDS:
        name = _spelled(settings, v.OTLP_TIMEOUT[signal])
        warn_once(
            f"timeout:{name}", "%s is in milliseconds: exports get %g ms", name, timeout * 1e3
        )
    endpoint = _endpoint(settings, signal, protocol)
    scheme = urlsplit(endpoint).scheme  # in lower case
    scheme = scheme if scheme in _PLAIN or scheme in _WEB else ""
    insecure = scheme in _PLAIN or (not scheme and settings[v.OTLP_INSECURE[signal]])
    headers = settings[v.OTLP_HEADERS[signal]]
    if insecure:
        _warn_of_plain_text(settings, signal, endpoint, headers)
    return Receiver(
        signal=signal,
        protocol=protocol,
        endpoint=endpoint,
        insecure=insecure,
        headers=headers,
        timeout=timeout,
        compression=settings[compression],
        certificate=settings[v.OTLP_CERTIFICATE[signal]],
        client_key=settings[key],
        client_certificate=settings[certificate],
    )


def _warn_of_plain_text(
    settings: Settings, signal: str, endpoint: str, headers: Mapping[str, str]
) -> None:
    """Warn of credentials that leave this host for everybody on the way to read.

    A warning and no error: where a service mesh or a tunnel encrypts what leaves the host, that is
    a set-up in order.
    """
    url = urlsplit(endpoint if "://" in endpoint else f"//{endpoint}")
    secret = [name for name in headers if verdict(name) is not Verdict.PLAIN]
    if url.password:
        secret.append("the user and password of the URL")
    if secret and not _on_this_host(url.hostname or ""):
        warn_once(
            f"plain:{signal}:{endpoint}",
            "%s: %s would go to %s in plain text, for everybody on the way to read. Use https://, "
            "or send to a Collector on this host that holds the credentials.",
            _spelled(settings, v.OTLP_HEADERS[signal]),
            ", ".join(secret),
            url.hostname,
        )


def _on_this_host(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost") or host.startswith("/")


def _spelled(settings: Settings, variable: v.Variable[Any]) -> str:
    """Name the variable that really holds the value: the signal's own or the general one."""
    origin = settings.origin(variable)
    return origin if origin in v.TABLE else variable.name


def _endpoint(settings: Settings, signal: str, protocol: str) -> str:
    variable = v.OTLP_ENDPOINT[signal]
    url = settings[variable] or _DEFAULT[protocol]
    if protocol == GRPC:
        return url
    parts = urlsplit(url)
    if "://" not in url or parts.scheme.lower() not in _WEB:
        bare = url.rpartition("://")[2]
        raise ConfigurationError(
            _spelled(settings, variable), url, "over HTTP an endpoint begins with http or https",
            f"Write http://{bare} or https://{bare}.",
        )  # fmt: skip
    if settings.origin(variable) in {"environment", "argument"}:
        return url
    return parts._replace(path=f"{parts.path.rstrip('/')}/v1/{signal}").geturl()


def load(to: Receiver) -> Callable[[], OtlpExporter]:
    """Load the protocol's library, and the encoder of the signal.

    Args:
        to: Where and how.

    Returns:
        What makes an exporter.
    """
    from qudag_otel.sdk.export.client import OtlpExporter

    kind: Callable[[Receiver], Transport]
    if to.protocol == GRPC:
        from qudag_otel.sdk.export.grpc import GrpcTransport

        kind = GrpcTransport
    else:
        from qudag_otel.sdk.export.http import HttpTransport

        kind = HttpTransport
    # What an export would load in the middle of it: a child that is forked meanwhile would wait for
    # ever for an import that the parent's thread has begun.
    for name in _LOADED_ON_USE[to.protocol]:
        importlib.import_module(name)
    encode = encoder(to.signal)

    def build() -> OtlpExporter:
        return OtlpExporter(
            to.signal, kind(to), encode, timeout=to.timeout, json=to.protocol == "http/json"
        )

    return build
