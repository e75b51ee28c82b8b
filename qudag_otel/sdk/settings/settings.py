"""The effective configuration: every variable's value and where it came from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from qudag_otel._redact import MASK, attribute, learn, mask, verdict
from qudag_otel.sdk.settings.errors import ConfigurationError
from qudag_otel.sdk.settings.parsers import Rejected
from qudag_otel.sdk.settings.variables import OTLP_HEADERS, TABLE, Variable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

T = TypeVar("T")

# Variables of instrumentations and of the command line tool are read elsewhere.
_FOREIGN = (
    "OTEL_PYTHON_",
    "OTEL_INSTRUMENTATION_",
    "OTEL_SEMCONV_",
    "OTEL_EXPERIMENTAL_",
    "OTEL_GO_",
)
_CLOSE = 0.9


@dataclass(frozen=True, slots=True)
class Setting:
    """One line of the effective configuration, fit to be shown.

    Args:
        name: The variable.
        value: Its value as text; secrets are masked.
        origin: "environment", "argument", "default", or the variable that stood in for it.
    """

    name: str
    value: str
    origin: str


class Settings:
    """The values of all variables for one call of `configure`.

    The environment wins over arguments, arguments over defaults; an empty variable is unset.

    Args:
        environ: The environment.
        arguments: Values by variable name, already of the variable's type.

    Raises:
        ConfigurationError: A variable holds what it cannot hold.
    """

    def __init__(
        self, environ: Mapping[str, str], arguments: Mapping[str, object] | None = None
    ) -> None:
        self._values: dict[str, Any] = {}
        self._origins: dict[str, str] = {}
        self.ignored: dict[str, str] = {}
        """Variables whose text means something else than it says, each with what is wrong."""
        arguments = arguments or {}
        for variable in TABLE.values():
            raw = environ.get(variable.name, "")
            if raw.strip():
                self._values[variable.name] = self._parsed(variable, raw)
                self._origins[variable.name] = "environment"
            elif variable.name in arguments:
                self._values[variable.name] = arguments[variable.name]
                self._origins[variable.name] = "argument"
        for headers in OTLP_HEADERS.values():
            learn(*(value for name, value in self[headers].items() if verdict(name)))
        self.suspects = dict(_suspects(environ))

    def _parsed(self, variable: Variable[T], raw: str) -> T:
        try:
            return parse(variable, raw)
        except ConfigurationError as error:
            rejected = error.__cause__
            if not isinstance(rejected, Rejected) or rejected.instead is None:
                raise
            self.ignored[variable.name] = str(error)
            instead: Any = rejected.instead
            return instead  # type: ignore[no-any-return]  # of the variable's type, by its parser

    def __getitem__(self, variable: Variable[T]) -> T:
        source = self._source(variable)
        value: T = variable.default if source is None else self._values[source.name]
        return value

    def origin(self, variable: Variable[Any]) -> str:
        """Tell where a value came from, in the words of `Setting.origin`."""
        source = self._source(variable)
        if source is None:
            return "default"
        return self._origins[source.name] if source is variable else source.name

    def given(self, variable: Variable[Any]) -> bool:
        """Tell whether the environment or an argument set the value."""
        return self._source(variable) is not None

    def put(self, variable: Variable[T], value: T, origin: str) -> None:
        """Record a value that the set-up decided on itself."""
        self._values[variable.name] = value
        self._origins[variable.name] = origin

    def __iter__(self) -> Iterator[Setting]:
        for variable in TABLE.values():
            yield Setting(variable.name, self._shown(variable), self.origin(variable))

    def _source(self, variable: Variable[T]) -> Variable[T] | None:
        if variable.name in self._values:
            return variable
        if variable.general is not None and variable.general.name in self._values:
            return variable.general
        return None

    def _shown(self, variable: Variable[Any]) -> str:
        if self._source(variable) is None:
            return variable.shown
        value = self[variable]
        if isinstance(value, dict):
            pairs: dict[str, Any] = value  # pyright: ignore[reportUnknownVariableType] - Any inside
            return ",".join(
                f"{key}={MASK if variable.secret else attribute(key, value)}"
                for key, value in pairs.items()
            )
        if isinstance(value, tuple):
            return ",".join(str(part) for part in value) or "none"  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType] - Any inside
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, float):
            return f"{value * 1000:g}"  # durations are held in seconds and written in milliseconds
        return MASK if variable.secret else mask(str(value))


def parse(variable: Variable[T], raw: str, name: str = "") -> T:
    """Parse a variable's text.

    Args:
        variable: The variable.
        raw: Its text.
        name: What the error shall name instead, such as an argument.

    Raises:
        ConfigurationError: It is no such value; secrets are masked.
    """
    try:
        return variable.parse(raw)
    except Rejected as rejected:
        raise ConfigurationError(
            name or variable.name,
            MASK if variable.secret else raw,
            rejected.problem,
            f"{rejected.remedy}, or unset it.",
        ) from rejected


def _suspects(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield names that are read nowhere but look like one that is, each with that one."""
    for name in environ:
        if not name.startswith("OTEL_") or name in TABLE or name.startswith(_FOREIGN):
            continue
        import difflib  # the ordinary program has no such name

        close = difflib.get_close_matches(name, TABLE, n=1, cutoff=_CLOSE)
        if close:
            yield name, close[0]
