"""Named arguments as span attributes: bounded, and never a secret."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from qudag_otel._calls.arguments import reader, signature
from qudag_otel._foreign import interrupts
from qudag_otel._redact import Verdict, rendered, verdict

if TYPE_CHECKING:
    from qudag_otel._calls.site import Value, Values

Capture: TypeAlias = Callable[[tuple[Any, ...], Mapping[str, Any]], "Values"]

PREFIX: Final = "qudag.argument."
LIMIT: Final = 256
"""Characters that are kept of an argument. A shorter text is kept whole, and masked at export."""
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
    read = reader(parameters, getattr(function, "__qualname__", "call"), names)
    harmless = all(verdict(name) is Verdict.PLAIN for name in names)

    def capture(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Values:
        if read is None:
            return None
        try:
            found = read(*args, **kwargs)
            if not (harmless and all(map(_kept, found))):
                found = tuple(map(shown, names, found))
        except BaseException as odd:  # the call itself says what is wrong with its arguments
            if interrupts(odd):
                raise
            return None
        return found

    return capture


def _kept(value: object) -> bool:
    """Whether an argument can wait as it is: it cannot change, and is not long."""
    return type(value) in _NUMBERS or (type(value) is str and len(value) <= LIMIT)


def shown(name: str, value: Any) -> Value:
    """What an argument is exported as."""
    if type(value) in _NUMBERS and verdict(name) is Verdict.PLAIN:
        return value  # type: ignore[no-any-return]  # one of these
    return rendered(value, LIMIT, name=name)
