"""What every adapter shares: methods that are replaced and put back, objects that are watched."""

from __future__ import annotations

import functools
import itertools
import os
import weakref
from typing import TYPE_CHECKING, Any, ClassVar, Final, Generic, TypeVar, cast

from opentelemetry.instrumentation.instrumentor import (  # type: ignore[attr-defined]  # untyped
    BaseInstrumentor,
)

from qudag_otel._foreign import interrupts
from qudag_otel._warnings import warn_once
from qudag_otel.instruments import observe

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping

    from qudag_otel.catalogue import Metric

    Reading = tuple[Mapping[str, str], float]
    Observed = tuple[Metric, Callable[[], Iterable[Reading]]]

T = TypeVar("T")

Around = "Callable[[Callable[..., Any]], Callable[..., Any]]"
"""Makes what takes a method's place from the method."""

LIMIT: Final = 200
"""How many objects an adapter watches at a time."""

NAMES: Final = "OTEL_PYTHON_QUDAG_ADAPTER_NAMES"
"""The variable that says under which names adapters report: qudag, semconv, or both."""


class Members(Generic[T]):
    """Objects that are watched, each with what is kept of it; held weakly where they can be.

    By identity, as caches and queues cannot be hashed. One that cannot be held weakly has to be
    removed when it is closed.

    Args:
        what: What they are, for the warning about too many.
    """

    def __init__(self, what: str) -> None:
        self._what = what
        self._found: dict[int, tuple[Callable[[], Any], T]] = {}

    def add(self, one: object, kept: T) -> bool:
        """Watch an object; False, with one warning, if there are too many already."""
        key = id(one)
        if len(self._found) >= LIMIT and key not in self._found:
            warn_once(
                f"adapter:{self._what}",
                "more than %d %s: further ones are not watched",
                LIMIT,
                self._what,
            )
            return False
        try:
            living: Callable[[], Any] = weakref.ref(one, lambda _: self._found.pop(key, None))
        except TypeError:
            living = lambda: one  # noqa: E731 - what a reference answers, too
        self._found[key] = (living, kept)
        return True

    def find(self, one: object) -> T | None:
        """What is kept of an object; None if it is not watched."""
        found = self._found.get(id(one))
        return None if found is None else found[1]

    def remove(self, one: object) -> None:
        """Watch an object no more."""
        self._found.pop(id(one), None)

    def clear(self) -> None:
        """Watch none."""
        self._found.clear()

    def __iter__(self) -> Iterator[tuple[Any, T]]:
        """Those that live, with what is kept of each."""
        for reference, kept in list(self._found.values()):
            one = reference()
            if one is not None:
                yield one, kept


class Adapter(BaseInstrumentor):  # type: ignore[misc]  # is Any, see above
    """An instrumentor of one library.

    What it replaces calls the original first and last: an exception of ours is told once and does
    not reach the caller.
    """

    requires: ClassVar[tuple[str, ...]] = ()
    """The library, with the versions that are tested."""

    _replaced: tuple[tuple[Any, str, Any, Any], ...] = ()
    _stops: tuple[Callable[[], None], ...] = ()

    def instrumentation_dependencies(self) -> Collection[str]:
        """The library, with the versions that are tested."""
        return self.requires

    def hooks(self) -> Iterable[tuple[Any, str, Any]]:
        """What is replaced: the owner, the name, and what makes the replacement of the original."""
        return ()

    def observed(self) -> Iterable[Observed]:
        """What is read at each collection: metrics, and what reads them."""
        return ()

    def begin(self) -> None:
        """Begin to report; nothing if that was done."""
        if not self._stops:
            self._stops = tuple([observe(metric, read) for metric, read in self.observed()])

    def end(self) -> None:
        """Report no more, and forget all that was watched."""
        for stop in self._stops:
            stop()
        self._stops = ()

    def _instrument(self, **_: Any) -> None:
        self.begin()
        self._replaced = tuple(
            (owner, name, *_replace(owner, name, around))
            for owner, name, around in self.hooks()
            if name in _own(owner)
        )

    def _uninstrument(self, **_: Any) -> None:
        for owner, name, original, ours in self._replaced:
            if _own(owner).get(name) is ours:  # else somebody else's stands on it: ours passes on
                setattr(owner, name, original)
        self._replaced = ()
        self.end()


def _own(owner: Any) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", vars(owner))


def _replace(owner: Any, name: str, around: Any) -> tuple[Any, Any]:
    original = _own(owner)[name]
    ours: Any = functools.update_wrapper(around(original), original)
    setattr(owner, name, ours)
    return original, ours


def after_init(then: Callable[..., None], *, given: bool = False) -> Any:
    """Makes an `__init__` that tells of each new object: `then(object)`.

    Args:
        then: What is told.
        given: Whether it gets the arguments, too.
    """

    def around(original: Any) -> Any:
        def made(self: Any, *args: Any, **kwargs: Any) -> None:
            original(self, *args, **kwargs)
            if given:
                guarded(then, self, *args, **kwargs)
            else:
                guarded(then, self)

        return made

    return around


def guarded(action: Callable[..., T], *args: Any, **kwargs: Any) -> T | None:
    """Call what is ours; what it raises is told once and goes no further."""
    try:
        return action(*args, **kwargs)
    except BaseException as error:  # telemetry does not fail the application
        if interrupts(error):
            raise
        name = getattr(action, "__qualname__", "?")
        warn_once(f"adapter:{name}:{type(error).__name__}", "%s failed: %.200r", name, error)
        return None


def names() -> tuple[bool, bool]:
    """Whether to report under QuDAG's names, and under OpenTelemetry's; both by default."""
    given = {part.strip().lower() for part in os.environ.get(NAMES, "").split(",")} - {""}
    unknown = sorted(given - {"qudag", "semconv"})
    if unknown:
        warn_once(f"adapter:{NAMES}", "%s takes qudag and semconv, not %s", NAMES, unknown[0])
    known = given - set(unknown) or {"qudag", "semconv"}
    return "qudag" in known, "semconv" in known


def numbered(base: str, taken: Iterable[str]) -> str:
    """A name that none of the others has: the base, or the base with a number from 2 on."""
    others = set(taken)
    if base not in others:
        return base
    return next(
        name for name in map(f"{base}-{{}}".format, itertools.count(2)) if name not in others
    )
