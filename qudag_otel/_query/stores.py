"""What Jaeger and VictoriaLogs are asked: traces and log lines, over their HTTP APIs.

Sources: Jaeger 2, "APIs", the JSON API of its UI; VictoriaLogs, "Querying", /select/logsql/query.
"""

from __future__ import annotations

import json
import urllib.parse
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from qudag_otel._query import http

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

JAEGER_URL: Final = "http://127.0.0.1:16686"
LOGS_URL: Final = "http://127.0.0.1:9428"
"""Where the stack of this project has them."""


class StoreError(Exception):
    """A store does not answer, or not with what was asked for; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What is told of one trace.

    Args:
        trace_id: Its id.
        operation: The name of its first span.
        start: When that began, in seconds since 1970.
        seconds: From the first start to the last end.
        spans: How many there are.
        failure: The innermost span that failed and what it says; empty if none did.
        longest: The span that took the most time of its own, and its seconds.
    """

    trace_id: str
    operation: str
    start: float
    seconds: float
    spans: int
    failure: str
    longest: tuple[str, float]


class _Store:
    """Somebody who answers over HTTP."""

    _name = ""
    _option = ""

    def __init__(self, url: str, *, timeout: float) -> None:
        try:
            self._server = http.server(url, option=self._option)
        except http.UrlError as error:
            raise StoreError(str(error)) from error
        self._timeout = timeout

    @property
    def url(self) -> str:
        """Its URL without credentials."""
        return self._server.url.rstrip("/")

    def _ask(self, path: str, fields: Mapping[str, str], read: Callable[[bytes], T]) -> T:
        query = urllib.parse.urlencode(fields)
        try:
            return read(http.fetch(self._server, f"{path}?{query}", timeout=self._timeout))
        except (http.UnreachableError, http.RefusedError) as error:
            raise StoreError(f"{error}; {self._option} URL says where {self._name} is") from error
        except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
            raise StoreError(
                f"{self.url} answers, but not as {self._name} does: is it another service's port?"
            ) from error


class Jaeger(_Store):
    """A Jaeger.

    Args:
        url: Its base URL, as a browser opens it.
        timeout: How long one question may take, in seconds.

    Raises:
        StoreError: The URL is none.
    """

    _name = "Jaeger"
    _option = "--jaeger"

    def __init__(self, url: str, *, timeout: float = 20.0) -> None:
        super().__init__(url, timeout=timeout)

    def traces(
        self, service: str, start: float, end: float, *, tags: Mapping[str, str], limit: int
    ) -> list[Trace]:
        """Traces in which a service took part, the latest.

        Args:
            service: Its name.
            start: From when, in seconds since 1970.
            end: Until when.
            tags: What one span or its process must have.
            limit: How many at most.

        Raises:
            StoreError: No answer, or no traces in it.
        """
        fields = {
            "service": service,
            "start": f"{start * 1e6:.0f}",
            "end": f"{end * 1e6:.0f}",
            "limit": str(limit),
            **({"tags": json.dumps(dict(tags))} if tags else {}),
        }
        return self._ask(
            "/api/traces", fields, lambda text: [_trace(one) for one in json.loads(text)["data"]]
        )

    def link(self, trace_id: str) -> str:
        """Where a browser shows a trace."""
        return f"{self.url}/trace/{trace_id}"


class Logs(_Store):
    """A VictoriaLogs.

    Args:
        url: Its base URL.
        timeout: How long one question may take, in seconds.

    Raises:
        StoreError: The URL is none.
    """

    _name = "VictoriaLogs"
    _option = "--logs"

    def __init__(self, url: str, *, timeout: float = 20.0) -> None:
        super().__init__(url, timeout=timeout)

    def lines(self, query: str, start: float, end: float, *, limit: int) -> list[dict[str, str]]:
        """Log lines as fields and their values, in no order.

        Args:
            query: LogsQL.
            start: From when, in seconds since 1970.
            end: Until when.
            limit: How many at most.

        Raises:
            StoreError: No answer, or no lines in it.
        """
        fields = {
            "query": query,
            "start": f"{start:.3f}",
            "end": f"{end:.3f}",
            "limit": str(limit),
        }

        def read(text: bytes) -> list[dict[str, str]]:
            return [
                {str(key): str(value) for key, value in json.loads(line).items()}
                for line in text.splitlines()
            ]

        return self._ask("/select/logsql/query", fields, read)


def _trace(data: Any) -> Trace:
    spans = sorted(data["spans"], key=lambda span: span["startTime"])
    ends = [span["startTime"] + span["duration"] for span in spans]
    failed = [span for span in spans if _tag(span, "error") is True]
    own = _own_time(spans)
    longest = max(spans, key=lambda span: own[span["spanID"]])
    return Trace(
        trace_id=str(data["traceID"]),
        operation=str(spans[0]["operationName"]),
        start=spans[0]["startTime"] / 1e6,
        seconds=(max(ends) - spans[0]["startTime"]) / 1e6,
        spans=len(spans),
        # The innermost began last.
        failure=_failure(failed[-1]) if failed else "",
        longest=(str(longest["operationName"]), own[longest["spanID"]] / 1e6),
    )


def _own_time(spans: list[Any]) -> dict[str, float]:
    """Of every span the time that none of its children took."""
    own: dict[str, float] = {span["spanID"]: span["duration"] for span in spans}
    for span in spans:
        for reference in span["references"]:
            if reference["refType"] == "CHILD_OF" and reference["spanID"] in own:
                own[reference["spanID"]] -= span["duration"]
    return own


def _failure(span: Any) -> str:
    said = _tag(span, "otel.status_description") or _tag(span, "error.type") or "failed"
    return f"{span['operationName']}: {said}"


def _tag(span: Any, key: str) -> Any:
    return next((tag["value"] for tag in span["tags"] if tag["key"] == key), None)
