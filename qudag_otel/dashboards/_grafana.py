"""Dashboards into a running Grafana, over its HTTP API."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import TYPE_CHECKING, Any, Final, cast

from qudag_otel.dashboards._urls import is_root

if TYPE_CHECKING:
    import email.message
    from typing import IO

TOKEN: Final = "GRAFANA_TOKEN"  # noqa: S105 - the variable's name, not a token
"""The environment variable that holds a service account's token."""
_TIMEOUT: Final = 30.0
_REMEDIES: Final = {
    401: f"set {TOKEN} to the token of a service account",
    403: f"the token in {TOKEN} may not write dashboards; give its service account the role Editor",
    404: "is the folder's uid right, and is this Grafana's root URL?",
    412: "a provisioned dashboard has this uid; change it where it is provisioned",
}


class GrafanaError(RuntimeError):
    """Grafana did not take a dashboard; the message says why and what to do."""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follow no redirect: the token is for the host that was named, and a POST would be lost."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: email.message.Message,
        newurl: str,
    ) -> None:
        """Let the redirect surface as an error."""


class Grafana:
    """A running Grafana.

    Args:
        url: Its root URL.
        token: A service account's token; empty for none.

    Raises:
        GrafanaError: The URL is none, or the token cannot be one.
    """

    def __init__(self, url: str, token: str) -> None:
        if not is_root(url):
            raise GrafanaError(f"--url {url!r} is no URL: give it as https://HOST[:PORT]")
        self._url = url.rstrip("/")
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        token = token.strip()  # files end in a line end
        if not (token.isascii() and token.isprintable()):
            raise GrafanaError(f"{TOKEN} holds something else than a token: give its one word")
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._opener = urllib.request.build_opener(_NoRedirect)

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
        return self._url + str(answer.get("url", ""))

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        request = urllib.request.Request(  # noqa: S310 - http(s) only, checked above
            self._url + path, json.dumps(body).encode(), self._headers, method="POST"
        )
        try:
            with self._opener.open(request, timeout=_TIMEOUT) as response:
                answer: Any = json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                raise GrafanaError(f"{self._url} answers {error.code}: {_reason(error)}") from error
        except OSError as error:
            raise GrafanaError(f"no Grafana at {self._url} ({error})") from error
        except (ValueError, http.client.HTTPException) as error:
            raise GrafanaError(f"{self._url} answers, but not as Grafana does") from error
        if not isinstance(answer, dict):
            raise GrafanaError(f"{self._url} answers, but not as Grafana does")
        return cast("dict[str, Any]", answer)


def _reason(error: urllib.error.HTTPError) -> str:
    if error.code in _REMEDIES:
        return _REMEDIES[error.code]
    if location := error.headers.get("Location"):
        return f"it redirects to {location}; give that root URL"
    return error.read(500).decode(errors="replace").strip() or error.reason
