"""Message flow: what passes a node in each direction, and what fails on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from opentelemetry.instrumentation.qudag._owner import Node, byte_count

from qudag_otel._calls.wrapped import Watch, failure, pass_through, site_of
from qudag_otel._series.table import Table
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue import spans as s
from qudag_otel.catalogue.attributes import DIRECTION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from qudag_otel._calls.site import Call, Site
    from qudag_otel.catalogue import Span

__all__ = ["MessageFlow", "MonitoredMessageFlow"]

SendT_co = TypeVar("SendT_co", covariant=True)
HandleT_co = TypeVar("HandleT_co", covariant=True)

_messages: Final = Table(m.MESSAGE_THROUGHPUT, "add", "message_type", "direction")


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
        self._send = Watch(self._site(s.SEND_MESSAGE, "send", "send"))
        self._handle = Watch(self._site(s.HANDLE_MESSAGE, "process", "handle"))
        pass_through(self, flow, "send", "handle")
        for message_type in message_types:
            for direction in DIRECTION.values:
                _messages[message_type, direction, node_id](0)

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
        values = (message_type, byte_count(message))
        sent: SendT_co = self._send(
            self.wrapped.send, self._sent, values, (message, message_type, *args), kwargs
        )
        return sent

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
        values = (message_type, byte_count(message))
        handled: HandleT_co = self._handle(
            self.wrapped.handle, self._handled, values, (message, message_type, *args), kwargs
        )
        return handled

    def _site(self, span: Span, operation: str, name: str) -> Site:
        return site_of(
            span,
            {
                s.MESSAGING_SYSTEM.key: s.MESSAGING_SYSTEM.values[0],
                s.MESSAGING_OPERATION.key: operation,
                s.MESSAGING_OPERATION_NAME.key: name,
            },
            identity={s.NODE.key: self._node.given},
            varying=(s.MESSAGE_TYPE.key, s.MESSAGE_BYTES.key),
        )

    def _sent(
        self, _call: Call, values: tuple[str, int], _result: object, error: BaseException | None
    ) -> None:
        self._passed(values[0], "outbound", error)

    def _handled(
        self, _call: Call, values: tuple[str, int], _result: object, error: BaseException | None
    ) -> None:
        self._passed(values[0], "inbound", error)

    def _passed(self, message_type: str, direction: str, error: BaseException | None) -> None:
        if error is None:
            _messages[message_type, direction, self._node.given]()
            return
        failed = failure(error)
        if failed is not None:
            self._node.count_error(failed)
