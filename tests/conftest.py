"""What every test relies on: an environment without OTEL_* variables, and the real servers."""

from __future__ import annotations

import os

import pytest

pytest_plugins = ["tests.servers.plugin"]


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the OTEL_* variables of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)
