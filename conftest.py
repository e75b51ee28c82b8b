"""Fixtures that every test may use: the real servers; and what is measured for coverage."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

pytest_plugins = ["tests.servers.plugin"]


def pytest_configure(config: pytest.Config) -> None:
    """Measure the processes that run tests, and no program that a test starts.

    The controller of pytest-xdist hands the variable on to its workers, and starts nothing else.
    """
    if hasattr(config, "workerinput") or not config.getoption("numprocesses", None):
        os.environ.pop("COVERAGE_PROCESS_START", None)
