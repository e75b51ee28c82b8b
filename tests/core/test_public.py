"""The public names: two lists that agree, and nothing loaded before it is used."""

from __future__ import annotations

import ast
import importlib
from importlib.metadata import version
from pathlib import Path

import pytest

import qudag_otel

SOURCE = ast.parse(Path(qudag_otel.__file__).read_text(encoding="utf-8"))
# What a type checker is told, as {name: module}.
TYPED = {
    alias.asname or alias.name: node.module or ""
    for branch in SOURCE.body
    if isinstance(branch, ast.If)
    for node in branch.body
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
}


def test_names_a_checker_sees_are_those_at_run_time() -> None:
    """Both lists have the same names from the same modules."""
    assert qudag_otel._MODULES == TYPED
    assert qudag_otel.__all__ == sorted(TYPED)
    assert set(TYPED) <= set(dir(qudag_otel))


@pytest.mark.parametrize(("name", "module"), sorted(TYPED.items()))
def test_name_is_what_its_module_has(name: str, module: str) -> None:
    """Each is the object itself, not a copy, and has a word on it."""
    found = getattr(qudag_otel, name)
    assert found is getattr(importlib.import_module(module), name)
    assert found.__doc__ or name == "instrumented"


def test_star_import_brings_every_name() -> None:
    """What is public is what `import *` brings."""
    found: dict[str, object] = {}
    exec("from qudag_otel import *", found)  # noqa: S102 - only a module's own level has a star
    assert set(TYPED) == set(found) - {"__builtins__"}


def test_version_is_the_distributions() -> None:
    """`__version__` is not written twice."""
    assert qudag_otel.__version__ == version("qudag-otel")


def test_name_that_does_not_exist_is_an_attribute_error() -> None:
    """As for any module."""
    with pytest.raises(AttributeError, match="has no attribute 'instrumentet'"):
        _ = qudag_otel.instrumentet
