"""The structured logger: `logging` with a context, and records for what a node reports most.

Fields travel as attributes of the `logging` record, so any handler has them: `log_to_stderr`
writes them as JSON or text, and OpenTelemetry's logging handler exports them over OTLP.
"""

from __future__ import annotations

import logging
import math
import sys
from typing import TYPE_CHECKING, Final, Literal, TextIO

from qudag_otel import identity
from qudag_otel._foreign import interrupts
from qudag_otel._logs_fields import add
from qudag_otel._logs_format import JsonFormatter, TextFormatter
from qudag_otel._redact import safe_text
from qudag_otel._warnings import warn_once
from qudag_otel.catalogue import thresholds as t
from qudag_otel.catalogue.spans import COMPONENT, NODE, OPERATION, RECORD

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ComponentLogger", "JsonFormatter", "TextFormatter", "get_logger", "log_to_stderr"]

ROOT: Final = "qudag"
"""The parent of all component loggers in `logging`."""

_LOW_HIT_RATE: Final = next(b.warning for b in t.BASELINES if b.name == "cache_hit_rate")
_CALLER: Final = 2  # frames from `_log` to who called a public method


class ComponentLogger:
    """Logs for one component of a node; made by `get_logger`.

    Every record carries the node, the component, the operation if one is given, and the metadata:
    that of the logger and that of the call. Values of any type are accepted; what JSON cannot
    carry becomes text, None is left out. Logging never raises.
    """

    __slots__ = ("_fields", "_logger", "_metadata", "_node_id", "component")

    def __init__(self, component: str, node_id: str | None, metadata: Mapping[str, object]) -> None:
        self.component = component
        self._node_id = node_id
        self._metadata = metadata
        self._logger = logging.getLogger(f"{ROOT}.{component}")
        self._fields: dict[str, object] = {NODE.key: "", COMPONENT.key: component}
        add(self._fields, metadata)

    def bind(self, **metadata: object) -> ComponentLogger:
        """A logger whose records carry more metadata."""
        return ComponentLogger(self.component, self._node_id, {**self._metadata, **metadata})

    def debug(self, message: str, *, operation: str | None = None, **metadata: object) -> None:
        """Log what helps to find a fault."""
        self._log(logging.DEBUG, message, operation, metadata)

    def info(self, message: str, *, operation: str | None = None, **metadata: object) -> None:
        """Log what is normal and worth knowing."""
        self._log(logging.INFO, message, operation, metadata)

    def warning(self, message: str, *, operation: str | None = None, **metadata: object) -> None:
        """Log what deserves attention."""
        self._log(logging.WARNING, message, operation, metadata)

    def error(self, message: str, *, operation: str | None = None, **metadata: object) -> None:
        """Log what went wrong."""
        self._log(logging.ERROR, message, operation, metadata)

    def exception(self, message: str, *, operation: str | None = None, **metadata: object) -> None:
        """Log what went wrong, with the exception that is being handled."""
        self._log(logging.ERROR, message, operation, metadata, with_exception=True)

    def optimization(
        self, operation: str, *, before: float, after: float, unit: str = "", **metadata: object
    ) -> None:
        """Log what an optimization changed, with the share saved where that is defined.

        Args:
            operation: What was optimized.
            before: The value before, in `unit`.
            after: The value after, in `unit`.
            unit: The UCUM unit of both, such as "s" or "By".
            metadata: Further fields.
        """
        saved = (before - after) / before if before else None
        self._special(
            logging.INFO,
            "optimization",
            operation,
            {"before": before, "after": after, "unit": unit or None, "saved": saved, **metadata},
        )

    def performance_anomaly(
        self, operation: str, *, expected: float, actual: float, unit: str = "", **metadata: object
    ) -> None:
        """Log a value that differs from what was expected.

        Over 20% it is a warning, over 50% an error, below that only a debug record; the shares
        stand in the catalogue's thresholds.

        Args:
            operation: What behaved differently.
            expected: The expected value, in `unit`.
            actual: The value found, in `unit`.
            unit: The UCUM unit of both.
            metadata: Further fields.
        """
        if not (math.isfinite(expected) and math.isfinite(actual)):
            warn_once(
                f"anomaly:{operation}",
                "performance_anomaly(%r) needs finite numbers, not %r and %r; it is dropped",
                operation,
                expected,
                actual,
            )
            return
        difference = abs(actual - expected)
        # From an expected 0 every change is without bound.
        deviation = difference / abs(expected) if expected else math.inf * bool(difference)
        level = logging.DEBUG
        if deviation > t.ANOMALY_ERROR_DEVIATION:
            level = logging.ERROR
        elif deviation > t.ANOMALY_WARNING_DEVIATION:
            level = logging.WARNING
        self._special(
            level,
            "performance_anomaly",
            operation,
            {
                "expected": expected,
                "actual": actual,
                "unit": unit or None,
                "deviation": deviation,
                **metadata,
            },
        )

    def cache_performance(
        self,
        cache_type: str,
        *,
        hits: int,
        misses: int,
        memory_bytes: int | None = None,
        evictions: int | None = None,
        **metadata: object,
    ) -> None:
        """Log how a cache did; a warning if its hit rate is below the baseline's.

        Args:
            cache_type: The cache.
            hits: Lookups that it answered.
            misses: Lookups that it did not.
            memory_bytes: What it holds, in bytes.
            evictions: Entries that left it.
            metadata: Further fields.
        """
        lookups = hits + misses
        rate = hits / lookups if lookups else None
        self._special(
            logging.WARNING if rate is not None and rate < _LOW_HIT_RATE else logging.INFO,
            "cache_performance",
            None,
            {
                "cache_type": cache_type,
                "hits": hits,
                "misses": misses,
                "hit_rate": rate,
                "memory_bytes": memory_bytes,
                "evictions": evictions,
                **metadata,
            },
        )

    def swarm_coordination(
        self,
        swarm_id: str | None = None,
        *,
        agents: int,
        queued: int,
        running: int | None = None,
        completed: int | None = None,
        **metadata: object,
    ) -> None:
        """Log how a swarm stands.

        Args:
            swarm_id: The swarm; by default the process's.
            agents: Agents at work or ready for it.
            queued: Tasks that wait.
            running: Tasks that agents work on.
            completed: Tasks that ended.
            metadata: Further fields.
        """
        self._special(
            logging.INFO,
            "swarm_coordination",
            None,
            {
                "swarm_id": swarm_id or identity.swarm_id(),
                "agents": agents,
                "queued": queued,
                "running": running,
                "completed": completed,
                **metadata,
            },
        )

    def _special(
        self, level: int, record: str, operation: str | None, metadata: Mapping[str, object]
    ) -> None:
        message = record.replace("_", " ") + (f": {operation}" if operation else "")
        self._log(level, message, operation, metadata, record=record, caller=_CALLER + 1)

    def _log(
        self,
        level: int,
        message: str,
        operation: str | None,
        metadata: Mapping[str, object],
        *,
        record: str | None = None,
        caller: int = _CALLER,
        with_exception: bool = False,
    ) -> None:
        logger = self._logger
        if not logger.isEnabledFor(level):
            return
        try:
            node = self._node_id or identity.node_id()
            fields = self._fields.copy()
            fields[NODE.key] = node
            if operation is not None:
                fields[OPERATION.key] = operation
            if record is not None:
                fields[RECORD.key] = record
            add(fields, metadata)
            frame = sys._getframe(caller)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - as logging does
            code = frame.f_code
            made = logging.getLogRecordFactory()(
                logger.name, level, code.co_filename, frame.f_lineno, message, (),
                sys.exc_info() if with_exception else None, code.co_name, None,
            )  # fmt: skip
            made.__dict__.update(fields)
            logger.handle(made)
        except Exception as problem:  # a filter or handler of the application's
            if interrupts(problem):
                raise
            warn_once(
                f"log:{type(problem).__name__}", "a log record was lost: %s",
                safe_text(problem, repr),
            )  # fmt: skip


