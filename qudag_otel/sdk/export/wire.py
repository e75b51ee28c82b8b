"""Values and log records in the wire format of OTLP.

Source: opentelemetry-proto, `opentelemetry/proto/common/v1/common.proto` and
`opentelemetry/proto/logs/v1/logs.proto`; Protocol Buffers, wire format.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from qudag_otel import _redact
from qudag_otel._foreign import interrupts
from qudag_otel._otel.encoders import encoder
from qudag_otel.sdk import _redacting as redacting
from qudag_otel.sdk._records import severity, severity_text
from qudag_otel.sdk.fast.encode import sized, varint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.resources import Resource

    from qudag_otel.sdk._records import LightRecord, Place

_KNOWN: Final = 4096  # places that log, and fields, that are kept encoded
_DOUBLE: Final = Struct("<d")
_TIMES: Final = Struct("<cQcQ")
_IDS: Final = Struct("<cI2s16s2s8s")
# Tags of a log record: time 1 and observed time 11 (fixed64); flags 8 (fixed32), trace id 9, span
# id 10; body 5, attributes 6, event name 12.
_TIME, _OBSERVED = b"\x09", b"\x59"
_FLAGS, _TRACE_ID, _SPAN_ID = b"\x45", b"\x4a\x10", b"\x52\x08"
_BODY, _ATTRIBUTE, _EVENT_NAME = b"\x2a", b"\x32", b"\x62"
_FIELD_1, _FIELD_2 = b"\x0a", b"\x12"
_SHORT: Final = 256
_KEPT: Final = frozenset({str, int, bool})  # not numbers that hardly come twice


def any_value(value: Any) -> bytes:  # noqa: PLR0911 - a kind of value each
    """An AnyValue: of a masked value as `_redact.exportable` gives them, or bytes."""
    kind = value.__class__
    if kind is str:
        return _FIELD_1 + sized(value.encode())
    if kind is bool:
        return b"\x10\x01" if value else b"\x10\x00"
    if kind is int:
        return b"\x18" + varint(value & 0xFFFF_FFFF_FFFF_FFFF)
    if kind is float:
        return b"\x21" + _DOUBLE.pack(value)
    if kind is list or kind is tuple:
        return b"\x2a" + sized(b"".join([_FIELD_1 + sized(any_value(one)) for one in value]))
    if kind is dict:
        return b"\x32" + sized(_pairs(value))
    return b"\x3a" + sized(value) if kind is bytes else b""


def _pairs(pairs: Mapping[str, Any]) -> bytes:
    return b"".join(
        [
            _FIELD_1 + sized(_FIELD_1 + sized(key.encode()) + _FIELD_2 + sized(any_value(value)))
            for key, value in pairs.items()
        ]
    )


def attribute(key: str, value: Any) -> bytes:
    """A KeyValue."""
    return _FIELD_1 + sized(key.encode()) + _FIELD_2 + sized(any_value(value))


def _field(name: str, given: Any) -> bytes:
    """A field of a record, masked."""
    return _ATTRIBUTE + sized(attribute(_redact.mask(name), _redact.attribute(name, given)))


def _place(place: Place) -> bytes:
    """Severity and code: a level and a line of a file."""
    code = {
        "code.file.path": _redact.mask(place.path),
        "code.function.name": _redact.mask(place.function),
        "code.line.number": place.line,
    }
    return (
        b"\x10" + varint(severity(place.level).value)
        + b"\x1a" + sized(severity_text(place.level_name).encode())
        + b"".join([_ATTRIBUTE + sized(attribute(*pair)) for pair in code.items()])
    )  # fmt: skip


class LogEncoder:
    """Encodes light records; what all of a place in the code have in common is encoded once."""

    def __init__(self) -> None:
        self._places: dict[Place, bytes] = {}
        self._fields: dict[tuple[str, type, Any], bytes] = {}
        self._masked = 0
        self._resource: tuple[Resource | None, bytes] = (None, b"")

    def encode(self, records: Iterable[LightRecord]) -> tuple[bytes, list[ReadableLogRecord]]:
        """An ExportLogsServiceRequest, and the records that are not in it: odd ones."""
        if self._masked != _redact.texts.epoch():
            # The application has said what else is a secret.
            self._places.clear()
            self._fields.clear()
            self._masked = _redact.texts.epoch()
        odd: list[ReadableLogRecord] = []
        groups: dict[int, tuple[Resource, dict[str, list[bytes]]]] = {}
        for record in records:
            try:
                encoded = _FIELD_2 + sized(self._record(record))
            except BaseException as error:  # one record must not cost the others
                if interrupts(error):
                    raise
                odd.append(record.readable())
                continue
            _, scopes = groups.setdefault(id(record.resource), (record.resource, {}))
            scopes.setdefault(record.name, []).append(encoded)
        parts: list[bytes] = []
        for resource, scopes in groups.values():
            inside = [self._head(resource)]
            for name, logged in scopes.items():
                scope = _FIELD_1 + sized(_FIELD_1 + sized(_redact.mask(name).encode()))
                inside.append(_FIELD_2 + sized(scope + b"".join(logged)))
            parts.append(_FIELD_1 + sized(b"".join(inside)))
        return b"".join(parts), odd

    def _record(self, record: LightRecord) -> bytes:
        place = self._places.get(record.place)
        if place is None:
            place = _place(record.place)
            _keep(self._places, record.place, place)
        body = record.body
        value = any_value(_redact.mask(body) if body.__class__ is str else body)
        parts = [
            place,
            _TIMES.pack(_TIME, record.created, _OBSERVED, record.observed),
            _BODY + sized(value),
        ]
        fields = self._fields
        for name, given in record.described():
            kind = given.__class__
            if kind not in _KEPT:
                parts.append(_field(name, given))
                continue
            known = (name, kind, given)
            field = fields.get(known)
            if field is None:
                field = _field(name, given)
                if len(field) <= _SHORT:
                    _keep(fields, known, field)
            parts.append(field)
        ids = record.ids()
        if ids is not None:
            parts.append(
                _IDS.pack(
                    _FLAGS, int(ids.trace_flags) & 0xFF, _TRACE_ID, ids.trace_id.to_bytes(16),
                    _SPAN_ID, ids.span_id.to_bytes(8),
                )
            )  # fmt: skip
        if record.event_name:
            parts.append(_EVENT_NAME + sized(record.event_name.encode()))
        return b"".join(parts)

    def _head(self, resource: Resource) -> bytes:
        """The resource, as OpenTelemetry's encoder has it."""
        masked = redacting.resource(resource)
        if self._resource[0] is not masked:
            from qudag_otel.sdk.export.messages import REQUESTS  # loaded with what sends

            example = REQUESTS["logs"].FromString(encoder("logs")([_Probe.of(masked)]))
            found = example.resource_logs[0]
            found.ClearField("scope_logs")
            self._resource = masked, found.SerializeToString()
        return self._resource[1]


