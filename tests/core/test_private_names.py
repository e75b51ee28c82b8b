"""What OpenTelemetry keeps private is named in one room, and can be missing."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from opentelemetry import _logs, metrics, trace
from opentelemetry._logs import LogRecord
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

import qudag_otel
from qudag_otel import instruments
from qudag_otel._otel import globals as otel_globals
from qudag_otel._otel import measure, names, spans, storage
from qudag_otel.catalogue import metrics as m
from qudag_otel.sdk._detours import of_spans
from qudag_otel.sdk.prometheus.reader import PrometheusReader
from qudag_otel.testing import capture

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT: Final = Path(qudag_otel.__file__).parents[1]
ROOM: Final = ROOT / "qudag_otel" / "_otel"
_PRIVATE: Final = re.compile(r"_[A-Za-z]\w*")
# Experimental, and named so by OpenTelemetry; what is below them and public is meant to be used.
_PUBLIC: Final = ("opentelemetry._logs", "opentelemetry.sdk._logs")


def _asked_by_name(path: Path) -> set[str]:
    """Every private name that a module of the room may ask for."""
    tree = ast.parse(path.read_text())
    if not any(
        isinstance(node, ast.ImportFrom) and node.module == "qudag_otel._otel.names"
        for node in ast.walk(tree)
    ):
        return set()
    return {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant)
        and isinstance(node.value, str)
        and _PRIVATE.fullmatch(node.value)
    } | {
        f"_{signal}_{rest}" if rest != "PROXY" else f"_PROXY_{signal}_PROVIDER"
        for signal in ("TRACER", "METER", "LOGGER")
        for rest in ("PROVIDER", "PROVIDER_SET_ONCE", "PROXY")
        if path.name == "globals.py"
    }


NAMES: Final = sorted(set().union(*map(_asked_by_name, ROOM.glob("*.py"))))


@pytest.fixture(autouse=True)
def _fresh() -> Iterator[None]:
    """A process without providers before and after, that looks for all names again."""
    _forget()
    yield
    names.HIDDEN.clear()
    _forget()


def _forget() -> None:
    spans.forget()
    measure.forget()
    storage.forget()
    otel_globals.reset_api_globals()
    instruments.reset()


def _page() -> list[str]:
    """What /metrics shows after some of everything was recorded; times left out."""
    reader = PrometheusReader()
    provider = MeterProvider(
        [reader, InMemoryMetricReader()], Resource.get_empty(), shutdown_on_exit=False
    )
    storage.quicken(provider, reader)
    metrics.set_meter_provider(provider)
    instruments.rebind()
    parent = NonRecordingSpan(SpanContext(1, 2, False, TraceFlags(1)))
    hits = instruments.series(m.POOL_HITS, pool_type="p", node_id="n")
    for _ in range(1500):
        hits.add()
    waits = instruments.series(m.CONNECTION_WAIT_TIME, pool_type="p", node_id="n")
    with trace.use_span(parent):
        waits.record(0.5)
        instruments.series(m.ERRORS, component="c", error_type="E", node_id="n").add()
    waits.record(7)
    instruments.series(m.RESOURCE_USED, resource="disk", node_id="n").set(0.5)
    body = reader.scrape(openmetrics=True).decode()
    provider.shutdown()
    return sorted(re.sub(r"(# \{.*\} \S+) \S+$", r"\1", line) for line in body.splitlines())


def _captured() -> tuple[object, ...]:
    """What a capture sees of a span, a counter and a record."""
    with capture() as telemetry:
        trace.get_tracer("t").start_span("work").end()
        metrics.get_meter("t").create_counter("c").add(2)
        instruments.series(m.POOL_MISSES, pool_type="p", node_id="n").add()
        _logs.get_logger("t").emit(LogRecord(body="said"))
        return (
            [span.name for span in telemetry.spans],
            telemetry.value("c"),
            telemetry.value(m.POOL_MISSES.name),
            [log.body for log in telemetry.logs if log.logger == "t"],
        )


EXPECTED: Final = (["work"], 2, 1, ["said"])


def test_room_has_names_to_ask_for() -> None:
    """The enumeration below finds what it is about."""
    assert {"_hash_attributes", "_reader_storages", "_METER_PROVIDER"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_output_without_a_private_name_is_the_same(name: str) -> None:
    """By a slower route."""
    expected = _page()
    _forget()
    names.HIDDEN.add(name)
    measure.forget()
    storage.forget()
    assert _page() == expected
    names.HIDDEN.clear()
    _forget()
    names.HIDDEN.add(name)
    assert _captured() == EXPECTED


SPANS: Final = sorted(_asked_by_name(ROOM / "spans.py") - {"_readable_span"})


@pytest.mark.parametrize("name", SPANS)
def test_spans_without_a_private_name_are_left_to_the_sdk(name: str) -> None:
    """Calls open them through the API, which the differential test compares."""
    provider = TracerProvider(sampler=ParentBased(ALWAYS_ON), shutdown_on_exit=False)
    assert not of_spans(provider, ())
    names.HIDDEN.add(name)
    spans.forget()
    assert of_spans(provider, ())


def _modules() -> Iterator[tuple[Path, ast.Module]]:
    for folder in ("qudag_otel", "instrumentation"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.parent != ROOM:
                yield path, ast.parse(path.read_text())


def test_no_other_room_imports_private_names() -> None:
    """Neither a private module of OpenTelemetry nor a private name of a public one."""
    found: list[str] = []
    for path, tree in _modules():
        for node in ast.walk(tree):
            imported: list[str] = []
            if isinstance(node, ast.Import):
                imported = [one.name for one in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module:
                imported = [f"{node.module}.{one.name}" for one in node.names]
            for dotted in imported:
                rest = dotted
                for public in _PUBLIC:
                    rest = rest.removeprefix(public)
                ours = dotted.startswith("opentelemetry.instrumentation.qudag")
                if (
                    dotted.startswith("opentelemetry.")
                    and not ours
                    and re.search(r"\._[a-zA-Z]", rest)
                ):
                    found.append(f"{path.name}: {dotted}")
    assert found == []


def test_no_other_room_uses_private_attributes() -> None:
    """What the room asks for by name is asked for there alone."""
    own = {"_lock", "_value", "_min", "_max", "_sum", "_attributes", "_bridge"}
    found = [
        f"{path.name}:{node.lineno}: {node.attr}"
        for path, tree in _modules()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and node.attr in {*NAMES, "_readable_span"} - own
        and not (isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"})
    ]
    assert found == []


@pytest.mark.parametrize(
    "path", [path for path in ROOM.glob("*.py") if _asked_by_name(path)], ids=lambda path: path.name
)
def test_room_asks_before_it_uses(path: Path) -> None:
    """Every private attribute that is used is one that was asked for, in the same module."""
    asked = _asked_by_name(path)
    used = {
        node.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
        and _PRIVATE.fullmatch(node.attr)
        and not (isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"})
    }
    assert used - asked == set()
