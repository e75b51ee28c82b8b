"""An OTLP/HTTP receiver that reads and forgets, and tells what it got where that is asked for.

Started as a program it prints its port; `Sink` is the other side.
"""

from __future__ import annotations

import gzip
import http.server
import json
import os
import urllib.request
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Sink:
    """The receiver that this process exports to."""

    url = os.environ.get("QUDAG_BENCH_SINK", "")

    def witness(self, call: Callable[[], Any], flush: Callable[[], Any]) -> dict[str, Any]:
        """What arrives of a call: spans, metrics and logs.

        Args:
            call: What is called.
            flush: Sends all of it.
        """
        flush()
        self._get("/keep")
        call()
        flush()
        found: dict[str, Any] = json.loads(self._get("/seen"))
        return found

    def _get(self, path: str) -> bytes:
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            body: bytes = answer.read()
            return body


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers every POST with 200."""

    protocol_version = "HTTP/1.1"
    kept: list[tuple[str, bytes]] | None = None

    def do_POST(self) -> None:
        """Read, and forget unless told to keep."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if Handler.kept is not None:
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            Handler.kept.append((self.path, body))
        self._answer(b"", "application/x-protobuf")

    def do_GET(self) -> None:
        """`/keep` what comes from now on; tell what was `/seen`."""
        kept, Handler.kept = Handler.kept, [] if self.path == "/keep" else None
        self._answer(json.dumps(told(kept or [])).encode(), "application/json")

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def told(requests: list[tuple[str, bytes]]) -> dict[str, Any]:
    """What requests carry: spans with the names of their attributes and events, metrics with what
    they count, and log records by their text."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceRequest,
    )
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    spans: list[dict[str, Any]] = []
    metrics: dict[str, float] = {}
    logs: list[dict[str, Any]] = []
    for path, body in requests:
        if path.endswith("/traces"):
            spans += [
                {
                    "name": span.name,
                    "attributes": sorted(pair.key for pair in span.attributes),
                    "events": [event.name for event in span.events],
                }
                for resource in ExportTraceServiceRequest.FromString(body).resource_spans
                for scope in resource.scope_spans
                for span in scope.spans
            ]
        elif path.endswith("/metrics"):
            for of_resource in ExportMetricsServiceRequest.FromString(body).resource_metrics:
                for of_scope in of_resource.scope_metrics:
                    for metric in of_scope.metrics:
                        metrics[metric.name] = _total(metric)
        else:
            logs += [
                {"body": record.body.string_value, "traced": bool(record.trace_id)}
                for of_resource in ExportLogsServiceRequest.FromString(body).resource_logs
                for of_scope in of_resource.scope_logs
                for record in of_scope.log_records
            ]
    return {"spans": spans, "metrics": metrics, "logs": logs}


def _total(metric: Any) -> float:
    """What a metric counted; of a gauge the sum of its series."""
    kind = metric.WhichOneof("data")
    points = getattr(metric, kind).data_points
    if kind == "histogram":
        return float(sum(point.count for point in points))
    return float(sum(point.as_int or point.as_double for point in points))


if __name__ == "__main__":
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    server.serve_forever()
