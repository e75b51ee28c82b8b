"""The pytest plugin: one fixture.

Loaded by its entry point in every pytest run of an environment that holds this package, so it
imports nothing of OpenTelemetry until a test asks for the fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qudag_otel.testing import capture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qudag_otel.testing import Captured


@pytest.fixture
def telemetry() -> Iterator[Captured]:
    """The spans, metrics and logs of this test, in memory; empty when the test starts."""
    with capture() as captured:
        yield captured
