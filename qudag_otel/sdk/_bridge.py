"""Records of the standard library's logging, on their way to the logs exporters.

A handler on the root logger would change what the application sees: `basicConfig` does nothing
once the root has a handler, `dictConfig` removes it, and warnings no longer reach stderr by
themselves. So the bridge listens behind the handlers instead, where a handler of the root logger
would be called.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any, Final

from qudag_otel._calls.timed import Timed
from qudag_otel._foreign import interrupts
from qudag_otel._otel.context import suppressed
from qudag_otel._warnings import warn_once
from qudag_otel.sdk._records import LightRecord, OurLoggerProvider

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk._logs import LoggerProvider

# What OpenTelemetry logs for each attribute that it cuts or drops, on the caller's time.
_REPEATING: Final = ("opentelemetry.attributes",)


class _Busy(threading.local):
    now = False


class Bridge:
    """Sends every record that reaches the root logger to a logger provider.

    Args:
        provider: Where records go.
        queues: Take light records for export. None where somebody else's processor looks at
            records too, or a limit is set that the SDK applies: then they go through the provider.
    """

    def __init__(
        self, provider: LoggerProvider, queues: Sequence[Callable[[Any], None]] | None = None
    ) -> None:
        self._provider = provider
        self._queues = queues
        self._most = attributes_kept(provider)
        self._busy = _Busy()
        self._timed = Timed()
        self._original: Callable[[logging.Logger, logging.LogRecord], None] | None = None
        if isinstance(provider, OurLoggerProvider):
            provider.when_extended = self.leave_queues

    def leave_queues(self) -> None:
        """Give records to the provider: the application wants to see them."""
        self._queues = None

    def install(self) -> None:
        """Begin to listen."""
        original = self._original = logging.Logger.callHandlers
        bridge = self

        def call_handlers(logger: logging.Logger, record: logging.LogRecord) -> None:
            original(logger, record)
            if bridge._original is not None and _wanted(logger, record):
                bridge.emit(record)

        logging.Logger.callHandlers = call_handlers  # type: ignore[method-assign, assignment]  # undone by remove
        self._replacement = call_handlers
        for name in _REPEATING:
            logging.getLogger(name).addFilter(_ONCE)

    def remove(self) -> None:
        """Stop listening; what others put around the bridge since then stays."""
        original, self._original = self._original, None
        for name in _REPEATING:
            logging.getLogger(name).removeFilter(_ONCE)
        _ONCE.said.clear()
        if original is not None and logging.Logger.callHandlers is self._replacement:
            logging.Logger.callHandlers = original  # type: ignore[method-assign, assignment]  # as it was

    def emit(self, record: logging.LogRecord) -> None:
        """Send one record; never raises. No lock is held: a value's own code may log, too."""
        # What an exporter logs while it exports must not be exported again.
        if self._busy.now or suppressed():
            return
        self._busy.now = True
        number, began = self._timed.begin()
        try:
            light = LightRecord(record, self._provider.resource)
            queues = self._queues
            if queues is None or len(light.fields) > self._most:
                self._provider.get_logger(light.name).emit(light.of_api())
            else:
                for queue in queues:
                    queue(light)
        except BaseException as error:  # logging must not fail the application
            if interrupts(error):
                raise
            warn_once(
                f"bridge:{type(error).__name__}", "a log record could not be exported: %r", error
            )
        finally:
            self._busy.now = False
            self._timed.end(number, began)

    def cost(self) -> float:
        """The CPU seconds that the records so far took of those who log, from timing a few."""
        return self._timed.seconds


class _Once(logging.Filter):
    """Lets the first record of each kind pass."""

    said: Final[set[str]] = set()

    def filter(self, record: logging.LogRecord) -> bool:
        kind = str(record.msg)[:80]
        known = kind in self.said
        self.said.add(kind)
        return not known


_ONCE: Final = _Once()


def attributes_kept(provider: Any) -> int:
    """How many fields a record may have before a limit concerns it; none if texts are cut."""
    limits = getattr(provider, "_log_record_limits", None)
    if limits is None or getattr(limits, "max_attribute_length", None) is not None:
        return -1
    most = getattr(limits, "max_attributes", None)
    return 1 << 30 if most is None else most - 3  # three tell the place in the code


def _wanted(logger: logging.Logger | None, record: logging.LogRecord) -> bool:
    """Whether a record reaches the root, and no handler of OpenTelemetry has exported it."""
    while logger is not None:
        for handler in logger.handlers:
            if _exports(type(handler)) and record.levelno >= handler.level:
                return False
        if not logger.propagate:
            return logger.parent is None
        logger = logger.parent
    return True


_kinds: dict[type, bool] = {}


def _exports(kind: type) -> bool:
    """Whether a handler is OpenTelemetry's own, of the SDK or of its logging instrumentation."""
    found = _kinds.get(kind)
    if found is None:
        found = any(
            base.__name__ == "LoggingHandler" and base.__module__.startswith("opentelemetry.")
            for base in kind.__mro__
        )
        if len(_kinds) < 256:  # noqa: PLR2004 - classes made on the fly
            _kinds[kind] = found
    return found
