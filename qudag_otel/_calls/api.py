"""`instrumented`, as applications use it."""

from __future__ import annotations

import contextlib
import sys
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Protocol, TypeVar, overload

from opentelemetry.trace import SpanKind

from qudag_otel._calls.decorate import EXCLUDED, Request, decorate
from qudag_otel._calls.registry import disabled

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from contextlib import AbstractContextManager
    from types import TracebackType

    from opentelemetry.trace import Link

    from qudag_otel._calls.site import Call, Site, Value
    from qudag_otel.objectives import Objective

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")
C = TypeVar("C", bound=type)


class Decorator(Protocol):
    """What `@instrumented(...)` returns: it keeps the type of what it stands on."""

    @overload
    def __call__(self, target: C, /) -> C: ...
    @overload
    def __call__(self, target: staticmethod[P, R], /) -> staticmethod[P, R]: ...
    @overload
    def __call__(self, target: classmethod[T, P, R], /) -> classmethod[T, P, R]: ...
    @overload
    def __call__(self, target: Callable[P, R], /) -> Callable[P, R]: ...


class Instrumented:
    """The decorator object behind `qudag_otel.instrumented`."""

    @overload
    def __call__(self, target: C, /) -> C: ...
    @overload
    def __call__(self, target: staticmethod[P, R], /) -> staticmethod[P, R]: ...
    @overload
    def __call__(self, target: classmethod[T, P, R], /) -> classmethod[T, P, R]: ...
    @overload
    def __call__(self, target: Callable[P, R], /) -> Callable[P, R]: ...
    @overload
    def __call__(
        self,
        *,
        name: str | None = None,
        component: str | None = None,
        attributes: Mapping[str, Value] = ...,
        capture: Sequence[str] = (),
        expected: type[BaseException] | tuple[type[BaseException], ...] = (),
        kind: SpanKind = SpanKind.INTERNAL,
        links: Sequence[Link] = (),
        metrics: bool = True,
        spans: bool = True,
        objective: Objective | None = None,
    ) -> Decorator: ...

    def __call__(self, target: Any = None, /, **options: Any) -> Any:  # type: ignore[misc]
        """Measure and trace every call of a function, method, generator, callable or class.

        Records `qudag.operation.duration` and `qudag.operation.active`, counts errors into
        `qudag.errors`, and wraps each call in a span. What the function returns, raises and is
        stays the same. With OTEL_SDK_DISABLED=true when it is applied, the target itself comes
        back.

        Args:
            target: What to instrument, in the bare form `@instrumented`.
            **options: `name` (default: the qualified name); `component` (default: the module's
                last part); `attributes`, static ones for spans and metrics, where `node_id`
                overrides the process's own; `capture`, names of arguments to put on the span,
                bounded and with secrets masked; `expected`, exception types that are an outcome
                and no error; `kind` and `links` of the span; `metrics=False` or `spans=False` to
                leave one out; `objective`, from which alerts are generated.

        Raises:
            TypeError: An option is unknown or does not fit, when the decorator is applied.
        """
        if target is not None and options:
            raise TypeError("write @instrumented(...) with options alone, not with a target too")
        request = Request(**options)

        def apply(target: Any) -> Any:
            return target if disabled() else decorate(target, request)

        return apply if target is None else apply(target)

    @overload
    def block(self, name: str, /) -> AbstractContextManager[None]: ...
    @overload
    def block(
        self,
        name: str,
        /,
        *,
        component: str | None = None,
        attributes: Mapping[str, Value] = ...,
        expected: type[BaseException] | tuple[type[BaseException], ...] = (),
        kind: SpanKind = SpanKind.INTERNAL,
        links: Sequence[Link] = (),
        metrics: bool = True,
        spans: bool = True,
        objective: Objective | None = None,
    ) -> AbstractContextManager[None]: ...

    def block(self, name: str, /, **options: Any) -> AbstractContextManager[None]:
        """Measure and trace a piece of code: `with instrumented.block("name"): ...`.

        Args:
            name: The operation. Name it after code, not after data: each name is a series.
            **options: As for the decorator, without `capture`.

        Raises:
            TypeError: An option is unknown or does not fit.
        """
        module = sys._getframe(1).f_globals.get("__name__", "")  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - as logging does
        if not options:
            site = _blocks.get((name, module))
            if site is not None:
                return Block(site)
        if disabled():
            return contextlib.nullcontext()
        if "capture" in options:
            raise TypeError("a block has no arguments to capture; use attributes=")
        site = Request(name=name, **options).site(qualified=name, module=module)
        if not options and len(_blocks) < _BLOCKS_LIMIT:
            _blocks[name, module] = site
        return Block(site)

    @staticmethod
    def exclude(method: T) -> T:
        """Leave a method out when its class is instrumented."""
        setattr(getattr(method, "__func__", method), EXCLUDED, True)
        return method


class Block:
    """One `with` statement's call."""

    __slots__ = ("_call", "_site")

    _call: Call

    def __init__(self, site: Site) -> None:
        self._site = site

    def __enter__(self) -> None:
        self._call = self._site.start(None)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            self._call.leave()
        else:
            self._call.fail(error)


_BLOCKS_LIMIT: Final = 10_000
_blocks: dict[tuple[str, str], Site] = {}


instrumented: Final = Instrumented()
