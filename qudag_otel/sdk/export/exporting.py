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

from opentelemetry.instrumentation.utils import suppress_instrumentation

from qudag_otel.sdk.export.outage import Outage

if TYPE_CHECKING:
    from collections.abc import Callable

_LOGGER: Final = logging.getLogger("qudag_otel.export")
_LAST_ATTEMPT: Final = 0.5  # the share of what is left of the closing time that one export may take
_LEAST_SECONDS: Final = 0.2
_inherited: Final[list[object]] = []  # a parent's exporters: to close or free one would touch it


class SdkExporter(Protocol):
    """What span, metric and log exporters of the SDK have in common."""

    def export(self, batch: Any, /) -> Any: ...

    def shutdown(self) -> Any: ...


class Exporting:
    """Sends batches through an exporter and never raises.

    Args:
        build: Makes the exporter, given how many seconds an export may take.
        timeout: That time in seconds.
        signal: "traces", "metrics" or "logs".
        where: The receiver, as log lines name it.
    """

    def __init__(
        self, build: Callable[[float], SdkExporter], timeout: float, signal: str, where: str
    ) -> None:
        self._build = build
        self._timeout = timeout
        self._signal = signal
        self._where = where
        self._start()

    def _start(self) -> None:
        self._exporter: SdkExporter | None = None
        self._lock = threading.Lock()
        self._deadline: float | None = None
        self._closed = False
        self.outage = Outage(self._signal, self._where)

    def wrap(self, around: Callable[[SdkExporter], SdkExporter]) -> None:
        """Put something around every exporter that is built from now on."""
        build = self._build

        def wrapped(timeout: float) -> SdkExporter:
            return around(build(timeout))

        self._build = wrapped

    def __call__(self, batch: Any, items: int) -> bool:
        """Export a batch.

        Args:
            batch: What the exporter takes.
            items: How many spans, data points or records are in it.

        Returns:
            Whether the receiver has it.
        """
        with self._lock, self.outage, suppress_instrumentation():
            try:
                exporter = self._current()
                if exporter is None:
                    return False
                result = exporter.export(batch)
            except Exception as error:  # noqa: BLE001 - an exporter's failure stays with telemetry
                self.outage.failed(items, error)
                return False
            # The three result enumerations agree in this name alone.
            if getattr(result, "name", "") != "SUCCESS":
                self.outage.failed(items)
                return False
            self.outage.succeeded()
            return True

    def _current(self) -> SdkExporter | None:
        if self._closed:
            return None
        if self._deadline is not None:
            # An exporter retries until its own timeout; a shorter one is the only public way to
            # make it give up in time.
            left = (self._deadline - time.monotonic()) * _LAST_ATTEMPT
            if left < _LEAST_SECONDS:
                return None
            if left < self._timeout:
                exporter, self._exporter = self._exporter, None
                self._interrupt(exporter)
                self._timeout = left
        if self._exporter is None:
            self._exporter = self._build(self._timeout)
        return self._exporter

    def limit(self, deadline: float) -> None:
        """Make every further export end before a point in time.

        An export that is already failing is given up at once.

        Args:
            deadline: The point on the monotonic clock.
        """
        self._deadline = deadline
        if self.outage.struggling:
            exporter, self._exporter = self._exporter, None
            self._interrupt(exporter)

    def close(self) -> None:
        """End for good; an export under way is interrupted as far as the exporter lets us."""
        self._closed = True
        exporter, self._exporter = self._exporter, None
        self._interrupt(exporter)

    def _interrupt(self, exporter: SdkExporter | None) -> None:
        if exporter is None:
            return
        try:
            exporter.shutdown()
        except Exception as error:  # noqa: BLE001 - closing goes on
            _LOGGER.debug("an exporter of %s failed to close: %r", self._signal, error)

    def after_fork(self) -> None:
        """Leave a parent's exporter alone in a child: its connections are the parent's."""
        _inherited.append(self._exporter)
        self._start()
