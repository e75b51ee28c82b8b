"""Named arguments as span attributes: bounded, and never a secret."""

from __future__ import annotations

import inspect
import re
import reprlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

if TYPE_CHECKING:
    from qudag_otel._calls.site import Attributes, Value

Capture: TypeAlias = Callable[[tuple[Any, ...], Mapping[str, Any]], "Attributes | None"]

PREFIX: Final = "qudag.argument."
MASK: Final = "[redacted]"
_LIMIT: Final = 256
_SECRET_NAME: Final = re.compile(
    r"pass(word|wd|phrase|code)?$|secret|token|api_?key|private_?key|credential|authori[sz]ation"
    r"|cookie|session_?(id|key)|signature|seed|mnemonic",
    re.IGNORECASE,
)
_SECRET_VALUE: Final = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\b(bearer|basic)\s+[\w.~+/=-]{8,}"
    r"|\beyJ[\w-]+\.[\w-]+\.[\w-]+|\bAKIA[0-9A-Z]{16}\b|\b(sk|ghp|gho|glpat|xox[abp])[-_][\w-]{16,}"
    r"|://[^/\s:@]+:[^/\s:@]+@",
    re.IGNORECASE,
)
_repr = reprlib.Repr()
_repr.maxstring = _repr.maxother = _LIMIT


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
    wanted = tuple((name, PREFIX + name, bool(_SECRET_NAME.search(name))) for name in names)

    def capture(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Attributes | None:
        try:
            bound = signature.bind_partial(*args, **kwargs)
        except TypeError:  # the call itself will say what is wrong with its arguments
            return None
        bound.apply_defaults()
        found = bound.arguments
        return {
            key: MASK if secret else bounded(found[name])
            for name, key, secret in wanted
            if name in found
        }

    return capture


def bounded(value: object) -> Value:
    """An attribute value of at most 256 characters, with what looks like a credential masked."""
    if isinstance(value, (bool, int, float)):
        return value
    try:
        # Only as much of a long text is looked at as is kept, with room for a secret at its end.
        text = value[: 2 * _LIMIT] if isinstance(value, str) else _repr.repr(value)
    except Exception as error:  # noqa: BLE001 - a __repr__ of the application's own
        return f"<{type(value).__name__}: {type(error).__name__} in repr>"
    text = _SECRET_VALUE.sub(MASK, text)
    return text if len(text) <= _LIMIT else text[: _LIMIT - 1] + "\N{HORIZONTAL ELLIPSIS}"
