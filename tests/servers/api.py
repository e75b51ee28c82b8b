"""JSON over HTTP, for the servers' query interfaces."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")


class ApiError(AssertionError):
    """A server answered with an error; an AssertionError, so that `eventually` asks again."""


def get(url: str, **parameters: str | float) -> Any:
    """GET and parse JSON.

    Raises:
        ApiError: no connection, a status other than 2xx, or no JSON.
    """
    return _get(url, json.loads, parameters)


def get_lines(url: str, **parameters: str | float) -> list[Any]:
    """GET and parse one JSON value a line; raises as `get`."""
    return _get(url, lambda text: [json.loads(line) for line in text.splitlines()], parameters)


def _get(url: str, parse: Callable[[str], T], parameters: Mapping[str, str | float]) -> T:
    query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
    try:
        with urllib.request.urlopen(url + query, timeout=10) as response:
            return parse(response.read().decode())
    except urllib.error.HTTPError as error:
        raise ApiError(f"{url}{query}: {error.code} {error.read().decode()[:500]}") from error
    except (OSError, ValueError) as error:
        raise ApiError(f"{url}{query}: {error}") from error
