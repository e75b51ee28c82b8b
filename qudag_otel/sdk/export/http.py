"""One OTLP request over HTTP and its verdict.

Source: OpenTelemetry Protocol specification, "OTLP/HTTP Response" and "OTLP/HTTP Throttling".
"""

from __future__ import annotations

import email.utils
import gzip
import http
import json
import time
import zlib
from typing import TYPE_CHECKING, Any, Final

from qudag_otel.sdk.export.failures import Failure, of_text, shortened

if TYPE_CHECKING:
    from collections.abc import Callable

    import requests

    from qudag_otel.sdk.export.otlp import Receiver

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
_RETRIED: Final = (429, 502, 503, 504)
_ASKED: Final = "gzip, deflate"
_ANSWER_BYTES: Final = 1 << 20
_LEAST_SECONDS: Final = 0.05
_DECODED: Final = ("", "identity", *_ASKED.split(", "))
_NOT_OTLP: Final = b"\xff"  # neither a protobuf message nor JSON
_CODINGS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip": lambda body: gzip.compress(body, 6, mtime=0),
    "deflate": zlib.compress,
}


class HttpTransport:
    """Posts requests and judges what comes back.

    Args:
        target: Where and how.
    """

    def __init__(self, target: Receiver) -> None:
        self._target = target
        self._type = JSON if target.protocol.endswith("json") else PROTOBUF
        self._session: requests.Session | None = None
        self._confirmed = False

    def send(self, body: bytes, timeout: float) -> bytes | Failure:
        """Send one request.

        Args:
            body: The request.
            timeout: How long connecting, sending and the answer may take, in seconds.

        Returns:
            The receiver's protobuf response, or why it cannot be believed to have the request.
        """
        deadline = time.monotonic() + timeout
        pack = _CODINGS.get(self._target.compression)
        headers = {"Content-Encoding": self._target.compression} if pack else {}
        answer = self._post(pack(body) if pack else body, headers, timeout)
        if isinstance(answer, Failure):
            return answer
        status, found, content = answer
        media = found.get("content-type", "").partition(";")[0].strip().lower()
        coding = found.get("content-encoding", "").strip().lower()
        if content and coding not in _DECODED:  # what nobody decoded can look like protobuf
            media = f"{media} in {coding}"
        if not 200 <= status < 300:  # noqa: PLR2004 - HTTP's success
            return _refused(status, found, _words(media, content))
        if media == PROTOBUF:
            return content
        if media == JSON:
            return _from_json(self._target.signal, content)
        if not content and self._understands(deadline - time.monotonic()):
            return b""
        what = f"{media or 'nothing'} ({_words(media, content)})" if content else "nothing"
        return Failure(
            "unexpected_answer",
            f"status {status} with {what} is no answer of an OTLP receiver; is the address right?",
        )

    def _post(
        self, body: bytes, headers: dict[str, str], timeout: float
    ) -> tuple[int, Any, bytes] | Failure:
        import requests
        from urllib3 import Timeout

        session = self._session = self._session or self._connected()
        limit: Any = Timeout(total=timeout)  # requests' own would be one limit for each step
        try:
            with session.post(
                self._target.endpoint, data=body, headers=headers, timeout=limit,
                allow_redirects=False, stream=True,
            ) as answer:  # fmt: skip
                content = bytearray()
                for part in answer.iter_content(1 << 16):
                    content += part
                    if len(content) > _ANSWER_BYTES:
                        break
                else:
                    return answer.status_code, answer.headers, bytes(content)
                return Failure(
                    "unexpected_answer",
                    f"status {answer.status_code} with more than {_ANSWER_BYTES} bytes is no answer"
                    " of an OTLP receiver",
                )
        except (requests.exceptions.InvalidURL, requests.exceptions.InvalidHeader) as error:
            return Failure("invalid_request", shortened(str(error)))
        except (requests.RequestException, OSError) as error:
            return of_text(f"{type(error).__name__} {error}")

    def _connected(self) -> requests.Session:
        import requests

        from qudag_otel.sdk.export.patience import Adapter

        target = self._target
        session = requests.Session()
        for scheme in ("http://", "https://"):
            session.mount(scheme, Adapter())
        session.headers.update(
            {"Content-Type": self._type, "Accept-Encoding": _ASKED, **target.headers}
        )
        session.auth = _as_it_is  # else a .netrc file would replace a header that was asked for
        if target.certificate:
            session.verify = target.certificate
        if target.client_certificate:
            pair = (target.client_certificate, target.client_key)
            session.cert = pair if target.client_key else target.client_certificate
        return session

    def _understands(self, timeout: float) -> bool:
        """Whether what answers with nothing at all is a receiver.

        Some acknowledge so, without the header that the specification asks for, and so does
        whatever else says 200 to everything. A receiver refuses what is no OTLP; asked once.
        """
        if not self._confirmed:
            answer = self._post(_NOT_OTLP, {}, max(timeout, _LEAST_SECONDS))
            self._confirmed = isinstance(answer, Failure) or answer[0] >= 400  # noqa: PLR2004 - HTTP's errors
        return self._confirmed

    def close(self) -> None:
        """Close what connections are idle."""
        session, self._session = self._session, None
        if session is not None:
            session.close()


def _as_it_is(request: Any) -> Any:
    return request


def _refused(status: int, headers: Any, words: str) -> Failure:
    try:
        name = http.HTTPStatus(status).phrase
    except ValueError:
        name = "unknown"
    to = headers.get("location", "")
    more = f", to {shortened(to)}" if to else f": {words}" if words else ""
    return Failure(
        str(status), f"status {status} {name}{more}", retry=status in _RETRIED,
        after=_retry_after(headers.get("retry-after", "")) if status in _RETRIED else None,
        too_large=status == http.HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    )  # fmt: skip


def _retry_after(value: str) -> float | None:
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


def _words(media: str, content: bytes) -> str:
    """What an answer says: the message of an OTLP status, or the beginning of a page."""
    if media == PROTOBUF:
        from google.protobuf.message import DecodeError
        from google.rpc.status_pb2 import (  # type: ignore[import-untyped]  # it ships no types
            Status,
        )

        try:
            return shortened(Status.FromString(content).message)
        except DecodeError:
            return "no OTLP status"
    return shortened(content[:1000].decode("utf-8", "replace"))


def _from_json(signal: str, content: bytes) -> bytes | Failure:
    from google.protobuf.json_format import ParseDict, ParseError

    from qudag_otel.sdk.export.messages import RESPONSES

    try:
        found: Any = json.loads(content or b"{}")
        answer: bytes = ParseDict(found, RESPONSES[signal]()).SerializeToString()
    except (ValueError, ParseError, TypeError, AttributeError):
        return Failure(
            "unexpected_answer",
            f"status 200 with JSON that is no OTLP response ({_words(JSON, content)})",
        )
    return answer
