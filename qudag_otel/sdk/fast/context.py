"""A span that is the current context itself, and where a call that pauses goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.context import Context

from qudag_otel._otel.context import CALL_KEY, SPAN_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator

_dict: Any = dict


class OwnContext(Context):
    """The caller's values, and itself as the current span.

    It is a dictionary of the caller's values; the span is not among these, so that it does not
    refer to itself. Whoever reads it as a context finds both.
    """

    __slots__ = ()

    def get(self, key: str, default: Any = None) -> Any:
        """A value of the context; `call_in` tells the call, without a price for all others."""
        return self if key == SPAN_KEY else _dict.get(self, key, default)

    def copy(self) -> dict[str, object]:
        """All values."""
        return {**_dict(_dict.items(self)), SPAN_KEY: self, CALL_KEY: self}

    __copy__ = copy

    def keys(self) -> Any:
        """The keys of all values."""
        return self.copy().keys()

    def values(self) -> Any:
        """All values."""
        return self.copy().values()

    def items(self) -> Any:
        """All keys and values."""
        return self.copy().items()

    def __iter__(self) -> Iterator[str]:
        return iter(self.copy())

    def __len__(self) -> int:
        return len(self.copy())

    def __bool__(self) -> bool:
        return True

    def __contains__(self, key: object) -> bool:
        return key in (SPAN_KEY, CALL_KEY) or _dict.__contains__(self, key)

    def __getitem__(self, key: str) -> object:
        return self if key in (SPAN_KEY, CALL_KEY) else _dict.__getitem__(self, key)

    def __or__(self, other: Any) -> Any:
        return self.copy() | other

    def __ror__(self, other: Any) -> Any:
        return other | self.copy()

    def __eq__(self, other: object) -> bool:
        if self is other or not isinstance(other, Context):
            return self is other
        return self.copy() == (other.copy() if isinstance(other, OwnContext) else other)

    def __hash__(self) -> int:  # type: ignore[override]  # a dictionary has none, a span does
        return id(self)


class Steps:
    """Where a call that pauses goes on: the contexts of its last step."""

    __slots__ = ("ambient", "context", "shown")

    def __init__(self) -> None:
        self.ambient: Context | None = None
        self.context: Context | None = None
        self.shown: Context | None = None
