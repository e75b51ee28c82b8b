"""The option `--prefix` of what exports rules and dashboards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qudag_otel.catalogue import prefix
from qudag_otel.cli._command import told

if TYPE_CHECKING:
    import argparse


def _prefix(text: str) -> str:
    if not prefix.is_valid(text):
        raise ValueError("a prefix begins with a letter; letters, digits, _ and . follow")
    return text


def add_prefix(parser: argparse.ArgumentParser) -> None:
    """Declare it."""
    parser.add_argument(
        "--prefix", type=told(_prefix), default=prefix.DEFAULT, metavar="NAME",
        help="what OTEL_PYTHON_QUDAG_PREFIX says: how metrics of operations begin "
        "(default %(default)s)",
    )  # fmt: skip
