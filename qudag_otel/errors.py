"""How an error is named in `error_type` labels and `error.type` attributes."""

from __future__ import annotations


def error_type(error: BaseException | type[BaseException]) -> str:
    """The class's qualified name, without the module for Python's own exceptions.

    Source: OpenTelemetry semantic conventions, `error.type`.
    """
    kind = error if isinstance(error, type) else type(error)
    if kind.__module__ == "builtins":
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"
