"""The metric reader behind /metrics: it collects when it is asked."""

from __future__ import annotations

import gzip
import threading
import time
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.metrics.export import MetricReader

from qudag_otel._warnings import warn_once
from qudag_otel.sdk.prometheus.exposition import Exposition
from qudag_otel.sdk.prometheus.gauges import gauge_modes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.sdk.metrics.export import MetricsData

_GZIP_LEVEL: Final = 1  # a scrape is read once, nearby: time counts more than the last percent


class _Here(threading.local):
    """What this thread collected: scrapes may be answered at the same time."""

    collected: MetricsData | None = None


class PrometheusReader(MetricReader):
    """Collects on each scrape, cumulative, and renders what it collected.

    Args:
        scope_labels: Whether each series names its instrumentation scope; see `Exposition`.
        timeout: How long a collection may take, in seconds.
        gauges: How a gauge of several workers becomes one, by the instrument's name; see
            `qudag_otel.sdk.prometheus.gauges`.
    """

    def __init__(
        self,
        *,
        scope_labels: bool = False,
        timeout: float = 10.0,
        gauges: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self._declared = gauges or {}
        self._timeout = timeout
        self._scope_labels = scope_labels
        self.cpu_seconds = 0.0
        """The CPU time that scrapes have taken."""
        self.collected: Callable[[float], None] | None = None
        """Told how many seconds each collection took."""
        self._start()

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._exposition = Exposition(scope_labels=self._scope_labels)
        self._here = _Here()

    def _receive_metrics(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> None:
        del timeout_millis, kwargs
        self._here.collected = metrics_data

    def scrape(self, *, openmetrics: bool, compress: bool = False) -> bytes:
        """Collect and render.

        Args:
            openmetrics: OpenMetrics 1.0 instead of the classic text format 0.0.4.
            compress: Compress with gzip.
        """
        began = time.thread_time()
        body = self._render(self._collected(), openmetrics=openmetrics)
        if compress:
            body = gzip.compress(body, compresslevel=_GZIP_LEVEL, mtime=0)
        self.cpu_seconds += time.thread_time() - began
        return body

    def page(self) -> tuple[bytes, dict[str, str]]:
        """Collect and render for other workers: OpenMetrics, and the modes of the gauges in it."""
        collected = self._collected()
        modes = gauge_modes(collected, self._declared)
        return self._render(collected, openmetrics=True), modes

    def _collected(self) -> MetricsData | None:
        # Observers and loggers are somebody else's: not under the lock.
        self._here.collected = None
        began = time.perf_counter()
        self.collect(timeout_millis=self._timeout * 1000)
        if self.collected is not None:
            self.collected(time.perf_counter() - began)
        collected, self._here.collected = self._here.collected, None
        return collected

    def _render(self, collected: MetricsData | None, *, openmetrics: bool) -> bytes:
        with self._lock:
            body = self._exposition.render(collected, openmetrics=openmetrics)
            problems = self._exposition.problems
        for problem, details in problems:
            warn_once(f"exposition:{problem}", "/metrics: %s (%s)", problem, details)
        return body

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Do nothing: nothing waits to be sent."""
        del timeout_millis
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Do nothing: the server that asks is closed by its owner."""

    def after_fork(self) -> None:
        """Forget what was rendered; the lock may be held by a thread that does not exist here."""
        self._start()
