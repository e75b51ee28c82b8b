"""Secrets that an application lets slip are in no server, neither by query nor on disk."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

import pytest
import zstandard
from opentelemetry.sdk.metrics.view import View
from opentelemetry.sdk.trace import SpanLimits
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    TraceState,
    format_trace_id,
    set_span_in_context,
)

from tests.pipeline.application import Application
from tests.redact.corpus import INNOCENT, PLANTED
from tests.sdk.receiver import Receiver
from tests.servers.collectors import CONFIG, QUICK, Collector, Pipeline
from tests.servers.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from opentelemetry.util.types import AnyValue, AttributeValue

pytestmark = pytest.mark.servers

MARK = "harmless-canary"
"""Stands beside every secret: that it is found shows that a secret would have been."""

PASSWORD = "hunter2-kSo9d7fjw3"
TOKEN = "tOkEn0123456789abcdefWXYZ"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2lnbmF0dXJlQ2FuYXJ5"
PRIVATE_KEY = "MC4CAQAwBQYDK2VwBCIEIPlantedPlantedPlanted"
PEER = "12D3KooWPjceQrSwdWXPyLLeABRXmuqt69Rg3sBYbU1Nft9HyQ6X"
ADDRESS = "203.0.113.77"
WORDS = "zebraquagga okapitapir"
HEX = "9f8e7d6c" * 8
SECRETS = (PASSWORD, TOKEN, JWT, PRIVATE_KEY, PEER, ADDRESS, *WORDS.split(), HEX)

BY_NAME: Mapping[str, str] = {
    "password": PASSWORD,
    "db.user_password": PASSWORD,
    "node.private_key": PRIVATE_KEY,
    "auth_token": TOKEN,
    "http.request.header.authorization": f"Bearer {TOKEN}",
    "http.request.header.cookie": f"session={TOKEN}",
    "qudag.peer.id": PEER,
    "client.address": ADDRESS,
}
BY_SHAPE: Mapping[str, str] = {
    "note": f"{MARK} sent Bearer {TOKEN} along",
    "claim": f"{MARK} {JWT}",
    "url.full": f"https://user:{PASSWORD}@example.test/{MARK}",
    "db.query.text": f"CONNECT {MARK} password='{PASSWORD}'",
    "several": f'{MARK} {{"password": "{WORDS}", "n": 1}}',
    "phrase": f"{MARK} mnemonic: {WORDS} impala",
    "option": f"{MARK} run --token {TOKEN} --verbose",
    "dsn": f"{MARK} postgres://u:{PASSWORD}/x@{PASSWORD}@db/app redis://:{PASSWORD}@cache",
    "source": f"{MARK} bob:{PASSWORD}@tcp(db:3306)/shop",
    "elsewhere": f"{MARK} пароль: {PASSWORD} mật khẩu: {PASSWORD}",
    "wide": f"{MARK} 密码\N{FULLWIDTH COLON}{PASSWORD}",
    "crypt": f"{MARK} root:$6$salt${PASSWORD}:1",
    "provider": f"{MARK} with npm_{TOKEN}",
    "raw": f"{MARK} derived {HEX}",
    "dial": f"{MARK} /ip4/{ADDRESS}/tcp/4001/p2p/{PEER}",
}
IN_LIST = (MARK, f"token={TOKEN}")
TEXT = (
    f"{MARK} failed: password={PASSWORD} auth_token: {TOKEN} {JWT} peer {PEER}\n"
    f"-----BEGIN PRIVATE KEY-----\n{PRIVATE_KEY}\n-----END PRIVATE KEY-----"
)


def _slip(app: Application) -> str:
    """Let the secrets into every place that a signal has; the trace's id."""
    attributes: dict[str, AttributeValue] = {**BY_NAME, **BY_SHAPE, "arguments": IN_LIST}
    state = TraceState([("vendor", f"token:{TOKEN}")])
    context = SpanContext(9, 9, is_remote=True, trace_flags=TraceFlags(1), trace_state=state)
    link = Link(SpanContext(7, 7, is_remote=True, trace_flags=TraceFlags(1)), attributes)
    with app.tracer.start_as_current_span(
        f"open {MARK}?token={TOKEN}",
        context=set_span_in_context(NonRecordingSpan(context)),
        attributes={**attributes, "sampling.force": True},
        links=[link],
    ) as span:
        span.add_event(f"{MARK} {JWT}", attributes)
        span.record_exception(ValueError(TEXT))
        span.set_status(Status(StatusCode.ERROR, TEXT))
        app.log(TEXT, {**BY_NAME, **BY_SHAPE, "arguments": IN_LIST})
        nested: dict[str, AnyValue] = {**BY_NAME, **BY_SHAPE, "arguments": IN_LIST}
        app.log({"event": MARK, "nested": nested, "list": [TEXT]})
        app.log(TEXT.encode(), severity=f"token={TOKEN}", event=f"{MARK} password={PASSWORD}")
        labels = {"mark": MARK, "password": PASSWORD, "note": BY_SHAPE["note"]}
        app.meter.create_counter("tests.slips").add(1, labels)
        app.meter.create_histogram("tests.slip.duration").record(1, labels)
        app.meter.create_histogram("tests.slip.viewed").record(1, labels)
    app.flush()
    return format_trace_id(span.get_span_context().trace_id)


