"""Dashboards into a running Grafana, over its HTTP API."""

from __future__ import annotations

import json
from typing import Any, Final, cast

from qudag_otel._query import http

TOKEN: Final = "GRAFANA_TOKEN"  # noqa: S105 - the variable's name, not a token
"""The environment variable that holds a service account's token."""
_TIMEOUT: Final = 30.0
_JSON: Final = {"Content-Type": "application/json", "Accept": "application/json"}
_REMEDIES: Final = {
    401: f"set {TOKEN} to the token of a service account",
    403: f"the token in {TOKEN} may not write dashboards; give its service account the role Editor",
    404: "is the folder's uid right, and is this Grafana's root URL?",
    412: "a provisioned dashboard has this uid; change it where it is provisioned",
}


class GrafanaError(RuntimeError):
    """Grafana did not take a dashboard; the message says why and what to do."""


class Grafana:
    """A running Grafana.

    Args:
        url: Its root URL.
        token: A service account's token; empty for none.

    Raises:
        GrafanaError: The URL is none, or the token cannot be one.
    """

    def __init__(self, url: str, token: str) -> None:
        try:
            self._server = http.server(url, option="--url", token=token, variable=TOKEN)
        except http.UrlError as error:
            raise GrafanaError(str(error)) from error

    def save(self, text: str, folder: str = "") -> str:
        """Create a dashboard, or replace the one with its uid.

        Args:
            text: The dashboard's JSON.
            folder: The uid of the folder that it goes to; empty for the top.

        Returns:
            The dashboard's URL.

        Raises:
            GrafanaError: Grafana cannot be reached, or does not take it.
        """
        body: dict[str, Any] = {
            "dashboard": {**json.loads(text), "id": None},
            "overwrite": True,
            "message": "qudag-otel dashboards export",
        }
        if folder:
            body["folderUid"] = folder
        answer = self._post("/api/dashboards/db", body)
        return self._server.url.rstrip("/") + str(answer.get("url", ""))

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        try:
            answer: Any = json.loads(
                http.fetch(
                    self._server,
                    path,
                    json.dumps(body).encode(),
                    headers=_JSON,
                    timeout=_TIMEOUT,
                )
            )
        except http.UnreachableError as error:
            raise GrafanaError(str(error)) from error
        except http.RefusedError as error:
            url = self._server.url
            raise GrafanaError(f"{url} answers {error.status}: {_reason(error)}") from error
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise GrafanaError(f"{self._server.url} answers, but not as Grafana does")
        return cast("dict[str, Any]", answer)


def _reason(error: http.RefusedError) -> str:
    if error.status in _REMEDIES:
        return _REMEDIES[error.status]
    if error.location:
        return f"it redirects to {error.location}; give that root URL"
    return error.text[:500] or error.reason
