"""The real servers behind the tests and the native stack: built from Go modules, cached, started.

`python -m tests.servers build [NAME...]` builds, `python -m tests.servers path NAME` prints where
a binary is, `python -m tests.servers stack up` runs the whole stack without a container engine.
"""

from __future__ import annotations

from tests.servers.build import BuildError, binary

__all__ = ["BuildError", "binary"]
