"""The error of a set-up that cannot be made: it names the setting, the value and the remedy."""

from __future__ import annotations


class ConfigurationError(ValueError):
    """A setting that cannot be used.

    Args:
        name: The variable or argument.
        value: What it held; secrets are masked by the caller.
        problem: What is wrong with it.
        remedy: What to do about it.
    """

    def __init__(self, name: str, value: object, problem: str, remedy: str) -> None:
        super().__init__(f"{name}={value!s}: {problem}. {remedy}")
        self.name = name
        self.value = value
        self.problem = problem
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[ConfigurationError], tuple[str, object, str, str]]:
        return type(self), (self.name, self.value, self.problem, self.remedy)
