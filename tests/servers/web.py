"""The dashboards' page, and below /api the Prometheus that it asks; the standard library alone.

`python web.py PORT PROMETHEUS PAGE DASHBOARDS` serves the page's folder and a file of dashboards on
127.0.0.1, so that the browser has one origin to ask.
"""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

_SECONDS: Final = 60


class Handler(SimpleHTTPRequestHandler):
    """One request: a file, or what Prometheus answers."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def __init__(self, prometheus: str, dashboards: str, *given: Any, **named: Any) -> None:
        """As the server makes it; first come its own arguments."""
        self._prometheus, self._dashboards = prometheus, dashboards
        super().__init__(*given, **named)

    def translate_path(self, path: str) -> str:
        """The file behind a path; what has no ending is a dashboard, which the page draws."""
        path = path.partition("?")[0]
        if path == "/dashboards.json":
            return self._dashboards
        return super().translate_path(path if "." in path else "/index.html")

    def do_GET(self) -> None:
        """Answer with a file, or with Prometheus' words."""
        if self.path.startswith("/api/"):
            self._pass_on(None)
        else:
            super().do_GET()

    def do_POST(self) -> None:
        """Answer a query that is too long for a path."""
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.startswith("/api/"):
            self._pass_on(body)
        else:
            self.send_error(405)

    def _pass_on(self, body: bytes | None) -> None:
        kind = {} if body is None else {"Content-Type": self.headers.get("Content-Type", "")}
        request = urllib.request.Request(f"{self._prometheus}{self.path}", body, kind)
        try:
            answer = urllib.request.urlopen(request, timeout=_SECONDS)
        except urllib.error.HTTPError as error:
            answer = error  # what is wrong with a query is for the page to show
        except OSError as error:
            self.send_error(502, f"Prometheus does not answer: {error}")
            return
        with answer:
            said = answer.read()
        self.send_response(answer.status or 502)
        self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)


def main() -> None:
    """Run until ended."""
    port, prometheus, page, dashboards = sys.argv[1:]
    handler = partial(Handler, prometheus, dashboards, directory=page)
    with ThreadingHTTPServer(("127.0.0.1", int(port)), handler) as server:
        server.serve_forever()


if __name__ == "__main__":
    main()
