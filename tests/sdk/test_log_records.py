"""Records of logging on their way out: any value, any place, once, with no lock and no raise."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace
from opentelemetry._logs import LogRecord, get_logger, get_logger_provider
from opentelemetry.instrumentation.log_utils import std_to_otel
from opentelemetry.sdk._logs import LoggingHandler, LogRecordProcessor
from opentelemetry.sdk.trace import SpanProcessor

from qudag_otel import configure, instrumented, log_to_stderr
from qudag_otel import get_logger as component_logger
from qudag_otel._otel.encoders import encoder
from qudag_otel.sdk._bridge import Bridge
from qudag_otel.sdk._records import LightRecord, OurLoggerProvider
from qudag_otel.sdk.export.wire import LogEncoder
from tests.sdk.receiver import attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.sdk.receiver import Receiver

APP = logging.getLogger("app")


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError

    __str__ = __repr__


class Loud:
    """Logs when it is shown and when it is collected."""

    def __str__(self) -> str:
        logging.getLogger("loud").warning("shown")
        return "loud"

    def __del__(self) -> None:
        logging.getLogger("loud").warning("collected")


class Unprintable(Exception):
    def __str__(self) -> str:
        raise KeyError("val")


def exporting(receiver: Receiver, **more: str) -> Any:
    logging.getLogger().handlers.clear()  # the runner puts its own back for the next test
    return configure(
        environ={
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http_endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_METRICS_EXPORTER": "none",
            **more,
        }
    )


@pytest.fixture
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the runner's own handlers, which raise where a record cannot be formatted."""
    monkeypatch.setattr(logging, "lastResort", None)
    monkeypatch.setattr(logging, "raiseExceptions", False)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize(
    ("message", "values", "extra"),
    [
        ("cannot read %s", ("caf\udce9.txt",), {}),
        ("fine", (), {"name\udce9": "\ud800"}),
        ("number", (), {"big": 1 << 70, "nan": float("nan"), "data": b"\xff", "none": None}),
        ("%d", ("too", "many"), {}),
        ("broken %s", (Broken(),), {"broken": Broken()}),
        (Broken(), (), {}),
        ("huge", (), {"huge": range(200_000_000)}),
        ({"structured": [1, {"a": Broken()}]}, (), {}),
        (["a", 1, None], (), {}),
        ("loud %s", (Loud(),), {"loud": Loud()}),
        ("made by hand", (), {"levelname": None, "name": 5, "lineno": "x", "pathname": 7}),
    ],
    ids=lambda one: type(one).__name__,
)
def test_odd_record_costs_neither_itself_nor_its_batch(
    receiver: Receiver, message: object, values: tuple[object, ...], extra: Mapping[str, object]
) -> None:
    """Whatever a record holds, it arrives, and so do its neighbours; nothing is raised."""
    telemetry = exporting(receiver)
    APP.warning("before")
    began = time.process_time()
    made = APP.makeRecord(APP.name, logging.WARNING, __file__, 1, message, values, None)
    made.__dict__.update(extra)
    APP.handle(made)
    assert time.process_time() - began < 2
    APP.warning("after")
    telemetry.force_flush()

    bodies = [record.body.string_value for record in receiver.logs()]
    assert {"before", "after"} <= set(bodies)
    assert len(bodies) >= 3


@pytest.mark.usefixtures("quiet")
def test_structured_bodies_stay_structured(receiver: Receiver) -> None:
    """A mapping is a list of keys and values, a list is a list, and secrets in them are masked."""
    telemetry = exporting(receiver)
    APP.warning({"shop": "north", "password": "hunter2", "items": [1, 2]})
    APP.warning(["a", 1])
    telemetry.force_flush()

    first, second = (record.body for record in receiver.logs())
    assert attributes(first.kvlist_value.values) == {
        "shop": "north",
        "password": "[redacted]",
        "items": [1, 2],
    }
    assert [one.string_value or one.int_value for one in second.array_value.values] == ["a", 1]


@pytest.mark.usefixtures("quiet")
def test_exception_whose_text_fails_is_exported(receiver: Receiver) -> None:
    """Type and traceback are there, and the application meets its own exception."""
    telemetry = exporting(receiver)

    @instrumented
    def clean() -> None:
        raise Unprintable

    with pytest.raises(Unprintable):
        clean()
    try:
        clean()
    except Unprintable:
        component_logger("app").exception("failed")
    telemetry.force_flush()

    (record,) = receiver.logs()
    found = attributes(record.attributes)
    assert "Unprintable" in str(found["exception.type"])
    assert "Traceback (most recent call last)" in str(found["exception.stacktrace"])


