"""Named arguments as span attributes: bounded, and never a secret."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from qudag_otel._redact import rendered

if TYPE_CHECKING:
    from qudag_otel._calls.site import Attributes

Capture: TypeAlias = Callable[[tuple[Any, ...], Mapping[str, Any]], "Attributes | None"]

PREFIX: Final = "qudag.argument."
_LIMIT: Final = 256


def capturing(function: Callable[..., Any], names: Sequence[str]) -> Capture | None:
    """What reads the named arguments of a call; None if there are none to read.

    Raises:
        TypeError: The function has no such parameter, or its signature cannot be read.
    """
    if not names:
        return None
    try:
        signature = inspect.signature(function)
    except ValueError as error:
        raise TypeError(f"capture= needs a readable signature: {error}") from error
    unknown = [name for name in names if name not in signature.parameters]
    if unknown:
        raise TypeError(
            f"capture= names {unknown[0]!r}, but {function!r} has "
            f"({', '.join(signature.parameters)})"
        )
    wanted = tuple((name, PREFIX + name) for name in names)

    def capture(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Attributes | None:
        try:
            bound = signature.bind_partial(*args, **kwargs)
        except TypeError:  # the call itself will say what is wrong with its arguments
            return None
        bound.apply_defaults()
        found = bound.arguments
        return {
            key: rendered(found[name], _LIMIT, name=name) for name, key in wanted if name in found
        }

    return capture
