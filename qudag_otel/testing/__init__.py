"""Capture spans, metrics and logs in tests.

The pytest plugin of this package gives every test the fixture `telemetry`:

    def test_load_reads_one_file(telemetry):
        load("a.txt")
        assert telemetry.span("load").status == "ok"
        assert telemetry.value("qudag.operation.duration", operation="load") == 1

Elsewhere, `capture()` is the same as a context manager.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from qudag_otel.testing._captured import Captured
from qudag_otel.testing._records import Event, Log, Point, Span

if TYPE_CHECKING:
    from collections.abc import Generator

__all__ = ["Captured", "Event", "Log", "Point", "Span", "capture"]


@contextlib.contextmanager
def capture() -> Generator[Captured]:
    """Capture all spans, metrics and logs of this process until the block ends.

    Everything is sampled and kept in memory; nothing is exported. Providers that were set
    before are set again afterwards, also when the block raises. Blocks may be nested: the inner
    one captures alone. What telemetry says of itself (its queues, its price) is left out. Records
    of the `logging` module are captured from the level at which the logger lets them pass.

    With OTEL_SDK_DISABLED=true nothing is captured, as the variable asks.

    Yields:
        What was captured so far, live.
    """
    # The SDK is loaded here and not at import, so that the pytest plugin costs nothing unused.
    from qudag_otel.testing._providers import installed

    with installed() as captured:
        yield captured
