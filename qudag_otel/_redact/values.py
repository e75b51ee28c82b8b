"""Secrets in any value, and any value in the form that JSON and OTLP can carry.

Nothing is built beyond what is kept: containers are followed for so many items, bytes are cut
before they become text, and a whole value has a bound.
"""

from __future__ import annotations

import dataclasses
import math
import reprlib
from collections.abc import Iterable, Mapping, Sequence, Sized, ValuesView
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from qudag_otel._foreign import interrupts
from qudag_otel._redact.names import Verdict, verdict
from qudag_otel._redact.shapes import of_command
from qudag_otel._redact.texts import ELLIPSIS, LIMIT, MASK, mask

if TYPE_CHECKING:
    from collections.abc import Callable

V = TypeVar("V")

DEPTH: Final = 6
"""How many containers deep a value is followed; what is deeper is a short text."""
ITEMS: Final = 1000
"""How many items of one container are kept."""
TOTAL: Final = 10_000
"""How many items of one value are kept, over all of its containers."""
TEXT: Final = 4 * LIMIT
"""How many characters of one value are kept, over all of its texts."""

_INT64: Final = 1 << 63
_DIGITS_BITS: Final = 14_000  # what Python turns into decimal digits without an error
_LOOK: Final = 4096  # of a text that is shown in short: a secret that begins early ends in there
_BYTES: Final = (bytes, bytearray, memoryview)
_PAIR: Final = 2


def exportable(value: object, *, name: str = "") -> object:
    """A value as JSON and OTLP can carry it, with its secrets masked; never raises.

    What is neither simple nor a container is its text. A dataclass is a mapping of its fields.

    Args:
        value: Any value.
        name: What it is called.
    """
    return _Walk().named(name, value, DEPTH)


