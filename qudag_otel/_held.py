"""The latest value of gauges that are read at collection but reported when they change."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Final

from qudag_otel._warnings import warn_once
from qudag_otel.instruments import observe, usable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from qudag_otel.catalogue import Metric

_LIMIT: Final = 1000


class Held:
    """The latest value of every series of one asynchronous gauge.

    Args:
        metric: The gauge.
    """

    def __init__(self, metric: Metric) -> None:
        self._metric = metric
        self._lock = threading.Lock()
        self._values: dict[tuple[tuple[str, str], ...], float] = {}
        self._stop: Callable[[], None] | None = None

    def set(self, value: float, **labels: str) -> None:
        """Report a value until the next one; a negative or non-finite one is dropped."""
        if not usable(self._metric, value, signed=False):
            return
        key = tuple(sorted(labels.items()))
        with self._lock:
            if key not in self._values and len(self._values) >= _LIMIT:
                warn_once(
                    f"held:{self._metric.name}",
                    "%s has %d series; further ones are dropped",
                    self._metric.name,
                    _LIMIT,
                )
                return
            self._values[key] = value
            first, self._stop = self._stop is None, self._stop or _nothing
        if first:
            self._stop = observe(self._metric, self._read)

    def reset(self) -> None:
        """Forget all values."""
        with self._lock:
            stop, self._stop = self._stop, None
            self._values.clear()
        if stop is not None:
            stop()

    def _read(self) -> Iterable[tuple[Mapping[str, str], float]]:
        with self._lock:
            values = list(self._values.items())
        return [(dict(key), value) for key, value in values]


def _nothing() -> None:
    """Stands in while the observation is being registered."""
