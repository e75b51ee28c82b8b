"""One exporter behind a batch or a reader: built late, rebuilt after a fork, bounded at the end.

Building on first use means that a parent process that forks before it exports anything has no
connection yet. The modules are loaded before: a thread that imports while another one forks
leaves the child with import locks that nobody releases.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

from qudag_otel._foreign import interrupts
from qudag_otel._otel.context import suppressing
from qudag_otel.sdk._redacting import redacted
from qudag_otel.sdk.export.failures import NotDelivered, described
from qudag_otel.sdk.export.ledger import CLOSED, Ledger
from qudag_otel.sdk.export.outage import Outage

if TYPE_CHECKING:
    from collections.abc import Callable

_LOGGER: Final = logging.getLogger("qudag_otel.export")
_LEAST_SECONDS: Final = 0.1
_inherited: Final[list[object]] = []  # a parent's exporters: to close or free one would touch it


class SdkExporter(Protocol):
    """What span, metric and log exporters of the SDK have in common."""

    def export(self, batch: Any, /) -> Any: ...

    def shutdown(self) -> Any: ...


class Exporting:
    """Sends batches through an exporter, keeps account of them, and never raises.

    Args:
        build: Makes the exporter.
        signal: "traces", "metrics" or "logs".
        where: The receiver, as log lines name it.
        kind: What sends it: the protocol of OTLP, or the name of the exporter.
    """

    def __init__(
        self, build: Callable[[], SdkExporter], signal: str, where: str, kind: str
    ) -> None:
        self._build = build
        self.kind = kind
        self.signal = signal
        self.where = where
        self.took: Callable[[float, str], None] | None = None
        """Told how many seconds each export took, and how it failed: "" if it did not."""
        self._start()

    def _start(self) -> None:
        self._exporter: SdkExporter | None = None
        self._lock = threading.Lock()
        self._deadline: float | None = None
        self._closed = False
        self.ledger = Ledger()
        self.outage = Outage(self.signal, self.where, self.ledger)

    def wrap(self, around: Callable[[SdkExporter], SdkExporter]) -> None:
        """Put something around every exporter that is built from now on."""
        build = self._build
        self._build = lambda: around(build())

    def __call__(self, batch: Any, items: int) -> bool:
        """Export a batch.

        Args:
            batch: What the exporter takes.
            items: How many spans, data points or records are in it.

        Returns:
            Whether the receiver has all of it.
        """
        with self._lock, self.outage, suppressing():
            ledger = self.ledger
            ledger.in_flight = items
            began = time.perf_counter()
            lost, kind, reason = self._export(batch, items)
            took, ledger.in_flight = time.perf_counter() - began, 0
            ledger.delivered += items - lost
            if lost:
                ledger.failed[kind] += lost
        if self.took is not None:
            self.took(took, kind)
        # Logged with no lock held, and where what it is logged with may be instrumented.
        if kind:
            self.outage.failed(reason)
        else:
            self.outage.succeeded()
        return not kind

    def _export(self, batch: Any, items: int) -> tuple[int, str, str]:
        """Export; how many are lost, the kind of failure and the reason: both empty if none."""
        try:
            exporter = self._current()
            if exporter is None:
                return items, CLOSED, self.outage.reason or "no time was left"
            result = exporter.export(redacted(batch))
        except NotDelivered as error:
            # An answer that is none says nothing of how many.
            return error.lost or items, error.failure.kind, error.failure.reason
        except BaseException as error:  # an exporter's failure stays with telemetry
            if interrupts(error):
                raise
            return items, type(error).__qualname__, described(error)
        # The three result enumerations agree in this name alone.
        if getattr(result, "name", "") == "SUCCESS":
            return 0, "", ""
        return items, "other", self.outage.overheard or "no reason given"

    def _current(self) -> SdkExporter | None:
        if self._closed or (
            self._deadline is not None and self._deadline - time.monotonic() < _LEAST_SECONDS
        ):
            return None
        if self._exporter is None:
            self._exporter = self._build()
            self._limit(self._exporter)
        return self._exporter

    @property
    def connected(self) -> bool:
        """Whether there is an exporter, which may have connections and threads of its own."""
        return self._exporter is not None

    def limit(self, deadline: float) -> None:
        """Make every further export end before a point in time.

        An export that is already failing is given up soon.

        Args:
            deadline: The point on the monotonic clock.
        """
        self.outage.closing()
        self._deadline = deadline
        if self._exporter is not None:
            self._limit(self._exporter)

    def _limit(self, exporter: SdkExporter) -> None:
        limit = getattr(exporter, "limit", None)
        if limit is not None and self._deadline is not None:
            limit(self._deadline)

    def close(self) -> None:
        """End for good; an export under way is interrupted as far as the exporter lets us."""
        self._closed = True
        exporter, self._exporter = self._exporter, None
        if exporter is None:
            return
        try:
            exporter.shutdown()
        except BaseException as error:  # closing goes on
            if interrupts(error):
                raise
            _LOGGER.debug("an exporter of %s failed to close: %s", self.signal, described(error))

    def after_fork(self) -> None:
        """Leave a parent's exporter alone in a child: its connections are the parent's."""
        _inherited.append(self._exporter)
        self._start()