@pytest.fixture(params=["gateway", "agent and gateway"])
def slipped(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Pipeline, str]]:
    """A stack of its own that got the secrets, and the id of their trace."""
    with Pipeline(tmp_path) as pipeline:
        if request.param == "gateway":
            with _application(pipeline.otlp_http) as app:
                trace = _slip(app)
            yield pipeline, trace
            return
        environment = {**QUICK, "OTELCOL_GATEWAY_ENDPOINT": pipeline.otlp_http}
        configs = (CONFIG / "common.yaml", CONFIG / "agent.yaml")
        with Collector(tmp_path / "agent", configs=configs, environment=environment) as agent:
            with _application(agent.otlp_http) as app:
                trace = _slip(app)
            yield pipeline, trace


def _application(endpoint: str) -> Application:
    resource = {"qudag.node.id": MARK, "host.password": PASSWORD, "argv": f"--token={TOKEN}"}
    # What a view takes off a metric stays on its exemplars.
    views = [View(instrument_name="tests.slip.viewed", attribute_keys={"mark"})]
    # The Collector cannot reach attributes of links: OTEL_LINK_ATTRIBUTE_COUNT_LIMIT=0 is advised.
    limits = SpanLimits(max_link_attributes=0)
    return Application(endpoint, MARK, resource=resource, views=views, limits=limits)


def _answers(pipeline: Pipeline, trace: str) -> dict[str, str]:
    """What the query interfaces tell; AssertionError while the canary is not in all of it."""
    query, exemplars = pipeline.prometheus.query, pipeline.prometheus.exemplars
    found = {
        "span": str(pipeline.jaeger.trace(trace)),
        "lines": str(pipeline.logs.query(f'{{service.name="{MARK}"}}')),
        "counter": str(query("tests_slips_total")),
        "histogram": str(query("tests_slip_duration_count")),
        "viewed": str(query("tests_slip_viewed_count")),
        "span metrics": str(query("traces_span_metrics_calls_total")),
        "target": str(query("target_info")),
    }
    assert [name for name, text in found.items() if MARK not in text] == []
    assert found["lines"].count("trace_id") == 3
    exemplar = str(exemplars('{__name__=~"tests_slip_.+_bucket"}'))
    assert exemplar.count(trace) == 2
    return {**found, "exemplars": exemplar}


def test_planted_secrets_are_in_no_server(slipped: tuple[Pipeline, str], tmp_path: Path) -> None:
    """Answers, files of the storages and logs of the servers hold the canary and no secret."""
    pipeline, trace = slipped
    answers = eventually(lambda: _answers(pipeline, trace))
    for name, text in answers.items():
        assert [secret for secret in SECRETS if secret in text] == [], name
    pipeline.stop()  # what was only in memory is in the files now
    contents = _contents(tmp_path)
    holding = {path.relative_to(tmp_path).parts[0] for path in _with(contents, MARK)}
    assert holding >= {"prometheus", "jaeger", "victorialogs", "collector"}
    # Names of fields are kept, compressed: that one is found shows that a secret would have been.
    assert "column_names.bin" in {path.name for path in _with(contents, "db.user_password")}
    for secret in SECRETS:
        assert _with(contents, secret) == [], secret


