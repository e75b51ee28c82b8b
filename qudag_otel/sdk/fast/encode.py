"""Finished calls as OTLP, from bytes that the official encoder made once per call site.

Source: opentelemetry-proto, `opentelemetry/proto/trace/v1/trace.proto`; Protocol Buffers, wire
format. A message is the concatenation of its fields in any order, and two concatenated messages
merge: so the constant fields of a site come first, the ids and times of a call follow.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from qudag_otel import _redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.sdk.trace import ReadableSpan

    from qudag_otel._calls.failure import Failure
    from qudag_otel.sdk.fast.call import FastSpan

# Tags: trace_id 1, span_id 2, parent_span_id 4 (bytes); start 7, end 8 (fixed64); flags 16
# (fixed32).
_ROOT: Final = Struct("<2s16s2s8scQcQ2sI")
_CHILD: Final = Struct("<2s16s2s8s2s8scQcQ2sI")
_TRACE_ID, _SPAN_ID, _PARENT_ID = b"\x0a\x10", b"\x12\x08", b"\x22\x08"
_START, _END, _FLAGS = b"\x39", b"\x41", b"\x85\x01"
_FIELD_1, _FIELD_2 = b"\x0a", b"\x12"
_KNOWS_REMOTE: Final = 0x100
_IS_REMOTE: Final = 0x300


def varint(number: int) -> bytes:
    """A number as a base-128 varint."""
    out = bytearray()
    while number > 0x7F:  # noqa: PLR2004 - seven bits a byte
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_lengths: dict[int, bytes] = {number: varint(number) for number in range(1 << 7)}
_LENGTHS_LIMIT: Final = 4096


def sized(content: bytes) -> bytes:
    """A length-delimited field without its tag."""
    size = len(content)
    length = _lengths.get(size)
    if length is None:
        length = varint(size)
        if len(_lengths) < _LENGTHS_LIMIT:
            _lengths[size] = length
    return length + content


class Template:
    """The constant bytes of a site's spans: those of a root and of a child.

    Args:
        example: A span of the site, with everything but ids and times as all have it.
    """

    __slots__ = ("child", "constant", "head", "root", "tail")

    def __init__(self, example: ReadableSpan) -> None:
        # Loaded with the first export, as the exporters are.
        from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

        request = encode_spans([example])
        resource = request.resource_spans[0]
        scope = resource.scope_spans[0]
        span = scope.spans[0]
        for name in ("trace_id", "span_id", "parent_span_id", "start_time_unix_nano",
                     "end_time_unix_nano", "flags"):  # fmt: skip
            span.ClearField(name)
        constant = self.constant = span.SerializeToString()
        self.root = _FIELD_2 + varint(len(constant) + _ROOT.size) + constant
        self.child = _FIELD_2 + varint(len(constant) + _CHILD.size) + constant
        scope.ClearField("spans")
        self.tail = scope.SerializeToString()
        resource.ClearField("scope_spans")
        self.head = resource.SerializeToString()

    def headed(self, values: bytes, rest: int) -> bytes:
        """What stands before ids and times where a call has values of its own.

        Args:
            values: The values, as bytes of a span.
            rest: How many bytes follow.
        """
        size = len(self.constant) + len(values) + rest
        length = _lengths.get(size) or varint(size)
        return _FIELD_2 + length + self.constant + values


_attributes: dict[tuple[str, type, object], bytes | None] = {}
_masked = 0
_ATTRIBUTES_LIMIT: Final = 4096
_SHORT: Final = 256
_EVENT: Final = b"\x5a"
_AT: Final = Struct("<cQ")
_AT_TAG: Final = b"\x09"
_STATUS: Final = b"\x7a"
_ERROR: Final = b"\x18\x02"
_EVENTS_LIMIT: Final = 256
_EVENT_BYTES: Final = 16 << 10
_events: dict[tuple[str, ...], bytes] = {}


def _forget() -> None:
    """Forget what was masked before the application said what else is a secret."""
    global _masked  # noqa: PLW0603 - a mark of the process
    if _masked != _redact.texts.epoch():
        _attributes.clear()
        _events.clear()
        _masked = _redact.texts.epoch()


def failed(failure: Failure, at: int) -> bytes:
    """An error's status as bytes of a span, and the event of its exception.

    Args:
        failure: The exception.
        at: When it ended the call, in nanoseconds since the epoch; 0 for no event.
    """
    described = _redact.mask(failure.description)
    status = _STATUS + sized(_FIELD_2 + sized(described.encode()) + _ERROR)
    if not at:
        return status
    return _EVENT + sized(_AT.pack(_AT_TAG, at) + _event(failure)) + status


def _event(failure: Failure) -> bytes:
    """The name and the attributes of an event: an error that is met again is masked once."""
    _forget()
    told = failure.attributes()
    known = (*told, *told.values())
    found = _events.get(known)
    if found is None:
        from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
        from opentelemetry.proto.trace.v1.trace_pb2 import Span

        masked = [
            KeyValue(key=key, value=AnyValue(string_value=_redact.attribute(key, value)))
            for key, value in told.items()
        ]
        found = Span.Event(name="exception", attributes=masked).SerializeToString()
        # What names another span is met once.
        if not failure.reference and len(found) <= _EVENT_BYTES:
            if len(_events) >= _EVENTS_LIMIT:
                _events.clear()
            _events[known] = found
    return found


def encoded(values: Iterable[tuple[str, Any]]) -> bytes | None:
    """Attributes as bytes of a span; None if one is no plain value."""
    _forget()
    found: list[bytes] = []
    for key, value in values:
        kind = value.__class__
        if kind not in _FIELDS:
            return None
        known = (key, kind, value)
        one = _attributes.get(known, b"")
        if one == b"":
            one = _attribute(key, value)
            short = kind is not float and (kind is not str or len(value) <= _SHORT)
            if short and len(_attributes) < _ATTRIBUTES_LIMIT:
                _attributes[known] = one
        if one is None:
            return None
        found.append(one)
    return b"".join(found)


_FIELDS: Final[dict[type, str]] = {
    bool: "bool_value", int: "int_value", float: "double_value", str: "string_value",
}  # fmt: skip


def _attribute(key: str, value: Any) -> bytes | None:
    from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

    safe = _redact.attribute(key, value)
    field = _FIELDS.get(safe.__class__)
    if field is None or not key or _redact.mask(key) != key:
        return None
    held = AnyValue()
    try:
        setattr(held, field, safe)
        return Span(attributes=[KeyValue(key=key, value=held)]).SerializeToString()
    except ValueError:  # a number or a text that the format cannot hold
        return None


def encode(calls: Iterable[tuple[FastSpan, bytes]], wall: Callable[[int], int]) -> bytes:
    """An ExportTraceServiceRequest.

    Args:
        calls: Sampled calls, all of one resource and scope, and their values; at least one.
        wall: Turns a reading of the monotonic clock into nanoseconds since the epoch.
    """
    parts: list[bytes] = []
    head = tail = b""
    for call, values in calls:
        template = call.site.template(call)
        head, tail = template.head, template.tail
        start, end = wall(call.began), wall(call.ended)
        parent = call.remote
        if call.parent_id:
            flags = _IS_REMOTE if parent is not None and parent.is_remote else _KNOWS_REMOTE
            parts.append(template.headed(values, _CHILD.size) if values else template.child)
            parts.append(
                _CHILD.pack(
                    _TRACE_ID, call.trace_id.to_bytes(16), _SPAN_ID, call.span_id.to_bytes(8),
                    _PARENT_ID, call.parent_id.to_bytes(8), _START, start, _END, end,
                    _FLAGS, flags,
                )
            )  # fmt: skip
        else:
            parts.append(template.headed(values, _ROOT.size) if values else template.root)
            parts.append(
                _ROOT.pack(
                    _TRACE_ID, call.trace_id.to_bytes(16), _SPAN_ID, call.span_id.to_bytes(8),
                    _START, start, _END, end, _FLAGS, _KNOWS_REMOTE,
                )
            )  # fmt: skip
    scope = tail + b"".join(parts)
    resource = head + _FIELD_2 + varint(len(scope)) + scope
    return _FIELD_1 + varint(len(resource)) + resource