class Starting(SpanProcessor):
    """Wants to see spans start: calls go by the slower road."""


class Seen(LogRecordProcessor):
    def __init__(self) -> None:
        self.records: list[LogRecord] = []

    def on_emit(self, log_record: Any) -> None:
        self.records.append(log_record.log_record)

    def shutdown(self) -> None: ...

    def force_flush(self, timeout_millis: int = 0) -> bool:
        return True


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("late", [False, True])
def test_own_processor_sees_records_of_the_api(receiver: Receiver, late: bool) -> None:
    """An application's processor gets every record, masked, also one that is added later."""
    seen = Seen()
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.grpc_endpoint,
               "OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"}  # fmt: skip
    telemetry = configure(environ=environ, log_record_processors=() if late else [seen])
    if late:
        APP.warning("early")
        provider: Any = get_logger_provider()
        provider.add_log_record_processor(seen)
    APP.warning("password=%s", "hunter2", extra={"token": "abc1"})
    telemetry.force_flush()

    (record,) = seen.records
    assert record.body == "password=[redacted]"
    assert dict(record.attributes or {})["token"] == "[redacted]"
    assert len(receiver.logs()) == 1 + late


def test_both_roads_export_the_same(quiet: None) -> None:
    """What is encoded directly decodes to what OpenTelemetry's encoder makes of the same record."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    provider = OurLoggerProvider()
    kept: list[LightRecord] = []
    bridge = Bridge(provider, [kept.append])
    bridge.install()
    try:
        for level in (5, 10, 20, 25, 30, 40, 50, 99):
            APP.setLevel(1)
            span = trace.NonRecordingSpan(trace.SpanContext(level, 7, False, trace.TraceFlags(1)))
            with trace.use_span(span):
                APP.log(
                    level, "text %s", "ü",
                    extra={"a": 1, "b": -1.5, "c": True, "d": ["x", {"y": None}], "e": "z" * 300},
                )  # fmt: skip
        try:
            int("no")
        except ValueError:
            APP.exception({"body": [1]}, extra={"otel.event.name": "happened"})
    finally:
        bridge.remove()
        APP.setLevel(logging.NOTSET)
    body, odd = LogEncoder().encode(kept)
    assert odd == []
    ours = ExportLogsServiceRequest.FromString(body)
    theirs = ExportLogsServiceRequest.FromString(
        encoder("logs")([record.readable() for record in kept])
    )
    for request in (ours, theirs):
        for record in request.resource_logs[0].scope_logs[0].log_records:
            pairs = sorted(record.attributes, key=lambda pair: str(pair.key))
            del record.attributes[:]
            record.attributes.extend(pairs)
    assert ours == theirs
    assert [record.place.level for record in kept][:3] == [5, 10, 20]
    assert (
        std_to_otel(40).value == ours.resource_logs[0].scope_logs[0].log_records[5].severity_number
    )


@pytest.mark.usefixtures("quiet")
def test_record_is_exported_once_beside_a_handler_of_opentelemetry(receiver: Receiver) -> None:
    """A handler of the SDK's, or of the logging instrumentation, has sent what reached it."""
    telemetry = exporting(receiver)
    with pytest.warns(DeprecationWarning, match="LoggingHandler"):
        handler = LoggingHandler(level=logging.ERROR)
    for where in (logging.getLogger(), APP):
        where.addHandler(handler)
        APP.error("theirs")
        APP.warning("ours")
        where.removeHandler(handler)
    telemetry.force_flush()

    assert sorted(receiver.log_bodies()) == ["ours", "ours", "theirs", "theirs"]


@pytest.mark.usefixtures("quiet")
def test_cutting_attributes_is_said_once(receiver: Receiver) -> None:
    """A limit that cuts a thousand values does not export a thousand records about it."""
    telemetry = exporting(receiver, OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT="3")
    for _ in range(20):
        APP.warning("cut", extra={"long": "abcdef"})
        get_logger("own").emit(LogRecord(body="own", attributes={"long": "abcdef"}))
    telemetry.force_flush()

    about = [body for body in receiver.log_bodies() if "truncat" in body]
    assert len(about) <= 1
    assert receiver.log_bodies().count("cut") == 20
    assert {attributes(one.attributes).get("long") for one in receiver.logs()} <= {"abc", None}


