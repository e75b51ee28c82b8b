"""What a body does to the current span, kept as tuples until the span is exported.

The SDK's own span is made then and the operations are done to it, in their order: limits, checks
of values and dropped counts stay the SDK's. Values that can change are copied at once.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Status, StatusCode

from qudag_otel._calls.failure import Failure
from qudag_otel._foreign import interrupts
from qudag_otel._warnings import warn_once

if TYPE_CHECKING:
    from opentelemetry.trace import Span, SpanContext
    from opentelemetry.util.types import Attributes as SpanAttributes

SCALARS: Final = frozenset({str, int, float, bool})
LIMIT: Final = 256
"""A span with more operations is made the SDK's at once, whose limits bound it."""
READABLE: Final = frozenset(
    name for name in dir(ReadableSpan) if not name.startswith("_") and name != "parent"
)
"""What the SDK's span answers beyond the API's."""

ATTRIBUTE: Final = "set_attribute"
EVENT: Final = "add_event"
LINK: Final = "add_link"
NAME: Final = "update_name"
STATUS: Final = "set_status"
END: Final = "end"
FULL: Final = "full"
SAID: Final = "said"
"""How the body says that the call ends: an outcome, and the type of an error or nothing."""
OUTCOMES: Final = frozenset({STATUS, SAID})
"""What tells the outcome of a call."""
_EXCEPTION: Final = "exception"

Operation = tuple[Any, ...]


def frozen(value: Any) -> Any:
    """A value that does not change any more; the SDK decides at export whether it can be one."""
    if isinstance(value, (str, int, float, bool, bytes)):
        return value
    if isinstance(value, Mapping):
        return {key: frozen(value[key]) for key in value}  # pyright: ignore[reportUnknownVariableType]
    if isinstance(value, Sequence):
        return tuple(map(frozen, value))  # pyright: ignore[reportUnknownArgumentType]
    return value


def copied(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes that do not change any more."""
    made = {**attributes}
    for value in made.values():
        if type(value) not in SCALARS:
            return {key: frozen(one) for key, one in made.items()}
    return made


def _copied(attributes: SpanAttributes) -> dict[str, Any] | None:
    return None if attributes is None else copied(attributes)


def link(context: SpanContext, attributes: SpanAttributes) -> Operation:
    """A link."""
    return LINK, context, _copied(attributes)


def end(timestamp: int | None) -> Operation:
    """The span's end, now if no time is given."""
    return END, time.time_ns() if timestamp is None else timestamp


def exception(
    error: BaseException, attributes: SpanAttributes, timestamp: int | None, *, escaped: bool
) -> Operation:
    """An exception that the body recorded: its event, with a traceback that is written later."""
    at = time.time_ns() if timestamp is None else timestamp
    return _EXCEPTION, Failure(error), _copied(attributes), at, escaped


def ended(operations: list[Operation]) -> bool:
    """Whether the body ended the span."""
    if operations[0][0] is FULL:
        return operations[0][1].end_time is not None
    return any(one[0] is END for one in operations)


def silent(operations: list[Operation]) -> bool:
    """Whether they are attributes and events alone, which tell nothing of the call's end."""
    return all(one[0] is ATTRIBUTE or one[0] is EVENT for one in operations)


def said(operations: list[Operation] | None) -> Operation | None:
    """The last that the body said of the call's end."""
    return next((one for one in reversed(operations or ()) if one[0] is SAID), None)


def says_error(operations: list[Operation]) -> bool:
    """Whether the body left the span's status at an error."""
    if operations[0][0] is FULL:
        return operations[0][1].status.status_code is StatusCode.ERROR
    found = StatusCode.UNSET
    for one in operations:
        if one[0] is END or found is StatusCode.OK:
            break
        if one[0] is STATUS:
            code = one[1].status_code if isinstance(one[1], Status) else one[1]
            found = found if code is StatusCode.UNSET else code
    return found is StatusCode.ERROR


def perform(span: Span, operations: list[Operation]) -> None:
    """Do the operations to a span."""
    for name, *arguments in operations:
        try:
            if name is SAID:
                continue
            if name is _EXCEPTION:
                failure, more, at, escaped = arguments
                found = {**failure.attributes(), "exception.escaped": str(escaped)}
                span.add_event("exception", {**found, **(more or {})}, at)
            else:
                getattr(span, name)(*arguments)
        except BaseException as error:  # one that means nothing must not cost the span
            if interrupts(error):
                raise
            warn_once(
                f"operation:{name}:{type(error).__name__}",
                "%s() of a span was left out, as its arguments mean nothing to OpenTelemetry: %r",
                "record_exception" if name is _EXCEPTION else name,
                error,
            )
