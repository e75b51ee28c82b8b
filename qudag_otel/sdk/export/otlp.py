"""The OTLP exporters of the SDK, given everything that the variables say about them.

Everything is passed explicitly, so that neither the meaning of a unit nor a variable that
`configure` was not shown depends on what the exporters read themselves.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from qudag_otel._warnings import warn_once
from qudag_otel.sdk.settings import variables as v
from qudag_otel.sdk.settings.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from qudag_otel.sdk.export.exporting import SdkExporter
    from qudag_otel.sdk.settings.settings import Settings

GRPC: Final = "grpc"
_DEFAULT: Final = {GRPC: "http://localhost:4317", "http/protobuf": "http://localhost:4318"}
_SUSPICIOUS_SECONDS: Final = 0.1
_LOADED_ON_USE: Final = {
    GRPC: (
        "encodings.idna", "grpc.experimental", "grpc._channel",
        "opentelemetry.exporter.otlp.proto.grpc.trace_exporter",
    ),
    "http/protobuf": (
        "encodings.idna", "requests.exceptions", "netrc",
        "opentelemetry.exporter.otlp.proto.http.trace_exporter",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Where and how one signal is sent.

    Args:
        signal: "traces", "metrics" or "logs".
        protocol: "grpc" or "http/protobuf".
        endpoint: For gRPC the URL of the receiver, for HTTP the whole URL of the signal.
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
    scheme = urlsplit(endpoint).scheme if "://" in endpoint else ""
    return Receiver(
        signal=signal,
        protocol=protocol,
        endpoint=endpoint,
        insecure=scheme == "http" or (not scheme and settings[v.OTLP_INSECURE[signal]]),
        headers=settings[v.OTLP_HEADERS[signal]],
        timeout=timeout,
        compression=settings[compression],
        certificate=settings[v.OTLP_CERTIFICATE[signal]],
        client_key=settings[key],
        client_certificate=settings[certificate],
    )


def _spelled(settings: Settings, variable: v.Variable[Any]) -> str:
    """Name the variable that really holds the value: the signal's own or the general one."""
    origin = settings.origin(variable)
    return origin if origin in v.TABLE else variable.name


def _endpoint(settings: Settings, signal: str, protocol: str) -> str:
    variable = v.OTLP_ENDPOINT[signal]
    url = settings[variable] or _DEFAULT[protocol]
    if protocol == GRPC:
        return url
    if "://" not in url:
        raise ConfigurationError(
            _spelled(settings, variable), url, "over HTTP an endpoint needs a scheme",
            f"Write http://{url} or https://{url}.",
        )  # fmt: skip
    own = settings.origin(variable) in {"environment", "argument"}
    return url if own else f"{url.rstrip('/')}/v1/{signal}"


def load(to: Receiver) -> Callable[[float, Mapping[str, object]], SdkExporter]:
    """Load the protocol's library.

    Args:
        to: Where and how.

    Returns:
        What makes an exporter, given how many seconds an export may take and further arguments.
    """
    # What an export would load in the middle of it: a child that is forked meanwhile would wait for
    # ever for an import that the parent's thread has begun.
    for name in _LOADED_ON_USE[to.protocol]:
        importlib.import_module(name)
    return _grpc(to) if to.protocol == GRPC else _http(to)


def _grpc(to: Receiver) -> Callable[[float, Mapping[str, Any]], SdkExporter]:
    import grpc  # type: ignore[import-untyped]  # it ships no types
    from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter

    from qudag_otel.sdk.fast.export import grpc_exporter

    kind: dict[str, Callable[..., Any]] = {
        "traces": grpc_exporter,
        "metrics": OTLPMetricExporter,
        "logs": OTLPLogExporter,
    }
    compression = {"none": grpc.Compression.NoCompression, "gzip": grpc.Compression.Gzip}

    def build(timeout: float, options: Mapping[str, Any]) -> SdkExporter:
        credentials = None
        if not to.insecure:
            credentials = grpc.ssl_channel_credentials(
                _bytes(to.certificate), _bytes(to.client_key), _bytes(to.client_certificate)
            )
        exporter: SdkExporter = kind[to.signal](
            endpoint=to.endpoint,
            insecure=to.insecure,
            credentials=credentials,
            headers=tuple(to.headers.items()),
            timeout=timeout,
            compression=compression[to.compression],
            **options,
        )
        return exporter

    return build


def _http(to: Receiver) -> Callable[[float, Mapping[str, Any]], SdkExporter]:
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter

    from qudag_otel.sdk.fast.export import http_exporter

    kind: dict[str, Callable[..., Any]] = {
        "traces": http_exporter,
        "metrics": OTLPMetricExporter,
        "logs": OTLPLogExporter,
    }

    def build(timeout: float, options: Mapping[str, Any]) -> SdkExporter:
        exporter: SdkExporter = kind[to.signal](
            endpoint=to.endpoint,
            certificate_file=to.certificate or None,
            client_key_file=to.client_key or None,
            client_certificate_file=to.client_certificate or None,
            headers=to.headers,
            timeout=timeout,
            compression=Compression(to.compression),
            **options,
        )
        return exporter

    return build


def _bytes(path: str) -> bytes | None:
    return Path(path).read_bytes() if path else None