def rendered(value: object, limit: int, *, name: str = "") -> str | bool | int | float:
    """A value as a span attribute: simple as it is, else its masked representation; never raises.

    Args:
        value: Any value.
        limit: How many characters are kept.
        name: What it is called.
    """
    judged = verdict(name)
    if judged and _hides(judged, value):
        return MASK
    if isinstance(value, (bool, int, float)):
        return cast("str | bool | int | float", _Walk().of(value, 0))
    if isinstance(value, str):
        found = mask(str.__str__(value)[:_LOOK])
    elif isinstance(value, _CONTAINERS) or _is_record(value):
        found = repr(_Walk(items=limit // 4).of(value, DEPTH))
    else:
        found = mask(safe_text(value, repr)[:_LOOK])
    return found if len(found) <= limit else found[: limit - 1] + ELLIPSIS


def attribute(name: str, value: V) -> V | str:
    """The value of an attribute, masked; the same object where there is nothing to mask."""
    judged = verdict(name)
    if judged and _hides(judged, value):
        return MASK
    kind = value.__class__
    if kind is str:
        return mask(cast("str", value))
    if kind is bool or kind is float or value is None:
        return value
    if kind is int and -_INT64 <= cast("int", value) < _INT64:
        return value
    masked = _Walk().of(value, DEPTH)
    if kind is bytes and masked == _decoded(cast("bytes", value)):
        return value  # of bytes, only those with something to mask become text
    if kind is tuple and isinstance(masked, list):
        masked = tuple(cast("list[object]", masked))
    return value if _same(masked, value) else cast("V", masked)


def _same(masked: object, value: object) -> bool:
    try:
        return bool(masked == value)
    except BaseException as odd:  # of an item's class, or an array, which compares by items
        if interrupts(odd):
            raise
        return False


def attributes(found: Mapping[str, Any]) -> Mapping[str, Any]:
    """Attributes, masked; the same object where there is nothing to mask."""
    masked: dict[str, Any] = {}
    changed = False
    for name, value in found.items():
        key = mask(name)
        one = masked[key] = attribute(name, value)
        changed = changed or one is not value or key is not name
    return masked if changed else found


def safe_text(value: object, show: Callable[[object], str] = str) -> str:
    """A value's text, also if its own code for that fails."""
    try:
        if isinstance(value, int) and value.bit_length() > _DIGITS_BITS:
            return f"<int of {value.bit_length()} bits>"
        return str.__str__(show(value))
    except BaseException as error:  # any code may stand behind it
        if interrupts(error):
            raise
        return f"<{type(value).__name__}: {type(error).__name__} in {show.__name__}>"


class _Walk:
    """One value on its way; counts down what it may still keep."""

    def __init__(self, items: int = ITEMS) -> None:
        self._items = items
        self._left = TOTAL
        self._room = TEXT

    def named(self, name: str, value: object, depth: int) -> object:
        judged = verdict(name)
        return MASK if judged and _hides(judged, value) else self.of(value, depth)

    def of(self, value: Any, depth: int) -> object:
        try:
            return self._of(value, depth)
        except BaseException as error:  # of a proxy even the class may be its own code
            if interrupts(error):
                raise
            return f"<{type(value).__name__}: {type(error).__name__}>"

    def _of(self, value: Any, depth: int) -> object:  # noqa: PLR0911 - a kind of value each
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._text(str.__str__(value))
        if isinstance(value, float):
            number = float.__float__(value)
            return number if math.isfinite(number) else str(number)
        if isinstance(value, int):
            number = int.__int__(value)
            return number if -_INT64 <= number < _INT64 else self._text(safe_text(number))
        if isinstance(value, _BYTES):
            return self._text(_decoded(value))
        if not isinstance(value, _CONTAINERS) and not _is_record(value):
            return self._text(safe_text(value))
        if depth:
            return self._container(value, depth - 1)
        return self._text(safe_text(cast("object", value), _short.repr))

    def _container(self, value: Any, depth: int) -> object:
        pairs = _pairs(value)
        items: Iterable[Any] = value if pairs is None else pairs
        taken = list(islice(items, max(0, min(self._items, self._left))))
        self._left -= len(taken)
        more = len(value) - len(taken) if isinstance(value, Sized) else 0
        if pairs is not None:
            keys = [(self._key(key), one) for key, one in taken]
            told = _told(keys)
            found = {
                key: self.named(told if told and key.lower() == _VALUE else key, one, depth)
                for key, one in keys
            }
            return {**found, ELLIPSIS: f"{more} more"} if more > 0 else found
        if any(isinstance(one, str) and one.startswith("-") for one in taken[1:]):
            taken = _without_passwords(taken)
        if len(taken) == _PAIR and isinstance(taken[0], (str, *_BYTES)):
            # A header or a parameter as a pair of its name and its value.
            name = self.of(taken[0], depth)
            return [name, self.named(str(name), taken[1], depth)]
        listed: list[object] = []
        option = ""
        for one in taken:
            listed.append(self.named(option, one, depth) if option else self.of(one, depth))
            # In a command line as a list, the value of an option is the next item.
            word = _decoded(one) if isinstance(one, _BYTES) else one
            option = word if isinstance(word, str) and word[:1] == "-" and "=" not in word else ""
        return [*listed, f"{ELLIPSIS} {more} more"] if more > 0 else listed

    def _key(self, key: object) -> str:
        return mask(str.__str__(key) if isinstance(key, str) else safe_text(key)[:_LOOK])

    def _text(self, text: str) -> str:
        if len(text) > self._room:
            text = text[: max(0, self._room)] + ELLIPSIS
        self._room -= len(text)
        return mask(text)


def _told(pairs: list[tuple[str, Any]]) -> str:
    """The name that one pair of a mapping gives to the value of another."""
    for key, one in pairs:
        if key.lower() in _NAMES and isinstance(one, str):
            return one
    return ""


def _without_passwords(words: list[Any]) -> list[Any]:
    """A command line, without what its options of one letter hold."""
    texts = of_command([one[:_LOOK] if isinstance(one, str) else "" for one in words])
    return [
        new if isinstance(one, str) and new != one[:_LOOK] else one
        for one, new in zip(words, texts, strict=True)
    ]


_NAMES: Final = ("name", "key", "field")
_VALUE: Final = "value"
_CONTAINERS: Final = (Mapping, Sequence, AbstractSet, ValuesView)
_short: Final = reprlib.Repr()


def _hides(judged: Verdict, value: object) -> bool:
    """Whether a value is masked for its name; nothing, yes and no tell nothing."""
    if value is None or isinstance(value, bool):
        return False
    if judged is Verdict.UNLESS_NUMBER and isinstance(value, (int, float)):
        return False
    return not (isinstance(value, (str, bytes)) and not value)


def _decoded(value: Any) -> str:
    return bytes(value[: LIMIT + 1]).decode("utf-8", "backslashreplace")


def _is_record(value: object) -> bool:
    """Whether it is a dataclass that shows its fields by itself."""
    parameters = getattr(type(value), "__dataclass_params__", None)
    return parameters is not None and parameters.repr and type(value).__str__ is object.__str__


def _pairs(value: Any) -> Iterable[tuple[object, object]] | None:
    """The items of what has names: mappings, dataclasses, named tuples."""
    if isinstance(value, dict):
        return cast("dict[object, object]", value).items()
    if isinstance(value, Mapping):
        mapping = cast("Mapping[object, object]", value)
        return ((key, mapping[key]) for key in mapping)
    if _is_record(value):
        return (
            (field.name, getattr(value, field.name, None))
            for field in dataclasses.fields(value)
            if field.repr
        )
    names = getattr(value, "_fields", None)
    if isinstance(value, tuple) and isinstance(names, tuple):
        return zip(cast("tuple[str, ...]", names), cast("tuple[object, ...]", value), strict=False)
    return None
