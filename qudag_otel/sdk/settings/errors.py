"""The error of a set-up that cannot be made: it names the setting, the value and the remedy."""

from __future__ import annotations

from typing import Final

from qudag_otel._redact import mask, rendered

_LONGEST: Final = 1000  # characters of a value in the message


class ConfigurationError(ValueError):
    """A setting that cannot be used.

    Args:
        name: The variable or argument.
        value: What it held; what looks like a secret in it is masked.
        problem: What is wrong with it.
        remedy: What to do about it.
    """

    def __init__(self, name: str, value: object, problem: str, remedy: str) -> None:
        value = mask(value) if isinstance(value, str) else value
        shown = value if value is None else rendered(value, _LONGEST)
        super().__init__(f"{name}={shown!s}: {problem}. {remedy}")
        self.name = name
        self.value = value
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[ConfigurationError], tuple[str, object, str, str]]:
        return type(self), (self.name, self.value, self.problem, self.remedy)
