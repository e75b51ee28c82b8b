"""Credentials that would leave this host for everybody to read are warned of."""

from __future__ import annotations

import pytest

from qudag_otel.sdk.export import otlp
from qudag_otel.sdk.settings.settings import Settings


@pytest.mark.parametrize(
    ("protocol", "endpoint", "headers", "warned"),
    [
        ("http/protobuf", "http://collector.example:4318", "authorization=Bearer%20x", True),
        ("http/protobuf", "http://10.0.0.7:4318", "x-api-key=x", True),
        ("grpc", "http://collector.example:4317", "api-key=x", True),
        ("http/protobuf", "http://ada:sesame@collector.example:4318", "", True),
        ("http/protobuf", "https://collector.example:4318", "authorization=Bearer%20x", False),
        ("grpc", "collector.example:4317", "api-key=x", False),
        ("http/protobuf", "http://localhost:4318", "authorization=Bearer%20x", False),
        ("http/protobuf", "http://127.0.0.1:4318", "authorization=Bearer%20x", False),
        ("http/protobuf", "http://[::1]:4318", "authorization=Bearer%20x", False),
        ("http/protobuf", "http://collector.example:4318", "x-scope-orgid=shop", False),
    ],
)
def test_credentials_in_plain_text_off_this_host_are_warned_of(
    caplog: pytest.LogCaptureFixture, protocol: str, endpoint: str, headers: str, warned: bool
) -> None:
    """One warning that names the header, the host and the remedy, and never the value."""
    settings = Settings({
        "OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_EXPORTER_OTLP_HEADERS": headers,
    })  # fmt: skip
    for _ in range(2):
        otlp.receiver(settings, "traces")
    assert len(caplog.records) == warned
    for record in caplog.records:
        message = record.getMessage()
        assert "in plain text" in message
        assert "Use https://" in message
        assert "sesame" not in message
