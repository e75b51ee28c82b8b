"""`instrumented`, as applications use it."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Protocol, Self, TypeVar, overload

from opentelemetry import context as context_api
from opentelemetry.trace import SpanKind

from qudag_otel._calls import operation
from qudag_otel._calls.decorate import EXCLUDED, Request, decorate
from qudag_otel._calls.operation import Operation
from qudag_otel._calls.plain import SILENT
from qudag_otel._calls.registry import disabled
from qudag_otel._calls.site import Options
from qudag_otel._otel.context import detach, inside

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from opentelemetry.trace import Link

    from qudag_otel._calls.site import Call, Site, Value, Values
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
    def block(self, name: str, /) -> Block: ...
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
    ) -> Block: ...

    def block(self, name: str, /, **options: Any) -> Block:
        """Measure and trace a piece of code: `with instrumented.block("name") as op: ...`.

        `async with` does the same. `op` is the `Operation`, as `current()` gives it.

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
                return _block(site)
        if disabled():
            return _block(_SILENT)
        if "capture" in options:
            raise TypeError("a block has no arguments to capture; use attributes=")
        site = Request(name=name, **options).site(qualified=name, module=module)
        if not options and len(_blocks) < _BLOCKS_LIMIT:
            _blocks[name, module] = site
        return _block(site)

    current = staticmethod(operation.current)

    @staticmethod
    def exclude(method: T) -> T:
        """Leave a method out when its class is instrumented."""
        setattr(getattr(method, "__func__", method), EXCLUDED, True)
        return method


class Block(Operation):
    """One `with` or `async with` statement's call."""

    __slots__ = ("site",)

    site: Site

    def __enter__(self) -> Self:
        start = self.site.start  # apart: CPython calls what a slot holds more slowly
        self._call = start(None)
        return self

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

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, trace)


class SpanlessBlock(Block):
    """A block without a span: the context tells nobody but `current()` of it."""

    __slots__ = ("_token",)

    def __enter__(self) -> Self:
        call = self._call = self.site.start(None)
        self._token = context_api.attach(inside(call, None, context_api.get_current()))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        detach(self._token)
        super().__exit__(kind, error, trace)


def _block(site: Site) -> Block:
    # Without an `__init__`, which would be a fifth of an empty block.
    made = Block() if site.options.spans else SpanlessBlock()
    made.site = site
    made._call = SILENT  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - its maker
    return made


class _SilentSite:
    """Stands for the site of a block while telemetry is off."""

    options = Options(operation="")

    @staticmethod
    def start(values: Values) -> Call:
        """A call that leaves nothing."""
        del values
        return SILENT


_SILENT: Final[Any] = _SilentSite()
_BLOCKS_LIMIT: Final = 10_000
_blocks: dict[tuple[str, str], Site] = {}


instrumented: Final = Instrumented()
