"""The structured logger: context, special records, lines and OTLP attributes."""

from __future__ import annotations

import json
import logging
import math
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qudag_otel.instruments import tracer
from qudag_otel.logs import ComponentLogger, JsonFormatter, TextFormatter, get_logger, log_to_stderr

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from qudag_otel.testing import Captured


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """The JSON lines that were written since it was asked the last time."""
    logger = logging.getLogger("qudag")
    level = logger.level
    handler = log_to_stderr(style="json", level="DEBUG", logger="qudag")
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    logger.removeHandler(handler)
    logger.setLevel(level)


def record(formatter: logging.Formatter, message: str = "hello", **extra: object) -> str:
    made = logging.makeLogRecord({"name": "qudag.x", "levelname": "INFO", "msg": message, **extra})
    return formatter.format(made)


def test_logger_writes_its_whole_context(lines: Callable[[], list[dict[str, Any]]]) -> None:
    """A line has time, level, message, node, component, operation and metadata."""
    get_logger("pool", node_id="n1", pool_type="peer").info("ready", operation="open", size=3)

    (line,) = lines()
    timestamp = line.pop("timestamp")
    assert len(timestamp) == 24
    assert timestamp.endswith("Z")
    assert line == {
        "level": "info",
        "logger": "qudag.pool",
        "message": "ready",
        "node": "n1",
        "component": "pool",
        "operation": "open",
        "metadata": {"pool_type": "peer", "size": 3},
    }


