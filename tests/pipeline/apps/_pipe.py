"""How an application of this folder talks to the test that started it: lines of JSON."""

from __future__ import annotations

import json
import sys


def say(value: object) -> None:
    """Tell the test something."""
    sys.stdout.write(f"{json.dumps(value)}\n")
    sys.stdout.flush()


def wait_until_told_to_end() -> None:
    """Return when the test closes standard input."""
    sys.stdin.read()