class _Probe:
    """Makes a record without content, for its resource."""

    @staticmethod
    def of(resource: Resource) -> Any:
        from opentelemetry._logs import LogRecord
        from opentelemetry.sdk._logs import ReadableLogRecord

        return ReadableLogRecord(
            log_record=LogRecord(timestamp=1, observed_timestamp=1), resource=resource
        )


def _keep(known: dict[Any, bytes], key: object, content: bytes) -> None:
    if len(known) >= _KNOWN:
        known.clear()
    known[key] = content


class RecordExporter:
    """Gives log records to an exporter: encoded where it takes bytes, else as the SDK's.

    Args:
        exporter: An exporter of the SDK.
    """

    def __init__(self, exporter: Any) -> None:
        self._exporter = exporter
        self._encoder = LogEncoder()

    def export(self, batch: Any, /) -> Any:
        """Export a batch of light records and the SDK's."""
        from qudag_otel.sdk._records import LightRecord

        light = [one for one in batch if isinstance(one, LightRecord)]
        others = [one for one in batch if not isinstance(one, LightRecord)]
        send = getattr(self._exporter, "export_encoded", None)
        if not light or send is None:
            return self._exporter.export([*(one.readable() for one in light), *others])
        body, odd = self._encoder.encode(light)
        return send(body, [*odd, *others])

    def shutdown(self) -> None:
        """End the exporter."""
        self._exporter.shutdown()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._exporter, name)
