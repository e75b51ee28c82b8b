"""Fixtures of the set-up's tests: a process without telemetry before and after each."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from qudag_otel.sdk import reset
from tests.sdk.receiver import Receiver

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take every OTEL_* variable away, and undo every set-up afterwards."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
    reset()
    yield
    reset()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A running OTLP receiver."""
    with Receiver() as running:
        yield running
        reset()  # while it still answers
