"""Stores that answer what a test tells them to, over HTTP, and remember what they were asked."""

from __future__ import annotations

import json
import threading
import urllib.parse
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    Answer = list[tuple[dict[str, str], float]]


@dataclass(slots=True)
class Fakes:
    """One server that is Prometheus, Jaeger and VictoriaLogs at once.

    Args:
        series: What a query is answered that contains the key; the first that does.
        before: The same, for times before the newest that was asked for.
        otherwise: What all other queries are answered.
        traces: Jaeger's answer.
        lines: Lines by a part of the query for them.
        rules: Expressions of alerts.
    """

    url: str
    series: dict[str, Answer] = field(default_factory=dict)
    before: dict[str, Answer] = field(default_factory=dict)
    otherwise: Answer = field(default_factory=list)
    traces: list[dict[str, Any]] = field(default_factory=list)
    lines: dict[str, list[dict[str, str]]] = field(default_factory=dict)
    rules: dict[str, str] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    newest: float = 0.0

    def answer(self, path: str, fields: dict[str, str]) -> bytes:
        """What a request is answered."""
        self.asked.append((path, fields))
        if path == "/api/v1/query_range":
            return self._query(fields)
        if path == "/api/v1/rules":
            rules = [{"name": name, "query": query} for name, query in self.rules.items()]
            return json.dumps({"data": {"groups": [{"rules": rules}]}}).encode()
        if path == "/api/traces":
            failing = "error" in json.loads(fields.get("tags", "{}"))
            found = [
                trace
                for trace in self.traces
                if not failing or any(span["tags"] for span in trace["spans"])
            ]
            return json.dumps({"data": found}).encode()
        found_lines = next((v for k, v in self.lines.items() if k in fields["query"]), [])
        return "\n".join(map(json.dumps, found_lines)).encode()

    def _query(self, fields: dict[str, str]) -> bytes:
        query, at = fields["query"], float(fields["end"])
        self.newest = max(self.newest, at)
        told = {**self.before, **self.series} if at == self.newest else self.before
        result = next((v for k, v in told.items() if k in query), self.otherwise)
        return json.dumps(
            {
                "data": {
                    "result": [
                        {"metric": labels, "values": [[at, str(value)]]} for labels, value in result
                    ]
                }
            }
        ).encode()

    @property
    def queries(self) -> list[str]:
        """The PromQL that it was asked."""
        return [fields["query"] for path, fields in self.asked if path == "/api/v1/query_range"]


@contextmanager
def stores() -> Iterator[Fakes]:
    """Serve the fakes; what they answer may be changed at any time."""
    fakes = Fakes("")

    class _Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urllib.parse.urlsplit(self.path)
            length = int(self.headers.get("Content-Length", 0))
            query = parts.query or self.rfile.read(length).decode()
            body = fakes.answer(parts.path, dict(urllib.parse.parse_qsl(query)))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        fakes.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield fakes
        finally:
            server.shutdown()
            thread.join()
