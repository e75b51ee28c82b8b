"""The OTLP exporter: encodes a batch, sends it until acknowledged, splits what is too big.

The encoders are OpenTelemetry's. Its exporters are not used: they take any status below 400 for
an acknowledgement, never read the response, and tell neither what failed nor how much.

Source: OpenTelemetry Protocol specification, "Failures", "Partial Success" and "Throttling".
"""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Any, Final, Protocol

from opentelemetry.sdk.trace.export import SpanExportResult

from qudag_otel._foreign import interrupts
from qudag_otel._warnings import warn_once
from qudag_otel.sdk.export.failures import Failure, NotDelivered, described
from qudag_otel.sdk.export.messages import as_json, count, halves, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_PAUSES: Final = (0.5, 1.0, 2.0)  # seconds; the last one stays: a receiver that is back is found
_LEAST_PAUSE: Final = 0.25  # also for who asks for none: it is in trouble already
_JITTER: Final = (0.8, 1.2)
_LEAST_SECONDS: Final = 0.05
_LAST_ATTEMPT: Final = 0.5  # the share of what is left of the closing time that one batch may take
_MOST_BYTES: Final = 4 << 20  # what a gRPC receiver takes unless it was told otherwise


class Transport(Protocol):
    """Sends one request."""

    def send(self, body: bytes, timeout: float, /) -> bytes | Failure:
        """Return the receiver's response, or why there is none."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


class OtlpExporter:
    """Delivers batches to one receiver.

    Args:
        signal: "traces", "metrics" or "logs".
        transport: The way to the receiver.
        encode: Makes the protobuf request of a batch.
        timeout: How long one batch may take with its retries, in seconds.
        json: Send JSON instead of protobuf.
    """

    def __init__(
        self,
        signal: str,
        transport: Transport,
        encode: Callable[[Any], bytes],
        *,
        timeout: float,
        json: bool = False,
    ) -> None:
        self._signal = signal
        self._transport = transport
        self._encode = encode
        self._timeout = timeout
        self._json = json
        self._divisible = signal != "metrics"
        self._most = _MOST_BYTES
        self._last_word: float | None = None
        self._closing = threading.Event()
        self._stopped = threading.Event()
        self._struggling = False

    def export(self, batch: Any) -> SpanExportResult:
        """Encode and deliver a batch.

        Raises:
            NotDelivered: Not all of it was acknowledged.
        """
        lost: list[NotDelivered] = []
        body = self._encoded(batch, lost)
        return self._done(lost, body)

    def export_encoded(self, body: bytes, others: Sequence[Any]) -> SpanExportResult:
        """Deliver a request that is encoded already, and with it what is not.

        Args:
            body: The protobuf request.
            others: Spans or records of the SDK.

        Raises:
            NotDelivered: Not all of it was acknowledged.
        """
        lost: list[NotDelivered] = []
        # Two messages one after the other are one message with the items of both.
        return self._done(lost, body + self._encoded(others, lost) if others else body)

    def _done(self, lost: list[NotDelivered], body: bytes) -> SpanExportResult:
        if body:
            self._deliver(body, time.monotonic() + self._time(), lost)
        if lost:
            raise NotDelivered(sum(one.lost for one in lost), lost[-1].failure)
        return SpanExportResult.SUCCESS

    def _encoded(self, batch: Any, lost: list[NotDelivered]) -> bytes:
        """Encode a batch, without the items that cannot be: they must not cost the others."""
        try:
            return self._encode(batch)
        except BaseException as error:
            if interrupts(error):
                raise
            if not (self._divisible and batch):
                raise
            items: Sequence[Any] = batch
            if len(items) == 1:
                warn_once(
                    f"encode:{self._signal}:{type(error).__name__}",
                    "one of the %s cannot be encoded and is left out: %s",
                    self._signal, described(error),
                )  # fmt: skip
                lost.append(NotDelivered(1, Failure(type(error).__qualname__, described(error))))
                return b""
            half = len(items) // 2
            return self._encoded(items[:half], lost) + self._encoded(items[half:], lost)

    def _time(self) -> float:
        if self._last_word is None:
            return self._timeout
        left = (self._last_word - time.monotonic()) * _LAST_ATTEMPT
        return min(self._timeout, max(left, 0.0))

    def _deliver(self, body: bytes, deadline: float, lost: list[NotDelivered]) -> None:
        if len(body) > self._most:
            parts = halves(self._signal, body)
            if len(parts) > 1:
                for part in parts:
                    self._deliver(part, deadline, lost)
                return
        failure = self._attempts(body, deadline, lost)
        if failure is None:
            return
        if failure.too_large and len(parts := halves(self._signal, body)) > 1:
            self._most = min(self._most, len(body) - 1)
            for part in parts:
                self._deliver(part, deadline, lost)
            return
        lost.append(NotDelivered(count(self._signal, body), failure))

    def _attempts(self, body: bytes, deadline: float, lost: list[NotDelivered]) -> Failure | None:
        """Send until it is acknowledged or there is no sense in it any more."""
        sent = as_json(self._signal, body) if self._json else body
        attempt = 0
        while True:
            left = deadline - time.monotonic()
            answer = self._transport.send(sent, max(left, _LEAST_SECONDS))
            if not isinstance(answer, Failure):
                self._struggling = False
                return self._judged(answer, body, lost)
            if not answer.retry:
                return answer
            closing = self._last_word is not None
            pause = self._pause(answer, attempt)
            given_up = closing and self._struggling
            self._struggling = True
            deadline = min(deadline, time.monotonic() + self._time())
            if given_up or time.monotonic() + pause >= deadline:
                return answer
            attempt += 1
            # Who closes wakes what waits, for one last attempt.
            (self._stopped if closing else self._closing).wait(pause)

    def _pause(self, failure: Failure, attempt: int) -> float:
        if failure.after is not None:
            return max(failure.after, _LEAST_PAUSE)
        if failure.kind == "connection_closed" and not attempt and not self._struggling:
            return 0.0  # the receiver ended a connection that was idle
        return _PAUSES[min(attempt, len(_PAUSES) - 1)] * random.uniform(*_JITTER)  # noqa: S311 - no secret

    def _judged(self, answer: bytes, body: bytes, lost: list[NotDelivered]) -> Failure | None:
        try:
            warning = judge(self._signal, answer)
        except NotDelivered as refused:
            if not refused.lost:
                return refused.failure
            sent = count(self._signal, body)
            # A receiver may say any number.
            rejected = refused.lost if 0 < refused.lost <= sent else sent
            lost.append(NotDelivered(rejected, refused.failure))
        else:
            if warning:
                warn_once(
                    f"partial:{self._signal}:{warning}",
                    "the receiver of %s took all and warns: %s", self._signal, warning,
                )  # fmt: skip
        return None

    def limit(self, deadline: float) -> None:
        """Make every export end before a point in time, one that is failing soon.

        Args:
            deadline: The point on the monotonic clock.
        """
        self._last_word = deadline
        self._closing.set()

    def shutdown(self) -> None:
        """End; an export under way fails."""
        self.limit(time.monotonic())
        self._stopped.set()
        self._transport.close()
