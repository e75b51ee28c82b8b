"""A service that answers one request by asking the next service, if it was given one.

Arguments: the next service's URL, or nothing. Prints {"url": ...} first; when its standard input
is closed it prints how many requests it served.
"""

from __future__ import annotations

import http.server
import os
import sys
import threading
import urllib.request

from opentelemetry import context, propagate
from opentelemetry.trace import SpanKind

from tests.pipeline.application import Application
from tests.pipeline.apps._pipe import say, wait_until_told_to_end


def main() -> None:
    following = sys.argv[1] if len(sys.argv) > 1 else ""
    served = 0
    endpoint, service = os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"], os.environ["OTEL_SERVICE_NAME"]
    with Application(endpoint, service) as app:

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                nonlocal served
                served += 1
                parent = propagate.extract(
                    {name.lower(): value for name, value in self.headers.items()}
                )
                with app.tracer.start_as_current_span(
                    "GET /work", context=parent, kind=SpanKind.SERVER
                ):
                    app.log(f"{service} works")
                    if following:
                        _ask(app, following)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        say({"url": f"http://127.0.0.1:{server.server_port}/work"})
        wait_until_told_to_end()
        server.shutdown()
        thread.join()
        server.server_close()
    say(served)


def _ask(app: Application, url: str) -> None:
    with app.tracer.start_as_current_span("GET", kind=SpanKind.CLIENT):
        headers: dict[str, str] = {}
        propagate.inject(headers, context.get_current())
        request = urllib.request.Request(url, headers=headers)
        with urllib.request.urlopen(request, timeout=30) as response:
            assert response.status == 200


if __name__ == "__main__":
    main()
