"""One OTLP request over gRPC and its verdict.

Source: OpenTelemetry Protocol specification, "OTLP/gRPC Response" and "OTLP/gRPC Throttling".
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qudag_otel.sdk.export.failures import Failure, of_text, shortened

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qudag_otel.sdk.export.otlp import Receiver

_METHODS: Final = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}
_RETRIED: Final = (
    "CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "OUT_OF_RANGE", "UNAVAILABLE", "DATA_LOSS",
)  # fmt: skip
# What gRPC itself says when there is no connection; other words are the receiver's.
_OF_CONNECTION: Final = re.compile(
    "connect|resolv|resolution|socket|handshake|deadline exceeded|http/?2|recvmsg|goaway|transport",
    re.IGNORECASE,
)
_TOO_LARGE: Final = re.compile("larger than|exceeds? .*(max|limit|size)|too large", re.IGNORECASE)
# A receiver that is back is found soon: gRPC's own pauses grow to two minutes.
_OPTIONS: Final = (
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.min_reconnect_backoff_ms", 2000),
    ("grpc.max_reconnect_backoff_ms", 2000),
    ("grpc.use_local_subchannel_pool", 1),
)


def _load_quietly() -> None:
    """Import gRPC without the lines that its core writes to stderr past all logging.

    It reads the variable while it is imported. Whoever imported it before, or set the variable,
    has decided otherwise.
    """
    name = "GRPC_VERBOSITY"
    quiet = "grpc" not in sys.modules and name not in os.environ
    if quiet:
        os.environ[name] = "ERROR"
    try:
        importlib.import_module("grpc")
    finally:
        if quiet:
            del os.environ[name]


_load_quietly()


class GrpcTransport:
    """Calls a receiver's export method and judges what comes back.

    Args:
        target: Where and how.
    """

    def __init__(self, target: Receiver) -> None:
        self._target = target
        self._channel: Any = None
        self._export: Any = None

    def send(self, body: bytes, timeout: float) -> bytes | Failure:
        """Send one request.

        Args:
            body: The request.
            timeout: How long it may take, in seconds.

        Returns:
            The receiver's response, or why it does not have the request.
        """
        import grpc  # type: ignore[import-untyped]  # it ships no types

        if self._channel is None:
            self._channel = self._open()
            self._export = self._channel.unary_unary(_METHODS[self._target.signal])
        try:
            answer: bytes = self._export(
                body, timeout=timeout, metadata=tuple(self._target.headers.items())
            )
        except grpc.RpcError as error:
            return _refused(error.code().name, error.details() or "", error.trailing_metadata())
        except ValueError as error:  # the channel was closed meanwhile
            return Failure("connection_closed", shortened(str(error)))
        return answer

    def _open(self) -> Any:
        import grpc

        target = self._target
        address = target.endpoint
        for scheme in ("http://", "https://"):
            if address.lower().startswith(scheme):
                address = address[len(scheme) :].partition("/")[0].rpartition("@")[2]
        compression = (
            grpc.Compression.Gzip
            if target.compression == "gzip"
            else grpc.Compression.NoCompression
        )
        if target.insecure:
            return grpc.insecure_channel(address, _OPTIONS, compression)
        credentials = grpc.ssl_channel_credentials(
            _bytes(target.certificate), _bytes(target.client_key), _bytes(target.client_certificate)
        )
        return grpc.secure_channel(address, credentials, _OPTIONS, compression)

    def close(self) -> None:
        """Close the connection; a request under way ends at once."""
        channel, self._channel = self._channel, None
        if channel is not None:
            channel.close()


def _refused(code: str, details: str, metadata: Iterable[Any] | None) -> Failure:
    if code in {"UNAVAILABLE", "DEADLINE_EXCEEDED"} and _OF_CONNECTION.search(details):
        failure = of_text(details)
        if failure.kind != "other":
            return failure
    after = _retry_delay(metadata)
    retry = code in _RETRIED or (code == "RESOURCE_EXHAUSTED" and after is not None)
    return Failure(
        code, f"status {code}: {shortened(details)}", retry=retry, after=after if retry else None,
        too_large=code in {"RESOURCE_EXHAUSTED", "OUT_OF_RANGE"}
        and _TOO_LARGE.search(details) is not None,
    )  # fmt: skip


def _retry_delay(metadata: Iterable[Any] | None) -> float | None:
    from google.protobuf.message import DecodeError
    from google.rpc.error_details_pb2 import (  # type: ignore[import-untyped]  # it ships no types
        RetryInfo,
    )
    from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]  # it ships no types

    info = RetryInfo()
    for key, value in metadata or ():
        try:
            if key == "google.rpc.retryinfo-bin":
                info.ParseFromString(value)
            elif key == "grpc-status-details-bin":
                if not any(detail.Unpack(info) for detail in Status.FromString(value).details):
                    continue
            else:
                continue
        except DecodeError:
            continue
        delay: float = info.retry_delay.seconds + info.retry_delay.nanos / 1e9
        return delay
    return None


def _bytes(path: str) -> bytes | None:
    return Path(path).read_bytes() if path else None
