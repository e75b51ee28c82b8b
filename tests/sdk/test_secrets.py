"""The planted secrets are let into every place that telemetry has, and none leaves the process."""

from __future__ import annotations

import logging
import urllib.request
from typing import TYPE_CHECKING

import pytest
from opentelemetry import metrics, trace

from qudag_otel import configure, get_logger, instrumented, log_to_stderr
from qudag_otel._redact import MASK, texts
from qudag_otel._warnings import warn_once
from qudag_otel.errors import error_type
from qudag_otel.redaction import mask_also
from tests.redact.corpus import PLANTED, found_in

if TYPE_CHECKING:
    from tests.sdk.receiver import Receiver

CANARY = "canary-of-the-secrets"
"""Stands beside every secret: that it is found shows that a secret would have been."""
TEXTS = [f"{CANARY} {one.text}" for one in PLANTED]
QUIET = {"OTEL_BLRP_SCHEDULE_DELAY": "60000", "OTEL_BSP_SCHEDULE_DELAY": "60000",
         "OTEL_METRIC_EXPORT_INTERVAL": "60000", "OTEL_BLRP_MAX_QUEUE_SIZE": "50000",
         "OTEL_BSP_MAX_QUEUE_SIZE": "50000"}  # fmt: skip


class Refused(Exception):
    """Has a secret in its text."""


@instrumented(capture=("value", "options"))
def call(value: object, **options: object) -> None:
    if isinstance(value, str):
        raise Refused(value)


def plant() -> None:
    """Let every text into every place."""
    tracer = trace.get_tracer(TEXTS[0], attributes={"note": TEXTS[0]})
    counter = metrics.get_meter("planted").create_counter("planted", description=TEXTS[0])
    log = get_logger("planted")
    link = trace.SpanContext(
        1, 2, is_remote=True, trace_state=trace.TraceState([("token", "Zx9-plant-50")])
    )
    for number, text in enumerate(TEXTS):
        with pytest.raises(Refused):
            call(text)
        call({"password": text, "nested": [text]}, password=text, note=text)
        with tracer.start_as_current_span(
            text, attributes={"note": text, "list": (text,)}, links=[trace.Link(link, {"n": text})]
        ) as span:
            span.add_event(text, {"note": text})
            span.record_exception(Refused(text))
            span.set_status(trace.StatusCode.ERROR, text)
            counter.add(1, {"note": text, "number": str(number)})
            logging.getLogger(text).warning(text)
            log.warning("a %s", note=text, fields={"inside": [text]}, operation=text)
            logging.getLogger().warning("two values: %s %r", text, {"note": text})
            logging.getLogger().warning({"structured": text})
            try:
                call(text)
            except Refused:
                log.exception("failed")
            warn_once(f"planted {number}", "our own: %s %r", text, {"note": text})


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf", "http/json"])
def test_planted_secrets_are_in_no_request(receiver: Receiver, protocol: str) -> None:
    """Requests of all three signals hold the canary and no secret."""
    endpoint = receiver.grpc_endpoint if protocol == "grpc" else receiver.http_endpoint
    resource = "note=canary-of-the-secrets password=Zx9-plant-01,db.password=Zx9-plant-02"
    telemetry = configure(
        environ={
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol.replace("json", "protobuf"),
            "OTEL_RESOURCE_ATTRIBUTES": resource.replace("d=Z", "d%3DZ", 1),
            **QUIET,
        }
    )
    plant()
    telemetry.force_flush(20)

    for signal in ("traces", "metrics", "logs"):
        sent = [str(one.message) for one in receiver.requests if one.signal == signal]
        assert CANARY in "".join(sent), signal
        # A text's escapes are the printer's: each is searched for in the texts themselves.
        raw = b"".join(
            one.message.SerializeToString() for one in receiver.requests if one.signal == signal
        )
        assert found_in(raw.decode("utf-8", "replace")) == [], signal
    bodies = [one for one in receiver.logs() if one.body.HasField("kvlist_value")]
    assert len(bodies) >= len(TEXTS), "a dict body stays structured"


def test_what_becomes_a_secret_later_is_masked_from_then_on(receiver: Receiver) -> None:
    """Also in what was sent before, and is kept as bytes: values, and constants of a call site."""

    @instrumented(name="visit", attributes={"badge": "badge-4711"}, capture=("guest",))
    def visit(guest: str) -> None:
        pass

    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.grpc_endpoint, **QUIET}
    telemetry = configure(environ=environ)
    visit("guest-4711")
    assert telemetry.force_flush()
    mask_also(values=["badge-4711", "guest-4711"])
    try:
        visit("guest-4711")
        assert telemetry.force_flush()
    finally:
        texts.reset()
    before, after = (str(span) for span in receiver.spans())
    assert before.count("-4711") == 2
    assert "-4711" not in after
    assert after.count(MASK) == 2


def test_planted_secrets_are_on_no_page_and_in_no_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """/metrics, the console exporters and log lines of both styles hold no secret either."""
    exporters = {f"OTEL_{signal}_EXPORTER": "console" for signal in ("TRACES", "LOGS")}
    environ = {**exporters, "OTEL_METRICS_EXPORTER": "console,prometheus",
               "OTEL_EXPORTER_PROMETHEUS_PORT": "0", **QUIET}  # fmt: skip
    telemetry = configure(environ=environ)
    found: dict[str, str] = {}
    for style in ("json", "text"):
        handler = log_to_stderr(style=style, level="DEBUG")
        plant()
        logging.getLogger().removeHandler(handler)
        found[style] = capsys.readouterr().err
    for accept in ("text/plain", "application/openmetrics-text"):
        request = urllib.request.Request(str(telemetry.metrics_url), headers={"Accept": accept})
        with urllib.request.urlopen(request) as answer:
            found[accept] = answer.read().decode()
    telemetry.shutdown()
    found["console"] = capsys.readouterr().out

    for where, text in found.items():
        assert CANARY in text, where
        assert found_in(text) == [], where
    assert error_type(Refused) in found["json"]
