"""Records of the standard library's logging, on their way to the logs exporters.

A handler on the root logger would change what the application sees: `basicConfig` does nothing
once the root has a handler, `dictConfig` removes it, and warnings no longer reach stderr by
themselves. So the bridge listens behind the handlers instead, where a handler of the root logger
would be called.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context as context_api
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.instrumentation.utils import is_instrumentation_enabled

from qudag_otel._warnings import warn_once
from qudag_otel.errors import error_type

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry._logs import LoggerProvider

_STANDARD: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_PLAIN: Final = (str, bool, int, float, bytes, type(None))
# OpenTelemetry's names of levels that the standard library calls otherwise.
_LEVEL_NAMES: Final = {"WARNING": "WARN", "CRITICAL": "FATAL"}

CallHandlers = "Callable[[logging.Logger, logging.LogRecord], None]"


class _Busy(threading.local):
    now = False


class Bridge:
    """Sends every record that reaches the root logger to a logger provider.

    Args:
        provider: Where records go.
    """

    def __init__(self, provider: LoggerProvider) -> None:
        self._provider = provider
        self._busy = _Busy()
        self._original: Callable[[logging.Logger, logging.LogRecord], None] | None = None

    def install(self) -> None:
        """Begin to listen."""
        original = self._original = logging.Logger.callHandlers
        bridge = self

        def call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
            original(logger, record)
            if bridge._original is not None and _reaches_root(logger) and not _sent_already():
                bridge.emit(record)

        logging.Logger.callHandlers = call_handlers  # type: ignore[method-assign, assignment]  # undone by remove
        self._replacement = call_handlers

    def remove(self) -> None:
        """Stop listening; what others put around the bridge since then stays."""
        original, self._original = self._original, None
        if original is not None and logging.Logger.callHandlers is self._replacement:
            logging.Logger.callHandlers = original  # type: ignore[method-assign, assignment]  # as it was

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record; never raises."""
        # What an exporter logs while it exports must not be exported again.
        if self._busy.now or not is_instrumentation_enabled():
            return
        self._busy.now = True
        try:
            self._provider.get_logger(record.name).emit(translated(record))
        except Exception as error:  # noqa: BLE001 - logging must not fail the application
            warn_once(f"bridge:{error!r}", "a log record could not be exported: %r", error)
        finally:
            self._busy.now = False


def _reaches_root(logger: logging.Logger | None) -> bool:
    while logger is not None and logger.parent is not None:
        if not logger.propagate:
            return False
        logger = logger.parent
    return True


def _sent_already() -> bool:
    """Whether a handler of OpenTelemetry's on the root logger sends the record, too."""
    return any(type(one).__module__.startswith("opentelemetry.") for one in logging.root.handlers)


def translated(record: logging.LogRecord) -> LogRecord:
    """Translate a record of the standard library.

    The message becomes the body, what was given as `extra` becomes attributes, an exception
    becomes the attributes of the semantic conventions, and the current span is referred to.
    """
    attributes: dict[str, Any] = {
        key: _plain(value) for key, value in vars(record).items() if key not in _STANDARD
    }
    attributes["code.file.path"] = record.pathname
    attributes["code.function.name"] = record.funcName
    attributes["code.line.number"] = record.lineno
    if record.exc_info and record.exc_info[0] is not None:
        kind, error, trace = record.exc_info
        attributes["exception.type"] = error_type(kind)
        attributes["exception.message"] = str(error)
        attributes["exception.stacktrace"] = "".join(traceback.format_exception(kind, error, trace))
    return LogRecord(
        timestamp=int(record.created * 1e9),
        observed_timestamp=time.time_ns(),
        context=context_api.get_current(),
        severity_number=severity(record.levelno),
        severity_text=_LEVEL_NAMES.get(record.levelname, record.levelname),
        body=record.getMessage(),
        attributes=attributes,
    )


def severity(level: int) -> SeverityNumber:
    """Translate a level: ten of the standard library's are four of OpenTelemetry's."""
    if level <= 0:
        return SeverityNumber.UNSPECIFIED
    tens = min(level // 10, 5)
    return SeverityNumber(4 * tens + 1 + min(level - 10 * tens, 3))


def _plain(value: object) -> object:
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, (list, tuple)):
        items: list[object] = list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - any items
        return [_plain(item) for item in items]
    if isinstance(value, dict):
        pairs: dict[object, object] = value  # pyright: ignore[reportUnknownVariableType] - any items
        return {str(key): _plain(item) for key, item in pairs.items()}
    return str(value)