def test_logger_in_a_span_names_trace_and_span(
    telemetry: Captured, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    """The ids are those of the current span, in hexadecimal; outside there are none."""
    log = get_logger("pool")
    with tracer().start_as_current_span("work"):
        log.info("inside")
    log.info("outside")

    inside, outside = lines()
    span = telemetry.span("work")
    assert inside["trace_id"] == f"{span.trace_id:032x}"
    assert inside["span_id"] == f"{span.span_id:016x}"
    assert "trace_id" not in outside


def test_logger_fields_are_attributes_of_the_exported_record(telemetry: Captured) -> None:
    """OTLP records have every field on its own, and no empty ones."""
    get_logger("pool", node_id="n1").error("broken", operation="open", size=3, nothing=None)

    log = telemetry.log("broken")
    assert log.severity == "error"
    assert log.attributes["qudag.node.id"] == "n1"
    assert log.attributes["qudag.component"] == "pool"
    assert log.attributes["qudag.operation"] == "open"
    assert log.attributes["size"] == 3
    assert "nothing" not in log.attributes
    assert "qudag.record" not in log.attributes


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_logger_has_a_method_for_each_level(
    lines: Callable[[], list[dict[str, Any]]], level: str
) -> None:
    """The level of the method is the level of the record."""
    getattr(get_logger("pool"), level)("hello")

    assert lines()[0]["level"] == level


def test_logger_below_the_level_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    """A record that the level holds back costs no line."""
    handler = log_to_stderr(style="text", level="ERROR", logger="qudag.quiet")
    get_logger("quiet").warning("hello")
    logging.getLogger("qudag.quiet").removeHandler(handler)

    assert not capsys.readouterr().err


def test_logger_bind_adds_to_the_metadata(lines: Callable[[], list[dict[str, Any]]]) -> None:
    """A bound logger carries more; the original stays as it was."""
    log = get_logger("pool", a=1)
    log.bind(b=2).info("both")
    log.info("one")

    assert [line["metadata"] for line in lines()] == [{"a": 1, "b": 2}, {"a": 1}]


def test_logger_names_its_caller(telemetry: Captured) -> None:
    """File and function of a record are the application's, for special records too."""
    found: list[str] = []

    class Finder(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(f"{record.filename}:{record.funcName}")

    handler = Finder()
    logging.getLogger("qudag.pool").addHandler(handler)
    log = get_logger("pool")
    log.error("hello")
    log.performance_anomaly("x", expected=1, actual=9)
    logging.getLogger("qudag.pool").removeHandler(handler)

    here = "test_logs.py:test_logger_names_its_caller"
    assert found == [here, here]


def test_logger_exception_writes_the_traceback(
    telemetry: Captured, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    """The exception being handled is in the line and in the exported record."""
    try:
        open_connection()
    except ConnectionError:
        get_logger("pool").exception("broken")

    assert "ConnectionError: lost" in lines()[0]["exception"]
    assert telemetry.log("broken").attributes["exception.type"] == "ConnectionError"


def test_logger_with_names_that_logging_owns_renames_them(
    telemetry: Captured, lines: Callable[[], list[dict[str, Any]]]
) -> None:
    """Metadata may be called anything; in the line it keeps its name."""
    fields: dict[str, Any] = {"name": "a", "args": "b", "msg": "c", "qudag.component": "d"}
    get_logger("pool").error("hello", **fields)

    (line,) = lines()
    assert line["metadata"] == fields
    assert line["component"] == "pool"
    assert telemetry.log("hello").attributes["metadata.name"] == "a"


def open_connection() -> None:
    raise ConnectionError("lost")


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError


def test_logger_with_any_value_writes_a_line(lines: Callable[[], list[dict[str, Any]]]) -> None:
    """What JSON cannot carry becomes text, and cycles end."""
    cycle: list[object] = []
    cycle.append(cycle)
    get_logger("pool").info(
        "hello",
        nan=math.nan,
        data=b"ab",
        broken=Unprintable(),
        nested={"a": [1, {2: Unprintable}]},
        cycle=cycle,
    )

    metadata = lines()[0]["metadata"]
    assert metadata["nan"] == "nan"
    assert metadata["data"] == "ab"
    assert metadata["broken"] == "<Unprintable: RuntimeError in str>"
    assert metadata["nested"]["a"][0] == 1
    assert isinstance(metadata["cycle"], list)


def test_logger_with_a_failing_filter_does_not_raise(telemetry: Captured) -> None:
    """A fault in the application's logging set-up costs the record, with one warning."""

    def fail(record: logging.LogRecord) -> bool:
        raise RuntimeError("filter")

    logger = logging.getLogger("qudag.filtered")
    logger.addFilter(fail)
    get_logger("filtered").error("hello")
    logger.removeFilter(fail)

    assert telemetry.log("a log record was lost").severity == "warning"


@pytest.mark.parametrize(
    ("expected", "actual", "severity"),
    [
        (100, 100, "debug"),
        (100, 120, "debug"),
        (100, 121, "warning"),
        (100, 79, "warning"),
        (100, 150, "warning"),
        (100, 151, "error"),
        (100, 49, "error"),
        (-100, -151, "error"),
        (0, 0, "debug"),
        (0, 1, "error"),
    ],
)
def test_anomaly_level_follows_the_deviation(
    lines: Callable[[], list[dict[str, Any]]], expected: float, actual: float, severity: str
) -> None:
    """Over 20% is a warning, over 50% an error, either way; the edges are not over."""
    get_logger("swarm").performance_anomaly("run", expected=expected, actual=actual, unit="s")

    (line,) = lines()
    assert line["level"] == severity
    assert line["record"] == "performance_anomaly"
    assert line["operation"] == "run"
    assert line["metadata"]["actual"] == actual


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_anomaly_without_a_number_is_dropped_with_one_warning(
    telemetry: Captured, bad: float
) -> None:
    """A deviation from nothing cannot be judged."""
    for _ in range(2):
        get_logger("swarm").performance_anomaly("run", expected=1, actual=bad)

    assert [log.severity for log in telemetry.logs] == ["warning"]


def test_optimization_record_tells_before_and_after(
    lines: Callable[[], list[dict[str, Any]]],
) -> None:
    """It has both values and the share saved, which from 0 does not exist."""
    log = get_logger("chunking")
    log.optimization("compress", before=200, after=50, unit="By", level=3)
    log.optimization("compress", before=0, after=50)

    first, second = lines()
    assert first["level"] == "info"
    assert first["metadata"] == {
        "before": 200,
        "after": 50,
        "unit": "By",
        "saved": 0.75,
        "level": 3,
    }
    assert second["metadata"] == {"before": 0, "after": 50}


@pytest.mark.parametrize(
    ("hits", "misses", "severity", "rate"),
    [(7, 3, "info", 0.7), (69, 31, "warning", 0.69), (0, 0, "info", None)],
)
def test_cache_record_warns_below_the_baseline(
    lines: Callable[[], list[dict[str, Any]]], hits: int, misses: int, severity: str, rate: float
) -> None:
    """The hit rate is judged by the catalogue's baseline; without lookups there is none."""
    get_logger("cache").cache_performance("own", hits=hits, misses=misses, memory_bytes=9)

    (line,) = lines()
    assert line["level"] == severity
    assert line["record"] == "cache_performance"
    assert line["metadata"].get("hit_rate") == rate
    assert line["metadata"]["memory_bytes"] == 9


def test_swarm_record_tells_how_the_swarm_stands(telemetry: Captured) -> None:
    """It is an OTLP record with its kind, so that it can be found."""
    logging.getLogger("qudag.swarm").setLevel(logging.INFO)
    get_logger("swarm").swarm_coordination("s1", agents=4, queued=2, running=3)
    logging.getLogger("qudag.swarm").setLevel(logging.NOTSET)

    log = telemetry.log("swarm coordination")
    assert log.attributes["qudag.record"] == "swarm_coordination"
    assert (log.attributes["agents"], log.attributes["queued"]) == (4, 2)
    assert log.attributes["swarm_id"] == "s1"


def test_text_line_is_readable_and_stays_one_line() -> None:
    """A message with line ends and escape codes cannot fake a second line."""
    line = record(
        TextFormatter(),
        "a\nERROR b\x1b[2J",
        **{"qudag.component": "pool", "qudag.operation": "open", "size": 3, "word": "two words"},
    )

    assert line.split(" ", 1)[1] == (
        'INFO     pool.open: a\\nERROR b\\x1b[2J size=3 word="two words"'
    )


def test_text_line_of_an_exception_has_the_traceback_below() -> None:
    """Tracebacks keep their lines."""
    error = ConnectionError("lost")
    text = record(TextFormatter(), exc_info=(ConnectionError, error, None), stack_info="Stack")

    assert text.splitlines()[-2:] == ["ConnectionError: lost", "Stack"]


def test_formatters_take_records_of_any_logger() -> None:
    """A record without our context is a line, too, even if its format does not fit."""
    line = json.loads(record(JsonFormatter(), "%d items", args=("no",), stack_info="Stack"))

    assert line["message"] == "%d items ['no']"
    assert line["stack"] == "Stack"
    assert "component" not in line


def test_log_to_stderr_twice_writes_each_line_once(capsys: pytest.CaptureFixture[str]) -> None:
    """The second call changes style and level of the same handler."""
    first = log_to_stderr(style="json", logger="qudag.twice")
    second = log_to_stderr(style="text", level="WARNING", logger="qudag.twice")
    get_logger("twice").warning("hello")
    logging.getLogger("qudag.twice").removeHandler(first)

    assert first is second
    written = capsys.readouterr().err
    assert written.count("hello") == 1
    assert not written.startswith("{")


def test_log_to_stderr_without_a_terminal_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    """The automatic style depends on who reads."""
    handler = log_to_stderr(logger="qudag.auto")
    logging.getLogger("qudag.auto").removeHandler(handler)

    assert isinstance(handler.formatter, JsonFormatter)


def test_log_to_stderr_without_standard_error_works(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program without standard error (a service, a windowed one) may still call it."""
    monkeypatch.setattr(sys, "stderr", None)
    handler = log_to_stderr(logger="qudag.none")
    get_logger("none").error("hello")
    logging.getLogger("qudag.none").removeHandler(handler)


@pytest.mark.parametrize(
    ("arguments", "message"), [({"style": "xml"}, "auto, json, text"), ({"level": "LOUD"}, "LOUD")]
)
def test_log_to_stderr_with_bad_arguments_names_them(
    arguments: dict[str, Any], message: str
) -> None:
    """An unknown style or level is an error that says what is possible."""
    with pytest.raises(ValueError, match=message):
        log_to_stderr(logger="qudag.bad", **arguments)
    assert not logging.getLogger("qudag.bad").handlers


@settings(max_examples=100, deadline=None)
@given(
    message=st.text(),
    metadata=st.dictionaries(
        st.text(min_size=1),
        st.recursive(
            st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.binary(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
            max_leaves=5,
        ),
    ),
)
def test_json_line_of_anything_is_one_line_of_json(
    message: str, metadata: dict[str, object]
) -> None:
    """Any message and metadata gives one line that a strict parser reads back."""
    made: list[logging.LogRecord] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            made.append(record)

    handler = Keep()
    logger = logging.getLogger("qudag.any")
    logger.addHandler(handler)
    logger.propagate = False
    try:
        ComponentLogger("any", "n1", metadata).error(message)
    finally:
        logger.removeHandler(handler)
        logger.propagate = True

    line = JsonFormatter().format(made[0])
    assert "\n" not in line
    parsed = json.loads(line, parse_constant=pytest.fail)
    assert parsed["message"] == message
    assert "\n" not in TextFormatter().format(made[0])
