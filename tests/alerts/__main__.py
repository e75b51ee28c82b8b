"""`python -m tests.alerts` writes alerts/tests from the cases; the test suite compares them."""

from __future__ import annotations

import sys

from qudag_otel import _generated
from tests.alerts import cases

if __name__ == "__main__":
    sys.exit(
        _generated.command(
            "python -m tests.alerts",
            __doc__,
            cases.texts(_generated.ROOT),
            orphaned=cases.orphans(_generated.ROOT),
        )
    )
