"""`python -m tests.adapters`: the versions that the adapters say they support, one a line.

With what a library needs beside it to be tested: a driver for psycopg's pools.
"""

from __future__ import annotations

import sys
from importlib.metadata import entry_points

PREFIX = "opentelemetry.instrumentation.qudag.adapters."


def ranges() -> list[str]:
    """What the instrumentors of this package require, as pip reads it."""
    found = [
        requirement
        for point in entry_points(group="opentelemetry_instrumentor")
        if point.value.startswith(PREFIX)
        for requirement in point.load()().instrumentation_dependencies()
    ]
    return sorted(found)


if __name__ == "__main__":
    sys.stdout.write("\n".join([*ranges(), "psycopg[binary]>=3.1", ""]))
