"""Functions that are named, not decorated: each module's are instrumented when it is imported.

A module that is imported already is instrumented at once. What a name does not find is told once,
and nothing that goes wrong here reaches the import of the application.
"""

from __future__ import annotations

import sys
import threading
from importlib.abc import MetaPathFinder
from types import FunctionType, ModuleType
from typing import TYPE_CHECKING, Any, Final

from qudag_otel._calls.decorate import SITE, Request, decorate
from qudag_otel._calls.failure import text_of
from qudag_otel._calls.registry import disabled
from qudag_otel._foreign import interrupts
from qudag_otel._warnings import warn_once

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from importlib.machinery import ModuleSpec

VARIABLE: Final = "OTEL_PYTHON_QUDAG_INSTRUMENT"
ALL: Final = "*"


def watch(targets: Iterable[str]) -> None:
    """Instrument functions when their modules are imported.

    Args:
        targets: `module:function`, `module:Class`, `module:Class.method`, or `module:*` for all
            public functions that a module defines.
    """
    if disabled():
        return
    for target in targets:
        module, _, name = target.partition(":")
        if not all(part.isidentifier() for part in module.split(".")) or not name:
            warn_once(
                f"instrument:{target}",
                "%s names %r, which is not of the form module:function; it is left out",
                VARIABLE,
                target,
            )
            continue
        names = _FINDER.wanted.setdefault(module, [])
        if name not in names:
            names.append(name)
            loaded = sys.modules.get(module)
            if loaded is not None:
                _instrument(loaded, [name])
    if _FINDER.wanted and _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def forget() -> None:
    """Watch no imports any more; what is instrumented stays so."""
    _FINDER.wanted.clear()
    if _FINDER in sys.meta_path:
        sys.meta_path.remove(_FINDER)


class _Finder(MetaPathFinder):
    """Finds modules as Python does, and has those that are wanted instrumented when they ran."""

    def __init__(self) -> None:
        self.wanted: dict[str, list[str]] = {}
        self._here = threading.local()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a module that is wanted."""
        if fullname not in self.wanted or getattr(self._here, "busy", False):
            return None
        self._here.busy = True
        try:
            spec = self._found(fullname, path, target)
        finally:
            self._here.busy = False
        if spec is not None and spec.loader is not None:
            self._follow(spec.loader, fullname)
        return spec

    def _found(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        for finder in sys.meta_path:
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = None if find is None else find(fullname, path, target)
            if spec is not None:
                return spec
        return None

    def _follow(self, loader: Any, fullname: str) -> None:
        """Have a loader that runs the module instrument it then; the loader stays the same."""
        run = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            run(module)
            if module.__name__ == fullname:
                _instrument(module, self.wanted.get(fullname, ()))

        try:
            if isinstance(loader, type):  # a loader of many modules, as of those built in
                raise TypeError("it is built into Python")  # noqa: TRY301 - told as any other
            vars(loader)["exec_module"] = exec_module
        except BaseException as error:  # loaders of any kind
            if interrupts(error):
                raise
            _tell(fullname, ALL, error)


_FINDER: Final = _Finder()


def _instrument(module: ModuleType, names: Sequence[str]) -> None:
    for name in names:
        try:
            if name == ALL:
                _all(module)
            else:
                _one(module, name)
        except BaseException as error:  # modules and classes of any kind
            if interrupts(error):
                raise
            _tell(module.__name__, name, error)


def _tell(module: str, name: str, error: BaseException) -> None:
    warn_once(
        f"instrument:{module}:{name}",
        "%s:%s is not instrumented: %s: %s",
        module,
        name,
        type(error).__name__,
        text_of(error),
    )


def _all(module: ModuleType) -> None:
    for name, value in list(vars(module).items()):
        own = isinstance(value, FunctionType) and value.__module__ == module.__name__
        if own and not name.startswith("_") and not hasattr(value, SITE):
            setattr(module, name, decorate(value, Request()))


def _one(module: ModuleType, name: str) -> None:
    *path, last = name.split(".")
    owner: Any = module
    for part in path:
        owner = getattr(owner, part)
    # As it is written there: a class gives static methods and functions of others in other forms.
    members: dict[str, Any] = dict(owner.__dict__)
    found = members.get(last)
    if found is None:
        raise AttributeError(f"{owner.__name__} has no {last!r} of its own")
    if hasattr(getattr(found, "__func__", found), SITE):
        return  # it is decorated
    instrumented = decorate(found, Request())
    if instrumented is not found:
        setattr(owner, last, instrumented)
