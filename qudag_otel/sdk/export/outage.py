"""What is logged when exports fail: one line when it begins, few while it lasts, one at its end.

The OTLP exporters log every attempt. While ours calls one, their lines are held back and the last
of them becomes the reason in our own.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from qudag_otel._redact import mask

_LOGGER: Final = logging.getLogger("qudag_otel.export")
_REMIND_SECONDS: Final = 300.0
# A filter on a logger sees only what is logged through that very logger, so each is named.
_EXPORTERS: Final = (
    "opentelemetry.exporter.otlp.common.http",
    "opentelemetry.exporter.otlp.proto.grpc.exporter",
    "opentelemetry.exporter.otlp.proto.http._log_exporter",
    "opentelemetry.exporter.otlp.proto.http.metric_exporter",
    "opentelemetry.exporter.otlp.proto.http.trace_exporter",
)


class _Watched(threading.local):
    outage: Outage | None = None


_watched = _Watched()


class _Hold(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        outage = _watched.outage
        if outage is None:
            return True
        outage.struggling = True
        outage.reason = record.getMessage()
        return False


_HOLD: Final = _Hold()


def hold_exporter_lines() -> None:
    """Hold back what the OTLP exporters log on threads that are inside `Outage.watch`."""
    for name in _EXPORTERS:
        logging.getLogger(name).addFilter(_HOLD)  # adding twice is adding once


class Outage:
    """Follows the exports of one signal to one place.

    Args:
        what: The signal, for the log line.
        where: The receiver, for the log line.
    """

    def __init__(self, what: str, where: str) -> None:
        self._what = what
        self._where = mask(where)
        self._since = 0.0
        self._said = 0.0
        self._lost = 0
        self.reason = ""
        self.struggling = False
        """Whether the last export failed, or the one under way has failed at least once."""

    def __enter__(self) -> None:
        self.reason = ""
        _watched.outage = self

    def __exit__(self, *_: object) -> None:
        _watched.outage = None

    def failed(self, items: int, error: BaseException | None = None) -> None:
        """Count an export that failed and log it, unless that was said a short while ago.

        Args:
            items: How many spans, data points or records went with it.
            error: The exception, if it raised one.
        """
        now = time.monotonic()
        self._since = self._since or now
        self._lost += items
        self.struggling = True
        if self._said and now - self._said < _REMIND_SECONDS:
            return
        self._said = now
        _LOGGER.warning(
            "%s cannot be exported to %s (%s); %d lost so far; retrying, next word when it works "
            "again or in %d minutes",
            self._what,
            self._where,
            mask(repr(error) if error else self.reason or "no reason given"),
            self._lost,
            _REMIND_SECONDS // 60,
        )

    def succeeded(self) -> None:
        """Note an export that worked, and log it if the one before had failed."""
        self.struggling = False
        if not self._since:
            return
        _LOGGER.warning(
            "%s are exported to %s again after %.0f s; %d were lost",
            self._what,
            self._where,
            time.monotonic() - self._since,
            self._lost,
        )
        self._since = self._said = 0.0
        self._lost = 0
