"""What telemetry costs this process: CPU seconds, of its own threads and on the callers' time.

Threads are read off their own clocks. Calls are too short to be timed one by one; now and then an
empty call is made and timed where a real one begins, in the thread and among the caches of the
application, and the median of the latest stands for all.
"""

from __future__ import annotations

import time
from collections import deque
from statistics import median
from types import MethodType
from typing import TYPE_CHECKING, Any, Final

from qudag_otel._calls.drivers import drive
from qudag_otel._calls.site import Options, Site
from qudag_otel.sdk.fast.site import FastSite

if TYPE_CHECKING:
    from collections.abc import Callable

    from qudag_otel.sdk.fast.engine import Engine

_SAMPLES: Final = 127
_WINDOW_SECONDS: Final = 60.0
_clock = time.perf_counter_ns


class Sampled:
    """The cost of something that happens often, from timing a few.

    Args:
        probe: Does it once, with nothing else.
        bare: The same without telemetry.
    """

    def __init__(self, probe: Callable[[], object], bare: Callable[[], object]) -> None:
        self._probe = probe
        self._bare = bare
        self._took: deque[int] = deque(maxlen=_SAMPLES)
        self._busy = False

    def sample(self) -> None:
        """Time it once; costs as much as twice the thing."""
        if self._busy:  # a destructor or signal handler in the middle of this
            return
        self._busy = True
        try:
            began = _clock()
            self._probe()
            between = _clock()
            self._bare()
            self._took.append(2 * between - began - _clock())
        finally:
            self._busy = False

    def seconds(self) -> float:
        """What one costs."""
        return max(0.0, median(self._took) * 1e-9) if self._took else 0.0


class _ProbeSite(FastSite):
    """A site that is nobody's: what its calls leave behind is forgotten."""

    __slots__ = ()

    def relieve(self) -> None:
        """Forget."""
        self.records.clear()


def _nothing() -> None:
    pass


def probe(engine: Engine, opener: Any, *, spans: bool) -> Sampled:
    """What times the calls of one kind.

    Args:
        engine: The fast path.
        opener: Opens its calls.
        spans: Whether they have spans.
    """
    site = Site(Options(operation="price", metrics=False, spans=spans))
    fast: Any = _ProbeSite(site, engine)
    site.begin = site.start = MethodType(opener, fast)
    site.timed = None if spans else fast
    return Sampled(drive(_nothing, site, None), _nothing)


class Share:
    """A part of the process's CPU time, over the latest minute or what there was of it.

    Args:
        part: The CPU seconds of the part so far.
    """

    def __init__(self, part: Callable[[], float]) -> None:
        self._part = part
        self._past: deque[tuple[float, float, float]] = deque([self._now()])

    def _now(self) -> tuple[float, float, float]:
        return time.monotonic(), time.process_time(), self._part()

    def __call__(self) -> float:
        """The share, 0 to 1."""
        now, past = self._now(), self._past
        while len(past) > 1 and now[0] - past[1][0] > _WINDOW_SECONDS:
            past.popleft()
        if now[0] - past[-1][0] > _WINDOW_SECONDS / 4:
            past.append(now)
        _, process, part = past[0]
        used = now[1] - process
        return min(1.0, (now[2] - part) / used) if used > 0 else 0.0
