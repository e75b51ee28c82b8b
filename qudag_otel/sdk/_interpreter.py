"""Whether this is the process's main interpreter.

A sub-interpreter shares the process's environment, ports, signals and exit with the others, and
may not start the daemon threads that export; grpc and protobuf do not load in all of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

from qudag_otel.sdk.settings.errors import ConfigurationError

_MODULES: Final = ("_interpreters", "_xxsubinterpreters")  # since 3.13; before


def refuse_sub_interpreter() -> None:
    """Do nothing in the main interpreter.

    Raises:
        ConfigurationError: This is another one.
    """
    for name in _MODULES:
        try:
            module: Any = import_module(name)
        except ImportError:  # another implementation of Python
            continue
        if module.get_current() != module.get_main():
            raise ConfigurationError(
                "interpreter", "a sub-interpreter", "its telemetry cannot be exported from it",
                "Call configure() in the main one; decorated functions run unchanged here.",
            )  # fmt: skip
        return