def _contents(folder: Path) -> dict[Path, bytes]:
    """What the files hold, with what is compressed in them in clear."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: b"\n".join(_unpacked(path.read_bytes())) for path in files}


def _with(contents: Mapping[Path, bytes], text: str) -> list[Path]:
    return [path for path, content in contents.items() if text.encode() in content]


def _unpacked(content: bytes) -> Iterator[bytes]:
    yield content
    for found in re.finditer(re.escape(zstandard.FRAME_HEADER), content):
        with contextlib.suppress(zstandard.ZstdError):  # bytes that only look like a beginning
            yield zstandard.ZstdDecompressor().decompressobj().decompress(content[found.start() :])


def test_links_of_spans_arrive_without_their_attributes(pipeline: Pipeline) -> None:
    """Jaeger keeps which span a link names, and nothing else of it."""
    with Application(pipeline.otlp_http, "linking") as app:
        link = Link(SpanContext(11, 12, is_remote=True, trace_flags=TraceFlags(1)), BY_NAME)
        attributes = {"sampling.force": True}
        with app.tracer.start_as_current_span(
            "linking", attributes=attributes, links=[link]
        ) as span:
            pass
        app.flush()
    trace = eventually(
        lambda: pipeline.jaeger.trace(format_trace_id(span.get_span_context().trace_id))
    )
    [stored] = trace["spans"]
    assert [one["spanID"] for one in stored["references"]] == [f"{12:016x}"]
    assert [secret for secret in SECRETS if secret in str(trace)] == []


# What needs to count lines, quotes or look-alike letters is masked in the process alone.
BEYOND = (
    '{"password":"a\\"Zx9-plant-42"}',
    "  db_password: |\n    Zx9-plant-206\n    Zx9-plant-206\n  port: 1",
    "credentials:\n  - Zx9-plant-207\nport: 1",
    "client-key-data: Zx9-plant-210\nserver: h",
    "\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44\uff1aZx9-plant-224",
    "p\u0430ssw\u043erd=Zx9-plant-225",
    "\u0420\u0410SSWORD: Zx9-plant-226",
)
# The Collector rather masks too much: it does not look at what stands around.
MASKED_ANYWAY = 10


def test_corpus_is_masked_by_the_collector_alone(tmp_path: Path) -> None:
    """Of an application that masks nothing: what is left is known, text by text."""
    with Receiver() as receiver:
        environment = {**QUICK, "OTELCOL_GATEWAY_ENDPOINT": receiver.http_endpoint}
        configs = (CONFIG / "common.yaml", CONFIG / "agent.yaml")
        with (
            Collector(tmp_path / "agent", configs=configs, environment=environment) as agent,
            Application(agent.otlp_http, "corpus") as app,
        ):
            texts = [*(one.text for one in PLANTED), *INNOCENT]
            for number, text in enumerate(texts):
                app.log(text, {"number": number})
            app.flush()
            arrived = eventually(lambda: _bodies(receiver, len(texts)))
    left = [
        one.text
        for number, one in enumerate(PLANTED)
        if any(secret in arrived[number] for secret in one.secrets)
    ]
    assert left == list(BEYOND)
    changed = [
        text for number, text in enumerate(INNOCENT, len(PLANTED)) if arrived[number] != text
    ]
    assert len(changed) <= MASKED_ANYWAY, changed


def _bodies(receiver: Receiver, many: int) -> dict[int, str]:
    """The texts of log records by their numbers; AssertionError until all are there."""
    found = {
        attribute.value.int_value: record.body.string_value
        for record in receiver.logs()
        for attribute in record.attributes
        if attribute.key == "number"
    }
    assert len(found) == many
    return found
