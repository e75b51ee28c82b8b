"""The metric reader that pushes: it collects every so often and exports what it collected."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.metrics.export import MetricReader

from qudag_otel._foreign import interrupts
from qudag_otel._warnings import warn_once
from qudag_otel.sdk.export.batch import CLOSE_SECONDS
from qudag_otel.sdk.export.failures import described
from qudag_otel.sdk.export.worker import Due, Worker

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricsData
    from opentelemetry.sdk.metrics.view import Aggregation

    from qudag_otel.sdk.export.exporting import Exporting

_LONGEST_SECONDS: Final = 24 * 3600.0  # an endless timeout, as a number that time arithmetic takes


class PeriodicReader(MetricReader):
    """Collects and exports at an interval, on flush and at the end.

    Args:
        export: Where collections go.
        interval: Seconds from one collection to the next.
        timeout: How long one collection with its export may take, in seconds.
        temporality: The temporality of each instrument class.
        aggregation: The aggregation of each instrument class.
    """

    def __init__(
        self,
        export: Exporting,
        *,
        interval: float,
        timeout: float,
        temporality: dict[type, AggregationTemporality] | None = None,
        aggregation: dict[type, Aggregation] | None = None,
    ) -> None:
        super().__init__(preferred_temporality=temporality, preferred_aggregation=aggregation)
        self.export = export
        self._timeout = min(timeout, _LONGEST_SECONDS)
        self._failed = False
        self._ended = False
        self._began = 0.0
        self.collected: Callable[[float], None] | None = None
        """Told how many seconds each collection took."""
        self._worker = Worker("qudag-otel-metrics", interval, self._work, repeat=True)

    def _work(self, due: Due) -> None:
        if due is Due.LOOK:  # a collection is always whole, and made when it is due
            return
        self._failed = False
        self._began = time.perf_counter()
        try:
            self.collect(timeout_millis=self._timeout * 1000)
        except BaseException as error:  # an observer's failure must not end the thread
            if interrupts(error):
                raise
            self._failed = True
            warn_once(
                f"collect:{type(error).__name__}",
                "a collection of metrics failed: %s", described(error),
            )  # fmt: skip

    def _receive_metrics(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> None:
        del timeout_millis, kwargs
        if self.collected is not None:
            self.collected(time.perf_counter() - self._began)
        points = sum(
            len(metric.data.data_points)
            for resource in metrics_data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        )
        self._failed = not self.export(metrics_data, points)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Collect and export now."""
        return self.begin_flush().wait(timeout_millis / 1000) and self.delivered

    @property
    def cpu_seconds(self) -> float:
        """The CPU time that the thread has taken."""
        return self._worker.cpu_seconds

    def begin_flush(self) -> threading.Event:
        """Collect and export; the event tells when that ended, `delivered` how."""
        return self._worker.begin_flush()

    @property
    def delivered(self) -> bool:
        """Whether the receiver has the last collection."""
        return not self._failed

    def begin_close(self, deadline: float) -> None:
        """Collect and export a last time; do not wait.

        Args:
            deadline: When to give up, on the monotonic clock.
        """
        if self._ended:
            return
        self._ended = True
        self.export.limit(deadline)
        self._worker.begin_close()

    def close(self, deadline: float) -> bool:
        """Wait for the end of what `begin_close` began.

        Returns:
            Whether the receiver has the last collection.
        """
        ended = self._worker.join(deadline - time.monotonic())
        self.export.close()
        self.export.outage.ended(0)
        return ended and not self._failed

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Collect and export a last time and end, within `CLOSE_SECONDS` at most."""
        del kwargs
        if self._ended:
            return
        deadline = time.monotonic() + min(timeout_millis / 1000, CLOSE_SECONDS)
        self.begin_close(deadline)
        self.close(deadline)

    def after_fork(self) -> None:
        """Start again in a child process."""
        self.export.after_fork()
        self._worker.after_fork()
