"""Fixtures that every test may use: the real servers."""

from __future__ import annotations

pytest_plugins = ["tests.servers.plugin"]
