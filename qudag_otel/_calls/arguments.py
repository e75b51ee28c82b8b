"""What a function says of its parameters, as a function that does nothing else.

A wrapper takes `(*args, **kwargs)`. `reader` makes a function with the parameters of the wrapped
one, so that Python itself says what is wrong with a call's arguments, at the call and in its own
words, and so that arguments are found by name without the cost of `Signature.bind`.
"""

from __future__ import annotations

import functools
import inspect
import sys
from types import CodeType, FunctionType
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_Kind = inspect.Parameter
_STARS: Final[dict[object, str]] = {_Kind.VAR_POSITIONAL: "*", _Kind.VAR_KEYWORD: "**"}


def signature(function: Callable[..., Any], *, follow: bool = True) -> inspect.Signature:
    """A callable's signature, its annotations as they are, also where they name what is to come.

    Args:
        function: The callable.
        follow: Whether to look through `__wrapped__`.

    Raises:
        ValueError: It has none, as some callables of C.
    """
    more: dict[str, Any] = {}
    if sys.version_info >= (3, 14):
        import annotationlib

        more["annotation_format"] = annotationlib.Format.FORWARDREF
    return inspect.signature(function, follow_wrapped=follow, **more)


def reader(
    of: inspect.Signature, name: str, wanted: Sequence[str] = ()
) -> Callable[..., tuple[Any, ...]] | None:
    """A function with these parameters that returns some of its arguments.

    Args:
        of: The signature.
        name: The name that a TypeError for wrong arguments tells.
        wanted: The parameters whose values it returns, in this order.

    Returns:
        The function; None if parameters have names that Python's grammar does not take.
    """
    parts: list[str] = []
    defaults: list[Any] = []
    keyword_defaults: dict[str, Any] = {}
    before = None
    for parameter in [*of.parameters.values(), None]:
        kind = None if parameter is None else parameter.kind
        if before is _Kind.POSITIONAL_ONLY and kind is not before:
            parts.append("/")
        if kind is _Kind.KEYWORD_ONLY and before not in (kind, _Kind.VAR_POSITIONAL):
            parts.append("*")
        before = kind
        if parameter is None:
            break
        default = "" if parameter.default is parameter.empty else "=None"
        parts.append(_STARS.get(parameter.kind, "") + parameter.name + default)
        if default and kind is _Kind.KEYWORD_ONLY:
            keyword_defaults[parameter.name] = parameter.default
        elif default:
            defaults.append(parameter.default)
    result = "".join(f"{one}, " for one in wanted)
    try:
        code = _compiled(f"lambda {', '.join(parts)}: ({result})")
    except SyntaxError:
        return None
    made = FunctionType(code, {}, name, tuple(defaults))
    made.__kwdefaults__ = keyword_defaults
    made.__qualname__ = name
    return made


@functools.lru_cache(maxsize=1024)
def _compiled(text: str) -> CodeType:
    """The code of a lambda; functions of the same shape share it."""
    constants = compile(text, "<parameters>", "eval").co_consts
    return next(one for one in constants if isinstance(one, CodeType))
