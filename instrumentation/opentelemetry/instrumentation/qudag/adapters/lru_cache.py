"""functools.lru_cache and functools.cache: hits and misses, as `cache_info()` has them."""

from __future__ import annotations

import functools
import weakref
from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.qudag.adapters._adapter import Adapter, Members, guarded
from opentelemetry.instrumentation.qudag.adapters._statistics import Totals

from qudag_otel.catalogue import metrics as m
from qudag_otel.instruments import series

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["LruCacheInstrumentor"]


class LruCacheInstrumentor(Adapter):
    """Watches cached functions: `instrument()` those decorated from then on, `watch` one."""

    requires = ()

    def __init__(self) -> None:
        if not hasattr(self, "functions"):
            self.functions: Members[Totals] = Members("cached functions")

    def hooks(self) -> Iterable[tuple[Any, str, Any]]:
        """The decorator; `functools.cache` uses it."""
        yield functools, "lru_cache", self._decorating

    def watch(self, function: Any, name: str | None = None) -> None:
        """Watch a cached function, from what it has counted until now on.

        Args:
            function: What `functools.lru_cache` made, held weakly.
            name: Its `validation_type`; by default the function's qualified name.

        Raises:
            TypeError: It has no `cache_info`.
        """
        if not callable(getattr(function, "cache_info", None)):
            raise TypeError(f"{function!r} was not made by functools.lru_cache: no cache_info()")
        former = self.functions.find(function)
        if former is not None:
            former.stop()  # it gets another name
        name = name or _name(function)
        reference = weakref.ref(function)

        def read() -> tuple[float, ...] | None:
            living = reference()
            return None if living is None else tuple(living.cache_info()[:2])

        totals = Totals(
            read,
            series(m.CACHE_HITS, validation_type=name),
            series(m.CACHE_MISSES, validation_type=name),
        )
        if not self.functions.add(function, totals):
            totals.stop()

    def end(self) -> None:
        """Forget all functions."""
        for _, totals in self.functions:
            totals.stop()
        self.functions.clear()

    def _decorating(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def lru_cache(maxsize: Any = 128, typed: bool = False) -> Any:  # noqa: FBT001, FBT002
            made = original(maxsize, typed)
            if hasattr(made, "cache_info"):  # used without parentheses
                guarded(self.watch, made)
                return made

            def decorate(function: Any) -> Any:
                cached = made(function)
                guarded(self.watch, cached)
                return cached

            return decorate

        return lru_cache


def _name(function: Any) -> str:
    """The function's module and name; a partial has neither, and gets its class's."""
    told = [getattr(function, part, None) for part in ("__module__", "__qualname__")]
    named = [part for part in told if isinstance(part, str)]
    return ".".join(named) if len(named) == len(told) else type(function.__wrapped__).__qualname__
