"""Range queries against a Prometheus, for the picture."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass
from typing import Any, Final

from qudag_otel.dashboards._urls import is_root

_TIMEOUT: Final = 60.0


class PictureError(RuntimeError):
    """The picture cannot be drawn; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer: its labels, its values by time in seconds since 1970, the step."""

    labels: dict[str, str]
    points: list[tuple[float, float]]
    step: float


class Prometheus:
    """A Prometheus, or anything that answers its query API.

    Args:
        url: Its base URL.

    Raises:
        PictureError: The URL is none.
    """

    def __init__(self, url: str) -> None:
        if not is_root(url):
            raise PictureError(f"--prometheus {url!r} is no URL: give it as http://HOST:PORT")
        self._url = url.rstrip("/")

    def range(self, expression: str, start: float, end: float, step: float) -> list[Series]:
        """Evaluate an expression from start to end.

        Raises:
            PictureError: No answer, or an error instead of an answer.
        """
        fields = {"query": expression, "start": start, "end": end, "step": step}
        request = urllib.request.Request(  # noqa: S310 - http(s) only, checked above
            f"{self._url}/api/v1/query_range", urllib.parse.urlencode(fields).encode()
        )
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:  # noqa: S310
                result: list[dict[str, Any]] = json.load(response)["data"]["result"]
        except urllib.error.HTTPError as error:
            with error:
                reason = error.read(500).decode(errors="replace")
            raise PictureError(f"{self._url} answers {error.code}: {reason}") from error
        except OSError as error:
            raise PictureError(
                f"no Prometheus at {self._url} ({error}): start it, or give --prometheus URL"
            ) from error
        except (KeyError, TypeError, ValueError, http.client.HTTPException) as error:
            raise PictureError(f"{self._url} answers, but not as Prometheus does") from error
        return [
            Series(one["metric"], [(float(at), float(value)) for at, value in one["values"]], step)
            for one in result
        ]
