"""Parsers of the values that OTEL_* variables hold.

Each takes the text and returns the value, or raises `Rejected` with the problem and the remedy;
the caller adds the variable's name. Whitespace around a value never counts.

Source: OpenTelemetry specification, "Environment Variable Specification".
"""

from __future__ import annotations

import math
import os
import re
from typing import TYPE_CHECKING, Generic, TypeVar
from urllib.parse import unquote, urlsplit

from qudag_otel.catalogue import prefix as prefixes

if TYPE_CHECKING:
    from collections.abc import Mapping

T = TypeVar("T")

Parser = "Callable[[str], T]"


class Rejected(Exception):  # noqa: N818 - it is an answer, turned into a ConfigurationError
    """The text is no such value.

    Args:
        problem: What is wrong with the text.
        remedy: What would be right.
        instead: What the specification takes such a text of the environment for, with a warning.
    """

    def __init__(self, problem: str, remedy: str, instead: object = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.remedy = remedy
        self.instead = instead


def text(raw: str) -> str:
    return raw.strip()


def boolean(raw: str) -> bool:
    word = raw.strip().lower()
    if word not in {"true", "false"}:
        raise Rejected("neither true nor false", "Set it to true or false", instead=False)
    return word == "true"


class Integer:
    """A whole number in a range.

    Args:
        minimum: The smallest allowed.
        maximum: The largest allowed; None for no bound.
    """

    def __init__(self, minimum: int, maximum: int | None = None) -> None:
        self._minimum = minimum
        self._maximum = maximum

    def __call__(self, raw: str) -> int:
        bounds = (
            f"of at least {self._minimum}"
            if self._maximum is None
            else f"from {self._minimum} to {self._maximum}"
        )
        remedy = f"Set it to a whole number {bounds}"
        try:
            number = int(raw.strip())
        except ValueError:
            raise Rejected("not a whole number", remedy) from None
        if number < self._minimum or (self._maximum is not None and number > self._maximum):
            raise Rejected("out of range", remedy)
        return number


class Seconds:
    """A duration given in milliseconds, as the specification has it; the value is in seconds.

    Args:
        zero: What 0 means: None when it is not allowed.
    """

    def __init__(self, *, zero: float | None) -> None:
        self._zero = zero

    def __call__(self, raw: str) -> float:
        least = "more than 0" if self._zero is None else "0 or more"
        remedy = f"Set it to a number of milliseconds, {least}, without a unit"
        try:
            milliseconds = float(raw.strip())
        except ValueError:
            raise Rejected("not a number of milliseconds", remedy) from None
        if not math.isfinite(milliseconds) or milliseconds < 0:
            raise Rejected("not a duration", remedy)
        if milliseconds == 0:
            if self._zero is None:
                raise Rejected("not a duration", remedy)
            return self._zero
        return milliseconds / 1000


class Choice(Generic[T]):
    """One of some words, in any case.

    Args:
        values: The value for each word.
    """

    def __init__(self, values: Mapping[str, T]) -> None:
        self.values = values

    def __call__(self, raw: str) -> T:
        word = raw.strip().lower()
        if word not in self.values:
            raise Rejected("unknown", f"Set it to one of: {', '.join(self.values)}")
        return self.values[word]


def words(*allowed: str) -> Choice[str]:
    return Choice({word: word for word in allowed})


_KNOWN = frozenset(
    (
        "otlp", "console", "prometheus", "none",
        "tracecontext", "baggage", "b3", "b3multi", "jaeger", "xray", "ottrace",
    )
)  # fmt: skip


def names(raw: str) -> tuple[str, ...]:
    """Parse a list separated by commas; repeated names count once, in the first's place.

    Names that the specification knows are taken in any case.
    """
    words = (part.strip() for part in raw.split(","))
    known = (word.lower() if word.lower() in _KNOWN else word for word in words)
    return tuple(dict.fromkeys(word for word in known if word))


def prefix(raw: str) -> str:
    """Parse how names of metrics begin."""
    if not prefixes.is_valid(raw):
        raise Rejected("no beginning of a metric's name", "Use letters, digits, underscores, dots")
    return raw


def exporter_names(raw: str) -> tuple[str, ...]:
    found = names(raw)
    if "none" in found:
        if len(found) > 1:
            raise Rejected(
                "none stands beside other exporters", "Name the exporters, or none alone"
            )
        return ()
    return found


# Visible ASCII without the comma that separates pairs; RFC 7230 tokens for the key.
_PAIR_KEY = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z/:@\[\]()]+")


def _pairs(raw: str, what: str) -> dict[str, str]:
    remedy = (
        f"Write {what} as key1=value1,key2=value2; a comma or an equals sign inside a value "
        "is percent-encoded (%2C, %3D)"
    )
    found: dict[str, str] = {}
    for part in raw.split(","):
        if not part.strip():
            continue
        key, equals, value = part.partition("=")
        if not equals:
            raise Rejected("a pair has no equals sign", remedy)
        key = unquote(key.strip())
        if not _PAIR_KEY.fullmatch(key):
            raise Rejected(
                "a pair has no key, or one with characters that a key cannot have", remedy
            )
        try:
            found[key] = unquote(value.strip(), errors="strict")
        except UnicodeDecodeError:
            raise Rejected("a value is not valid percent-encoded UTF-8", remedy) from None
    return found


def resource_attributes(raw: str) -> dict[str, str]:
    return _pairs(raw, "attributes")


def headers(raw: str) -> dict[str, str]:
    return {key.lower(): value for key, value in _pairs(raw, "headers").items()}


# Targets of gRPC's own, beside http and https: "gRPC Name Resolution".
_TARGET = re.compile(r"(unix|unix-abstract|dns|ipv4|ipv6|vsock):/*[^/\s]", re.IGNORECASE)


def endpoint(raw: str) -> str:
    url = raw.strip()
    if "/" in url.partition(":")[2][:1] and _TARGET.match(url):
        return url
    remedy = "Write it as http://host:port or https://host:port"
    try:
        parts = urlsplit(url if "://" in url else f"//{url}")
        port = parts.port
    except ValueError:
        raise Rejected("the port is not a number from 0 to 65535", remedy) from None
    if parts.scheme not in {"", "http", "https"}:
        raise Rejected("the scheme is neither http nor https", remedy)
    if not parts.hostname or (not parts.scheme and port is None):
        raise Rejected("not a URL", remedy)
    return url


def readable_file(raw: str) -> str:
    path = raw.strip()
    if not os.path.isfile(path) or not os.access(path, os.R_OK):  # noqa: PTH113 - as given, no Path
        raise Rejected("no readable file", "Set it to the path of a file that exists")
    return path


def configuration_file(raw: str) -> str:
    path = raw.strip()
    if not os.path.isfile(path) or not os.access(path, os.R_OK):  # noqa: PTH113 - as given, no Path
        raise Rejected("no readable file", "Set it to the path of a YAML or JSON file that exists")
    return path
