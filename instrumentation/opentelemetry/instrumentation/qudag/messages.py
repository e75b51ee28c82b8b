"""Message flow: what passes a node in each direction, and what fails on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Generic, Protocol, TypeVar

from opentelemetry.instrumentation.qudag._owner import Node, byte_count

from qudag_otel._calls.awaiting import plain
from qudag_otel._calls.wrapped import (
    Ends,
    awaited,
    by_type,
    failure,
    is_coroutine,
    pass_through,
    site_of,
)
from qudag_otel._foreign import interrupts
from qudag_otel._series.table import Table
from qudag_otel.catalogue import metrics as m
from qudag_otel.catalogue import spans as s
from qudag_otel.catalogue.attributes import DIRECTION

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from qudag_otel._calls.site import Call, Ended, Site, Tally
    from qudag_otel.catalogue import Span

__all__ = ["MessageFlow", "MonitoredMessageFlow"]

SendT_co = TypeVar("SendT_co", covariant=True)
HandleT_co = TypeVar("HandleT_co", covariant=True)

_messages: Final = Table(m.MESSAGE_THROUGHPUT, "add", "message_type", "direction")
_passed: Final = Table(m.MESSAGE_THROUGHPUT, "take", "message_type", "direction")


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
        self._sending = self._site(s.SEND_MESSAGE, "send", "send", "outbound")
        self._handling = self._site(s.HANDLE_MESSAGE, "process", "handle", "inbound")
        self._later = is_coroutine(flow.send), is_coroutine(flow.handle)
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
        size = len(message) if type(message) is bytes else byte_count(message)
        send = self.wrapped.send
        if self._later[0]:
            given: tuple[Any, ...] = (message, message_type, *args)
            later: Any = awaited(
                self._sending, (message_type, size), send, given, kwargs, self._failed
            )
            return later  # type: ignore[no-any-return]  # as `send` gives
        start = self._sending.start
        call = start((message_type, size))
        try:
            if args or kwargs:
                sent = send(message, message_type, *args, **kwargs)
            else:  # passing on nothing costs as much as counting
                sent = send(message, message_type)
        except BaseException as error:
            Ends(self._failed).failed(call, error)
            raise
        try:
            known = type(sent) in plain
        except BaseException as odd:  # a class whose own class is odd
            if interrupts(odd):
                raise
            known = False
        if known:
            call.leave()
            return sent
        returned: SendT_co = Ends(self._failed).returned(call, sent)
        return returned

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
        size = len(message) if type(message) is bytes else byte_count(message)
        handle = self.wrapped.handle
        if self._later[1]:
            given: tuple[Any, ...] = (message, message_type, *args)
            later: Any = awaited(
                self._handling, (message_type, size), handle, given, kwargs, self._failed
            )
            return later  # type: ignore[no-any-return]  # as `handle` gives
        start = self._handling.start
        call = start((message_type, size))
        try:
            if args or kwargs:
                handled = handle(message, message_type, *args, **kwargs)
            else:
                handled = handle(message, message_type)
        except BaseException as error:
            Ends(self._failed).failed(call, error)
            raise
        try:
            known = type(handled) in plain
        except BaseException as odd:  # a class whose own class is odd
            if interrupts(odd):
                raise
            known = False
        if known:
            call.leave()
            return handled
        returned: HandleT_co = Ends(self._failed).returned(call, handled)
        return returned

    def _site(self, span: Span, operation: str, name: str, direction: str) -> Site:
        return site_of(
            span,
            {
                s.MESSAGING_SYSTEM.key: s.MESSAGING_SYSTEM.values[0],
                s.MESSAGING_OPERATION.key: operation,
                s.MESSAGING_OPERATION_NAME.key: name,
            },
            identity={s.NODE.key: self._node.given},
            varying=(s.MESSAGE_TYPE.key, s.MESSAGE_BYTES.key),
            tally=_counting(direction, self._node.given),
            weight=1.5,
        )

    def _failed(self, _call: Call, error: BaseException) -> None:
        failed = failure(error)
        if failed is not None:
            self._node.count_error(failed)


def _counting(direction: str, node: str | None) -> Tally:
    """What counts messages that passed, by their type."""

    def tally(calls: Sequence[Ended], offset: int) -> None:
        for message_type, passed in by_type(calls).items():
            _passed[message_type, direction, node]([1] * len(passed), passed, offset)

    return tally
