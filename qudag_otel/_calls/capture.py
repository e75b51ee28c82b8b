"""Named arguments as span attributes: bounded, and never a secret."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from qudag_otel._calls.arguments import reader, signature
from qudag_otel._redact import Verdict, rendered, verdict

if TYPE_CHECKING:
    from qudag_otel._calls.site import Values

Capture: TypeAlias = Callable[[tuple[Any, ...], Mapping[str, Any]], "Values"]

PREFIX: Final = "qudag.argument."
_LIMIT: Final = 256
_NUMBERS: Final = frozenset({bool, int, float})


def capturing(function: Callable[..., Any], names: Sequence[str]) -> Capture | None:
    """What reads the named arguments of a call, as values for a site's `varying` keys.

    Raises:
        TypeError: The function has no such parameter, or its signature cannot be read.
    """
    if not names:
        return None
    try:
        parameters = signature(function)
    except ValueError as error:
        raise TypeError(f"capture= needs a readable signature: {error}") from error
    unknown = [name for name in names if name not in parameters.parameters]
    if unknown:
        raise TypeError(
            f"capture= names {unknown[0]!r}, but {function!r} has "
            f"({', '.join(parameters.parameters)})"
        )
    unjudged = tuple(verdict(name) is Verdict.PLAIN for name in names)
    read = reader(parameters, getattr(function, "__qualname__", "call"), names)

    def capture(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Values:
        if read is None:
            return None
        try:
            found = read(*args, **kwargs)
            return tuple(
                value if plain and type(value) in _NUMBERS else rendered(value, _LIMIT, name=name)
                for name, plain, value in zip(names, unjudged, found, strict=True)
            )
        except Exception:  # noqa: BLE001 - the call itself says what is wrong with its arguments
            return None

    return capture
