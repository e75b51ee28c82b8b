"""Commands that run in the tests' own process leave it as it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from qudag_otel.sdk import reset

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _no_set_up_stays() -> Iterator[None]:
    """Undo what `doctor` has set up: a provider, even a closed one, is the process's own."""
    yield
    reset()
