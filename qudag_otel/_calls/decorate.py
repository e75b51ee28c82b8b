"""From what the decorator stands on to a driver: functions, descriptors, objects, classes."""

from __future__ import annotations

import functools
import inspect
from dataclasses import dataclass, field, replace
from types import FunctionType
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import Link, SpanKind

from qudag_otel import objectives
from qudag_otel._calls.capture import PREFIX, capturing
from qudag_otel._calls.drivers import drive
from qudag_otel._calls.registry import site_for
from qudag_otel._calls.site import RESERVED, Options
from qudag_otel._redact import safe_text
from qudag_otel._warnings import warn_once
from qudag_otel.objectives import Objective

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from qudag_otel._calls.site import Site, Value

EXCLUDED: Final = "__qudag_excluded__"
SITE: Final = "__qudag_site__"


# What ends an iteration is how these methods say that there is no more.
_ENDS: Final[Mapping[str, tuple[type[BaseException], ...]]] = {
    **dict.fromkeys(("__next__", "send", "throw"), (StopIteration,)),
    **dict.fromkeys(("__anext__", "asend", "athrow"), (StopAsyncIteration,)),
}


@dataclass(frozen=True, kw_only=True)
class Request:
    """The decorator's options as they were given, checked.

    Raises:
        TypeError: An option has the wrong type, or an attribute name is reserved.
    """

    name: str | None = None
    component: str | None = None
    attributes: Mapping[str, Value] = field(default_factory=dict[str, "Value"])
    capture: Sequence[str] = ()
    expected: type[BaseException] | tuple[type[BaseException], ...] = ()
    kind: SpanKind = SpanKind.INTERNAL
    links: Sequence[Link] = ()
    metrics: bool = True
    spans: bool = True
    objective: Objective | None = None

    def __post_init__(self) -> None:
        if isinstance(self.capture, str):
            raise TypeError(f'capture= takes a sequence of names: capture=("{self.capture}",)')
        kinds = self.expected if isinstance(self.expected, tuple) else (self.expected,)
        if not all(isinstance(kind, type) and issubclass(kind, BaseException) for kind in kinds):
            raise TypeError(f"expected= takes exception types, not {self.expected!r}")
        for text, option in ((self.name, "name"), (self.component, "component")):
            if text is not None and not (isinstance(text, str) and text):
                raise TypeError(f"{option}= takes a text that is not empty, not {text!r}")
        if not isinstance(self.kind, SpanKind):
            raise TypeError(f"kind= takes an opentelemetry.trace.SpanKind, not {self.kind!r}")
        if self.objective is not None and not isinstance(self.objective, Objective):
            raise TypeError(f"objective= takes a qudag_otel.Objective, not {self.objective!r}")
        reserved = sorted(RESERVED.intersection(self.attributes))
        if reserved:
            raise TypeError(
                f"the attribute name {reserved[0]!r} is reserved for telemetry itself; "
                "choose another one, such as one with your own prefix"
            )

    def decorate(self, target: Any) -> Any:
        """The target, instrumented with these options; what stands for one asks when copied."""
        return decorate(target, self)

    def site(self, *, qualified: str, module: str) -> Site:
        """The site of a piece of code with these options."""
        ends = _ENDS.get(qualified.rpartition(".")[2], ())
        expected = self.expected if isinstance(self.expected, tuple) else (self.expected,)
        options = Options(
            operation=self.name or qualified.replace("<locals>.", ""),
            component=self.component or module.rpartition(".")[2] or "main",
            function=f"{module}.{qualified}" if module else qualified,
            attributes=tuple((key, _scalar(key, v)) for key, v in self.attributes.items()),
            expected=expected,
            ends=ends,
            varying=tuple(PREFIX + name for name in self.capture),
            kind=self.kind,
            links=tuple(self.links),
            metrics=self.metrics,
            spans=self.spans,
        )
        if self.objective is not None:
            objectives.register(options.operation, options.component, self.objective)
        return site_for(options)


def decorate(target: Any, request: Request) -> Any:
    """Instrument a callable or a class.

    Raises:
        TypeError: It is neither, or an option does not fit it.
    """
    if isinstance(target, type):
        return _class(target, request)
    if _is_wrapping(target):
        return type(target)(decorate(target.__func__, request))
    if not callable(target):
        hint = "; decorate its getter below @property" if isinstance(target, property) else ""
        raise TypeError(f"@instrumented takes a callable or a class, not {target!r}{hint}")
    if _is_command(target):
        raise TypeError(
            f"@instrumented stands above the command {target!r}; put it below the decorator that "
            "makes a function a command, on the function itself"
        )
    qualified, module = _identify(target)
    site = request.site(qualified=qualified, module=module)
    driver = drive(target, site, capturing(target, request.capture))
    if issubclass(type(target), FunctionType):
        setattr(driver, SITE, site)
        return driver
    from qudag_otel._calls.proxies import stand_in

    return stand_in(target, driver, request)


def _is_wrapping(target: Any) -> bool:
    """By its type: what stands for something else, such as a request's proxy, answers for that."""
    return issubclass(type(target), (staticmethod, classmethod))


def _is_command(target: object) -> bool:
    """Whether it is a command of click or of typer, which never calls what stands around it."""
    return any(
        kind.__name__ in {"Command", "BaseCommand"}
        and str(kind.__module__).partition(".")[0] in {"click", "typer"}
        for kind in type(target).__mro__
    )


def _class(cls: type, request: Request) -> type:
    """Instrument the public methods that a class defines itself; it stays the same object."""
    if request.name is not None:
        raise TypeError("name= names one operation; a class has one for each public method")
    for name, member in list(vars(cls).items()):
        function = member.__func__ if _is_wrapping(member) else member
        if name.startswith("_") or not issubclass(type(function), FunctionType):
            continue
        if getattr(function, EXCLUDED, False) or hasattr(function, SITE):
            continue
        own = tuple(
            argument
            for argument in request.capture
            if argument in inspect.signature(function).parameters
        )
        setattr(cls, name, decorate(member, replace(request, capture=own)))
    return cls


def _identify(target: Callable[..., Any]) -> tuple[str, str]:
    """Qualified name and module: of the function below a partial, of an object's class."""
    while isinstance(target, functools.partial):
        target = target.func
    named = target if hasattr(target, "__qualname__") else type(target)
    return named.__qualname__, getattr(named, "__module__", None) or ""


def _scalar(key: str, value: object) -> Value:
    if isinstance(value, (str, bool, int, float)):
        return value
    warn_once(
        f"attribute:{key}",
        "the attribute %s=%.100r is no string, number or boolean; its text is used",
        key,
        value,
    )
    return safe_text(value)
