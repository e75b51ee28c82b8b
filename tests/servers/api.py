"""JSON over HTTP, for the servers' query interfaces."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any


class ApiError(AssertionError):
    """A server answered with an error; an AssertionError, so that `eventually` asks again."""


def get(url: str, **parameters: str | float) -> Any:
    """GET and parse JSON.

    Raises:
        ApiError: no connection, a status other than 2xx, or no JSON.
    """
    query = f"?{urllib.parse.urlencode(parameters)}" if parameters else ""
    try:
        with urllib.request.urlopen(url + query, timeout=10) as response:
            return json.load(response)
    except urllib.error.HTTPError as error:
        raise ApiError(f"{url}{query}: {error.code} {error.read().decode()[:500]}") from error
    except (OSError, ValueError) as error:
        raise ApiError(f"{url}{query}: {error}") from error
