"""What is logged when telemetry is lost: a line when it begins, few while it lasts, one at its end.

Exporters of OpenTelemetry and of others log every attempt. While ours calls one, what they say is
held back and the last of it becomes the reason in our own line.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Final

from qudag_otel._redact import mask

if TYPE_CHECKING:
    from qudag_otel.sdk.export.ledger import Ledger

_LOGGER: Final = logging.getLogger("qudag_otel.export")
_REMIND_SECONDS: Final = 300.0
_QUIET_SECONDS: Final = 10.0  # a queue that was full is well again when nothing was lost for this
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
        outage.overheard = record.getMessage()
        return False


_HOLD: Final = _Hold()


def hold_exporter_lines() -> None:
    """Hold back what the OTLP exporters log on threads that are inside `Outage.watch`."""
    for name in _EXPORTERS:
        logging.getLogger(name).addFilter(_HOLD)  # adding twice is adding once


class Outage:
    """Follows what is lost of one signal on its way to one place. Called by one thread at a time.

    Args:
        what: The signal, for the log line.
        where: The receiver, for the log line.
        ledger: What was lost.
    """

    def __init__(self, what: str, where: str, ledger: Ledger) -> None:
        self._what = what
        self._where = mask(where)
        self._ledger = ledger
        self._before = 0  # what was lost before this outage
        self._seen = 0  # what was lost when this was asked last
        self._told = 0  # what was lost when a line said how much
        self._lately = 0.0  # when something was found lost
        self._since = 0.0
        self._said = 0.0
        self._closing = False
        self._named = False
        self.overheard = ""
        self.reason = ""
        self.failing = False
        """Whether the last export failed."""

    def __enter__(self) -> None:
        self.overheard = ""
        _watched.outage = self

    def __exit__(self, *_: object) -> None:
        _watched.outage = None

    def failed(self, reason: str) -> None:
        """Note an export that failed, after the ledger; log it unless that was said lately.

        Args:
            reason: Why.
        """
        self.failing = True
        self.reason = mask(reason)
        self._begin()
        if not self._named:
            self._said = 0.0  # that the queue was full was said, and not why
        if self._due():
            self._named = True
            _LOGGER.warning(
                "%s cannot be exported to %s (%s); %d lost so far; going on, next word when it "
                "works again or in %d minutes",
                self._what, self._where, self.reason, self._lost(), _REMIND_SECONDS // 60,
            )  # fmt: skip

    def dropping(self, limit: int) -> None:
        """Look whether something did not fit into the queue since the last look.

        Args:
            limit: What fits.
        """
        if self._ledger.lost == self._seen:
            return
        self._begin()
        if not self.failing and self._due():
            _LOGGER.warning(
                "%s are dropped: more come than %s takes, and %d wait already; %d lost so far; "
                "next word when it works again or in %d minutes",
                self._what, self._where, limit, self._lost(), _REMIND_SECONDS // 60,
            )  # fmt: skip

    def succeeded(self) -> None:
        """Note an export that worked, and log it if the ones before did not."""
        now = time.monotonic()
        over = self.failing or now - self._lately > _QUIET_SECONDS
        self.failing = False
        if self._since and over and not self._closing:
            _LOGGER.warning(
                "%s are exported to %s again after %.0f s; %d were lost",
                self._what, self._where, now - self._since, self._lost(),
            )  # fmt: skip
            self._over()

    def closing(self) -> None:
        """From now on nothing is said before `ended`, which then says all."""
        self._closing = True

    def ended(self, remaining: int) -> None:
        """Say what is lost for good as the process ends, if anything was since the last word.

        Args:
            remaining: What still waited; the ledger has it already.
        """
        if self._ledger.lost == self._told:
            return
        reason = self.reason or "no time was left"
        _LOGGER.warning(
            "%s cannot be exported to %s (%s); telemetry ends and %d are lost%s",
            self._what, self._where, reason, self._lost(),
            f", {remaining} of them still waited" if remaining else "",
        )  # fmt: skip
        self._over()

    def _lost(self) -> int:
        """What this outage cost so far, as the line about to be logged tells."""
        self._told = self._ledger.lost
        return self._told - self._before

    def _begin(self) -> None:
        self._seen = self._ledger.lost
        self._lately = time.monotonic()
        self._since = self._since or self._lately

    def _due(self) -> bool:
        if self._closing or (self._said and self._lately - self._said < _REMIND_SECONDS):
            return False
        self._said = self._lately
        return True

    def _over(self) -> None:
        self._since = self._said = 0.0
        self._named = False
        self._before = self._seen = self._told
        self.reason = ""
