"""The one client of Prometheus: queries and rules over its HTTP API."""

from __future__ import annotations

import json
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from qudag_otel._query import http

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

TOKEN: Final = "QUDAG_PROMETHEUS_TOKEN"  # noqa: S105 - the variable's name, not a token
"""The environment variable that holds a bearer token for Prometheus."""

DEFAULT_URL: Final = "http://127.0.0.1:9091"
"""Where the stack of this project has its Prometheus."""


class PrometheusError(Exception):
    """Prometheus does not answer, or not with what was asked for; the message says what to do."""


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer.

    Args:
        labels: Its labels.
        points: Its values by time, in seconds since 1970.
        step: The seconds between two evaluations.
    """

    labels: dict[str, str]
    points: list[tuple[float, float]]
    step: float


class Prometheus:
    """A Prometheus, or anything that answers its query API (Mimir, Thanos, VictoriaMetrics).

    Args:
        url: Its base URL; user and password in it become basic authentication. For https the
            system's authorities are trusted, or those in the file that SSL_CERT_FILE names.
        token: A bearer token; empty for none.
        timeout: How long one query may take, in seconds.

    Raises:
        PrometheusError: The URL is none.
    """

    def __init__(self, url: str, *, token: str = "", timeout: float = 60.0) -> None:
        try:
            self._server = http.server(url, option="--prometheus", token=token, variable=TOKEN)
        except http.UrlError as error:
            raise PrometheusError(f"{error}; the stack of this project: {DEFAULT_URL}") from error
        self._timeout = timeout

    @property
    def url(self) -> str:
        """The URL without credentials."""
        return self._server.url.rstrip("/")

    def range(self, expression: str, start: float, end: float, step: float) -> list[Series]:
        """Evaluate an expression every `step` seconds from start to end, both included.

        Raises:
            PrometheusError: No answer, an error instead of an answer, or not Prometheus.
        """
        fields = {"query": expression, "start": start, "end": end, "step": step}
        # POST, because a query can be longer than a URL may be.
        body = urllib.parse.urlencode(fields).encode()

        def series(data: Any) -> list[Series]:
            return [
                Series(
                    {str(key): str(value) for key, value in one["metric"].items()},
                    [(float(at), float(value)) for at, value in one["values"]],
                    step,
                )
                for one in data["result"]
            ]

        return self._ask("/api/v1/query_range", body, series)

    def instant(self, expression: str, at: float) -> list[tuple[dict[str, str], float]]:
        """Evaluate an expression once: the labels and the value of each series.

        Args:
            expression: PromQL.
            at: When, in seconds since 1970.

        Raises:
            PrometheusError: As `range`.
        """
        return [
            (series.labels, series.points[0][1])
            for series in self.range(expression, at, at, 1.0)
            if series.points
        ]

    def alert_expressions(self, name: str) -> list[str]:
        """The expressions of the alerting rules of a name, as they are evaluated there.

        Raises:
            PrometheusError: As `range`; what answers queries alone has no rules to tell.
        """
        path = f"/api/v1/rules?{urllib.parse.urlencode({'type': 'alert', 'rule_name[]': name})}"

        def expressions(data: Any) -> list[str]:
            return [
                str(rule["query"])
                for group in data["groups"]
                for rule in group["rules"]
                if rule["name"] == name
            ]

        return self._ask(path, None, expressions)

    def _ask(self, path: str, body: bytes | None, read: Callable[[Any], T]) -> T:
        try:
            answer = http.fetch(self._server, path, body, timeout=self._timeout)
            return read(json.loads(answer)["data"])
        except http.UnreachableError as error:
            raise PrometheusError(
                f"{error}. Start a Prometheus there, or give --prometheus URL"
            ) from error
        except http.RefusedError as error:
            raise PrometheusError(f"{self.url} answers {error.status}: {_reason(error)}") from error
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise PrometheusError(
                f"{self.url} answers, but not as Prometheus does: is it another service's port?"
            ) from error


def _reason(error: http.RefusedError) -> str:
    if error.status in {401, 403}:
        return f"not allowed; set {TOKEN}, or put user and password into the URL"
    if error.location:
        return f"it redirects to {error.location}; give that URL"
    try:
        return str(cast("dict[str, object]", json.loads(error.text))["error"])
    except (KeyError, TypeError, ValueError):
        return error.text[:200] or error.reason
