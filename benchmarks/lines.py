"""W11: a log line as JSON, with the ids of the span that it is written in and three fields."""

from __future__ import annotations

import json
import logging
import os
from typing import TYPE_CHECKING, Any, TextIO, cast

import structlog
from opentelemetry import trace

from benchmarks.measure import race

if TYPE_CHECKING:
    from collections.abc import MutableMapping

    from benchmarks.rig import Rig

FIELDS: dict[str, Any] = {"number": 1, "text": "some text", "share": 0.5}


class Counting:
    """A file that writes to nowhere and remembers the latest line."""

    def __init__(self) -> None:
        self._file = open(os.devnull, "w")  # noqa: PTH123, SIM115 - open as long as the process
        self.latest = ""

    def write(self, text: str) -> None:
        if text != "\n":
            self.latest = text
        self._file.write(text)

    def flush(self) -> None:
        self._file.flush()


def _with_ids(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The ids of the current span, by a processor as structlog's documentation has one."""
    context = trace.get_current_span().get_span_context()
    event["trace_id"] = trace.format_trace_id(context.trace_id)
    event["span_id"] = trace.format_span_id(context.span_id)
    return event


def lines(_rig: Rig) -> dict[str, float]:
    """Ours, structlog's JSON renderer, and `logging` with plain text."""
    from qudag_otel import get_logger, instrumented
    from qudag_otel.logs import JsonFormatter

    there, theirs, plain = Counting(), Counting(), Counting()
    for name, file, formatter in (
        ("qudag", there, JsonFormatter()),
        ("plain", plain, logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s")),
    ):
        handler = logging.StreamHandler(file)
        handler.setFormatter(formatter)
        logger = logging.getLogger(name)
        logger.handlers[:], logger.propagate = [handler], False
        logger.setLevel(logging.INFO)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            _with_ids,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", theirs)),
        cache_logger_on_first_use=True,
    )
    log, standard = get_logger("bench"), logging.getLogger("plain.bench")
    other = structlog.get_logger(component="bench", node="node")
    with instrumented.block("around"):
        log.info("hello", **FIELDS)
        other.info("hello", **FIELDS)
        line, beside = json.loads(there.latest), json.loads(theirs.latest)
        same = line["span_id"] == beside["span_id"] and line["message"] == beside["event"]
        if not same or not line["metadata"].items() <= beside.items():
            raise RuntimeError(f"not the same was logged: {line}, {beside}")
        return race(
            "log line",
            ours=lambda: log.info("hello", **FIELDS),
            structlog=lambda: other.info("hello", **FIELDS),
            logging=lambda: standard.info("hello %s %s %s", 1, "some text", 0.5),
        )
