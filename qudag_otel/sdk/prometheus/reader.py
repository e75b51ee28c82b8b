"""The metric reader behind /metrics: it collects when it is asked."""

from __future__ import annotations

import gzip
import threading
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.metrics.export import MetricReader

from qudag_otel.sdk.prometheus.exposition import Exposition

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData

_GZIP_LEVEL: Final = 1  # a scrape is read once, nearby: time counts more than the last percent


class PrometheusReader(MetricReader):
    """Collects on each scrape, cumulative, and renders what it collected.

    Args:
        scope_labels: Whether each series names its instrumentation scope; see `Exposition`.
        timeout: How long a collection may take, in seconds.
    """

    def __init__(self, *, scope_labels: bool = False, timeout: float = 10.0) -> None:
        super().__init__()
        self._timeout = timeout
        self._scope_labels = scope_labels
        self._start()

    def _start(self) -> None:
        self._lock = threading.Lock()
        self._exposition = Exposition(scope_labels=self._scope_labels)
        self._latest: MetricsData | None = None

    def _receive_metrics(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> None:
        del timeout_millis, kwargs
        self._latest = metrics_data

    def scrape(self, *, openmetrics: bool, compress: bool = False) -> bytes:
        """Collect and render.

        Args:
            openmetrics: OpenMetrics 1.0 instead of the classic text format 0.0.4.
            compress: Compress with gzip.
        """
        with self._lock:
            self._latest = None
            self.collect(timeout_millis=self._timeout * 1000)
            body = self._exposition.render(self._latest, openmetrics=openmetrics)
        return gzip.compress(body, compresslevel=_GZIP_LEVEL, mtime=0) if compress else body

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Do nothing: nothing waits to be sent."""
        del timeout_millis
        return True

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Do nothing: the server that asks is closed by its owner."""

    def after_fork(self) -> None:
        """Forget what was rendered; the lock may be held by a thread that does not exist here."""
        self._start()
