"""The page of adapters names each of them, with the versions that it says it takes."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING

import pytest
from opentelemetry.instrumentation.qudag import adapters

from benchmarks.adapters import CASES, PAGE, measure

if TYPE_CHECKING:
    from tests.servers.databases import PostgreSQL, Redis

NAMES = [one.name for one in pkgutil.iter_modules(adapters.__path__) if one.name[0] != "_"]


@pytest.mark.parametrize("name", NAMES)
def test_page_names_the_adapter_with_its_versions(name: str) -> None:
    """One row each, as the instrumentor says."""
    module = importlib.import_module(f"{adapters.__name__}.{name}")
    (kind,) = module.__all__
    takes = "".join(getattr(module, kind).requires) or "Python"
    assert f"| `{name}` | {takes} |" in PAGE.read_text()


@pytest.mark.servers("redis", "postgresql")
@pytest.mark.parametrize("name", CASES)
def test_cost_is_measured(name: str, redis_server: Redis, postgresql: PostgreSQL) -> None:
    """Every row runs, bare and watched; how long it takes is not asserted."""
    ports = {"redis": redis_server.port, "postgresql": postgresql.port}
    assert min(measure(name, ports, short=True)) > 0
