"""The one question asked of Prometheus: a range query over its HTTP API."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from typing import TYPE_CHECKING, Any, Final, cast

from qudag_otel.baseline._errors import BaselineError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from qudag_otel.baseline._model import Window

TOKEN: Final = "QUDAG_PROMETHEUS_TOKEN"  # noqa: S105 - the variable's name, not a token
"""The environment variable that holds a bearer token for Prometheus."""

Samples = list[tuple[dict[str, str], list[tuple[int, float]]]]
"""Each series' labels and its (step, value) pairs, the first step being 0."""


class Prometheus:
    """A Prometheus, or anything that answers its query API (Mimir, Thanos, VictoriaMetrics).

    Args:
        url: Its base URL; user and password in it become basic authentication.
        token: A bearer token; empty for none.
        timeout: How long one query may take, in seconds.

    Raises:
        BaselineError: the URL is none.
    """

    def __init__(self, url: str, *, token: str = "", timeout: float = 60.0) -> None:
        try:
            parts = urllib.parse.urlsplit(url)
            port = parts.port
        except ValueError as error:
            raise BaselineError(f"--prometheus {url!r} is not a URL: {error}") from error
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise BaselineError(
                f"--prometheus {url!r} is not a URL: give it as http://HOST:PORT, "
                "for the stack of this project http://127.0.0.1:9091"
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        netloc = host if port is None else f"{host}:{port}"
        self.url = urllib.parse.urlunsplit((parts.scheme, netloc, parts.path.rstrip("/"), "", ""))
        """The URL without credentials."""
        self._headers: dict[str, str] = {}
        if parts.username is not None:
            name, password = map(urllib.parse.unquote, (parts.username, parts.password or ""))
            secret = base64.b64encode(f"{name}:{password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {secret}"
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._timeout = timeout

    def range(self, promql: str, window: Window) -> Samples:
        """Evaluate an expression at the end of every step of a window.

        Raises:
            BaselineError: no answer, an error instead of an answer, or not Prometheus.
        """
        answer = self._post(
            "/api/v1/query_range",
            {
                "query": promql,
                "start": window.start + window.step,
                "end": window.end,
                "step": window.step,
            },
        )
        try:
            return [
                (
                    {str(key): str(value) for key, value in series["metric"].items()},
                    [
                        (round((float(at) - window.start) / window.step) - 1, float(value))
                        for at, value in series["values"]
                    ],
                )
                for series in answer["data"]["result"]
            ]
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise BaselineError(f"{self.url} does not answer like Prometheus: {error!r}") from error

    def _post(self, path: str, fields: Mapping[str, str | int]) -> Any:
        # POST, because a query can be longer than a URL may be.
        body = urllib.parse.urlencode(fields).encode()
        request = urllib.request.Request(self.url + path, body, self._headers)  # noqa: S310 - http(s) only, checked above
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as response:  # noqa: S310
                return json.load(response)
        except urllib.error.HTTPError as error:
            raise BaselineError(f"{self.url} answers {error.code}: {_reason(error)}") from error
        except OSError as error:
            reason = getattr(error, "reason", error)
            raise BaselineError(
                f"no Prometheus at {self.url} ({reason}): start it, or give --prometheus URL"
            ) from error
        except ValueError as error:
            raise BaselineError(
                f"{self.url} answers, but not as Prometheus does: is it another service's port?"
            ) from error


def _reason(error: urllib.error.HTTPError) -> str:
    if error.code in {401, 403}:
        return f"not allowed; set {TOKEN}, or put user and password into the URL"
    text = error.read(2000).decode(errors="replace").strip()
    try:
        return str(cast("dict[str, object]", json.loads(text))["error"])
    except (KeyError, TypeError, ValueError):
        return text[:200] or error.reason
