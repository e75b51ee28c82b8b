"""Public names and the documents: each has a place in the reference, and is used on a page."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Final

import pytest

from tests.docs.blocks import DOCUMENTS, blocks
from tests.servers.build import REPOSITORY

MODULES: Final = (
    "qudag_otel",
    "qudag_otel.testing",
    "qudag_otel.redaction",
    "qudag_otel.propagation",
    "qudag_otel.node",
    "opentelemetry.instrumentation.qudag.cache",
    "opentelemetry.instrumentation.qudag.chunking",
    "opentelemetry.instrumentation.qudag.functions",
    "opentelemetry.instrumentation.qudag.messages",
    "opentelemetry.instrumentation.qudag.pool",
    "opentelemetry.instrumentation.qudag.swarm",
    "opentelemetry.instrumentation.qudag.system",
)
REFERENCE: Final = REPOSITORY / "docs" / "reference"


def public_names(module: str) -> list[str]:
    """What a module says is public."""
    return list(importlib.import_module(module).__all__)


@pytest.mark.parametrize("module", MODULES)
def test_public_names_are_used_on_a_page(module: str) -> None:
    """In a block that is run, or by name in a text; not in the reference alone."""
    pages = "\n".join(
        page.read_text() for page in DOCUMENTS if REFERENCE not in page.parents
    ) + "\n".join(block.code for block in blocks("python"))
    unused = [
        name for name in public_names(module) if not re.search(rf"\b{re.escape(name)}\b", pages)
    ]
    assert unused == []


@pytest.mark.parametrize("name", public_names("qudag_otel"))
def test_docstrings_say_what_is_raised(name: str) -> None:
    """A function that raises by itself has a section Raises."""
    public = getattr(importlib.import_module("qudag_otel"), name)
    if inspect.isclass(public) or not inspect.isfunction(public):
        assert inspect.getdoc(public)
        return
    documented = inspect.getdoc(public) or ""
    raises = re.search(r"^\s+raise \w", inspect.getsource(public), re.MULTILINE)
    assert documented
    assert not raises or "Raises:" in documented