def get_logger(component: str, *, node_id: str | None = None, **context: object) -> ComponentLogger:
    """A structured logger for one component.

    Args:
        component: The component; the records' `logging` logger is `qudag.<component>`.
        node_id: The node; by default the process's.
        context: Metadata of all its records.
    """
    return ComponentLogger(component, node_id, context)


class _StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to what `sys.stderr` is at the time, so that a later redirection is followed.

    Where it cannot write, as on a full disk or a closed stream, a line is lost and nothing else.
    """

    def __init__(self) -> None:
        logging.Handler.__init__(self)  # StreamHandler's own would bind today's stream

    @property
    def stream(self) -> TextIO:  # type: ignore[override]  # read-only on purpose
        return sys.stderr

    def emit(self, record: logging.LogRecord) -> None:
        """Write one line."""
        try:
            line = f"{self.format(record)}\n"
            stream = sys.stderr
            try:
                stream.write(line)
            except UnicodeEncodeError:
                stream.write(line.encode("ascii", "backslashreplace").decode())
            stream.flush()
        except Exception as problem:  # suppress() costs a tenth of the line
            if interrupts(problem):
                raise

    def flush(self) -> None:
        """Do nothing: each line is flushed."""


def log_to_stderr(
    *,
    style: Literal["auto", "json", "text"] = "auto",
    level: int | str = logging.INFO,
    logger: str = "",
) -> logging.Handler:
    """Write log records to standard error.

    Calling it again changes style and level instead of writing every line twice.

    Args:
        style: "json" is one object a line, "text" is readable; "auto" is text in a terminal.
        level: The lowest level to write; the logger lets it pass, too.
        logger: The `logging` logger to listen to; by default the root, so all of them.

    Returns:
        The handler, for `removeHandler`.

    Raises:
        ValueError: The style or level is unknown.
    """
    formatters = {"json": JsonFormatter, "text": TextFormatter}
    if style == "auto":
        style = "text" if getattr(sys.stderr, "isatty", bool)() else "json"  # stderr may be None
    if style not in formatters:
        raise ValueError(f"style {style!r} is unknown; it is one of auto, json, text")
    target = logging.getLogger(logger)
    handler = next((one for one in target.handlers if isinstance(one, _StderrHandler)), None)
    if handler is None:
        handler = _StderrHandler()
    handler.setLevel(level)
    handler.setFormatter(formatters[style]())
    if target.getEffectiveLevel() > handler.level:
        target.setLevel(handler.level)
    target.addHandler(handler)
    return handler
