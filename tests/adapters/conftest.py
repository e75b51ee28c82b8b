"""What the tests of adapters share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from qudag_otel.testing import Captured


@pytest.fixture
def watched(request: pytest.FixtureRequest, telemetry: Captured) -> Iterator[Any]:
    """An instrumentor at work, and taken back."""
    assert telemetry is not None
    instrumentor = request.param()
    instrumentor.instrument()
    yield instrumentor
    instrumentor.uninstrument()