def _in_signal_handler(act: Callable[[], None]) -> None:
    before = signal.signal(signal.SIGUSR1, lambda *_: act())
    try:
        signal.raise_signal(signal.SIGUSR1)
    finally:
        signal.signal(signal.SIGUSR1, before)


class Handler(logging.Handler):
    """Does what an application's handler may do."""

    def emit(self, record: logging.LogRecord) -> None:
        with instrumented.block("ship", component=f"c{record.lineno}"):
            if record.name != "nested":
                logging.getLogger("nested").warning("from a handler")


@pytest.mark.usefixtures("quiet")
def test_logging_from_anywhere_does_not_hang(receiver: Receiver) -> None:
    """Handlers, destructors at any allocation, signal handlers, while others flush and collect."""
    telemetry = exporting(receiver)
    handler = Handler()
    logging.getLogger().addHandler(handler)
    threshold = gc.get_threshold()
    done = threading.Event()

    def load() -> None:
        for number in range(60):
            cycle: list[object] = [Loud()]
            cycle.append(cycle)
            with instrumented.block("op", component=f"c{number}"):
                APP.warning("%s", Loud(), extra={"number": number})
        done.set()

    gc.set_threshold(7)
    try:
        thread = threading.Thread(target=load, daemon=True)
        thread.start()
        for _ in range(5):
            _in_signal_handler(lambda: APP.warning("from a signal handler"))
            telemetry.force_flush(1)
        assert done.wait(60), "hung"
    finally:
        gc.set_threshold(*threshold)
        logging.getLogger().removeHandler(handler)
    assert telemetry.shutdown(10) in (True, False)
    assert "from a handler" in receiver.log_bodies()


@pytest.mark.parametrize("kind", ["full", "closed", "none", "ascii"])
def test_line_that_cannot_be_written_is_lost_and_nothing_else(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk, a closed or a missing standard error raise nothing, whoever logs."""
    path = "/dev/full" if kind == "full" else os.devnull
    with open(path, "w", encoding="ascii") as stream:  # noqa: PTH123 - a device
        if kind == "closed":
            stream.close()
        monkeypatch.setattr(sys, "stderr", None if kind == "none" else stream)
        handler = log_to_stderr(style="json", logger="qudag.full")
        try:
            component_logger("full").info("hello ü")
            logging.getLogger("qudag.full").warning("hello %s", "ü")
            logging.getLogger("qudag.full").warning("two", extra={"broken": Broken()})
        finally:
            logging.getLogger("qudag.full").removeHandler(handler)
        if kind == "full":
            with pytest.raises(OSError, match="space"):
                stream.close()


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(
    ("wanted", "events", "records"),
    [("", 1, 0), ("logs", 0, 1), ("logs/dup", 1, 1), ("logs,logs/dup", 1, 1), ("other", 1, 0)],
)
def test_exception_goes_to_the_chosen_signal(
    receiver: Receiver, wanted: str, events: int, records: int, fast: bool
) -> None:
    """As an event, as a log record of the failing span, or as both; once for all it passes."""
    telemetry = exporting(
        receiver,
        OTEL_SEMCONV_EXCEPTION_SIGNAL_OPT_IN=wanted,
        OTEL_TRACES_EXPORTER="otlp",
        OTEL_TRACES_SAMPLER="always_on" if fast else "parentbased_traceidratio",
    )

    @instrumented
    def inner() -> None:
        raise ValueError("password=hunter2")

    @instrumented
    def outer() -> None:
        inner()

    if not fast:
        provider: Any = trace.get_tracer_provider()
        provider.add_span_processor(Starting())
    with pytest.raises(ValueError, match="hunter2"):
        outer()
    telemetry.force_flush()

    spans = {span.name.rpartition(".")[2]: span for span in receiver.spans()}
    found = receiver.logs()
    assert (len(spans["inner"].events), len(found)) == (events, records)
    assert spans["inner"].status.message == "ValueError: password=[redacted]"
    for record in found:
        said = attributes(record.attributes)
        assert record.span_id == spans["inner"].span_id
        assert (said["exception.type"], said["exception.message"]) == (
            "ValueError",
            "password=[redacted]",
        )
        assert "in inner" in str(said["exception.stacktrace"])
