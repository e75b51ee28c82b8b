"""Message flow: what passes a node in each direction, and what fails on the way."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from opentelemetry.instrumentation.qudag._calls import Ended, Observation, observed
from opentelemetry.instrumentation.qudag._owner import Node, byte_count

from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue import spans as s
from qudag_otel.catalogue.attributes import DIRECTION
from qudag_otel.instruments import series

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MessageFlow", "MonitoredMessageFlow"]

SendT_co = TypeVar("SendT_co", covariant=True)
HandleT_co = TypeVar("HandleT_co", covariant=True)

_INBOUND: Final = "inbound"
_OUTBOUND: Final = "outbound"


class MessageFlow(Protocol[SendT_co, HandleT_co]):
    """What a node does with messages; either method may be a coroutine function.

    Both take the message and its type first; further arguments are passed on as they are.
    """

    def send(self, message: Any, message_type: str, /, *args: Any, **kwargs: Any) -> SendT_co:
        """Hand a message to the network."""
        ...

    def handle(self, message: Any, message_type: str, /, *args: Any, **kwargs: Any) -> HandleT_co:
        """Process a message that came in."""
        ...


class MonitoredMessageFlow(Generic[SendT_co, HandleT_co]):
    """Counts the messages that pass a flow, by type and direction, and its errors by class.

    A message counts when the call has succeeded. One that raised counts as an error instead, and
    the exception goes on unchanged; a cancelled one counts as neither. Every call is a span:
    "send message" or "process message".

    Args:
        flow: The flow to watch.
        node_id: The node it belongs to; by default the process's.
        component: The `component` label of its errors.
        message_types: Types known in advance; their counters start at 0 instead of being absent.
    """

    def __init__(
        self,
        flow: MessageFlow[SendT_co, HandleT_co],
        *,
        node_id: str | None = None,
        component: str = "messages",
        message_types: Iterable[str] = (),
    ) -> None:
        self.wrapped = flow
        self._node = Node(component, node_id)
        for message_type in message_types:
            for direction in DIRECTION.values:
                self._count(message_type, direction, 0)

    def send(self, message: Any, message_type: str, /, *args: Any, **kwargs: Any) -> SendT_co:
        """Send a message and count it as outbound.

        Args:
            message: The message, as the flow takes it.
            message_type: What it is counted as.
            args: Passed on.
            kwargs: Passed on.

        Returns:
            What the flow's `send` returns.
        """
        return observed(
            Observation(
                ended=partial(self._passed, message_type, _OUTBOUND),
                span=s.SEND_MESSAGE,
                attributes=self._attributes("send", "send", message, message_type),
            ),
            self.wrapped.send,
            message,
            message_type,
            *args,
            **kwargs,
        )

    def handle(self, message: Any, message_type: str, /, *args: Any, **kwargs: Any) -> HandleT_co:
        """Process a message that came in and count it as inbound.

        The span's parent is the current context: attach what the sender injected first, for
        example with `qudag_otel.propagation.incoming`.

        Args:
            message: The message, as the flow takes it.
            message_type: What it is counted as.
            args: Passed on.
            kwargs: Passed on.

        Returns:
            What the flow's `handle` returns.
        """
        return observed(
            Observation(
                ended=partial(self._passed, message_type, _INBOUND),
                span=s.HANDLE_MESSAGE,
                attributes=self._attributes("process", "handle", message, message_type),
            ),
            self.wrapped.handle,
            message,
            message_type,
            *args,
            **kwargs,
        )

    def _attributes(
        self, operation: str, name: str, message: object, message_type: str
    ) -> dict[str, str | int]:
        attributes: dict[str, str | int] = {
            s.NODE.key: self._node.node_id,
            s.MESSAGING_SYSTEM.key: s.MESSAGING_SYSTEM.values[0],
            s.MESSAGING_OPERATION.key: operation,
            s.MESSAGING_OPERATION_NAME.key: name,
            s.MESSAGE_TYPE.key: message_type,
        }
        size = byte_count(message)
        if size is not None:
            attributes[s.MESSAGE_BYTES.key] = size
        return attributes

    def _passed(self, message_type: str, direction: str, call: Ended) -> None:
        if call.error is None:
            self._count(message_type, direction, 1)
        elif call.failure is not None:
            self._node.count_error(call.failure)

    def _count(self, message_type: str, direction: str, amount: int) -> None:
        series(
            m.MESSAGE_THROUGHPUT,
            message_type=message_type,
            direction=direction,
            **self._node.labels,
        ).add(amount)
