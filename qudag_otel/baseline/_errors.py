"""The one error that the baseline commands report."""

from __future__ import annotations


class BaselineError(Exception):
    """A baseline cannot be recorded, read or compared; the message says why and what to do."""
