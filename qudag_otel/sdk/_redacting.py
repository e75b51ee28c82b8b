"""Secrets in finished spans, collected metrics and log records, masked before an exporter has them.

This runs where batches are sent, not on the caller's time. What has nothing to mask stays the same
object. It is also where every text becomes valid Unicode and every value one that OTLP can carry:
one bad item does not cost its batch.
"""

from __future__ import annotations

import copy
import dataclasses
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar, cast

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics.export import MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status, TraceState

from qudag_otel import _redact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

T = TypeVar("T")

_KNOWN: Final = 256  # a provider has one resource, and a scope for each logger


def redacted(batch: Any) -> Any:
    """A batch of spans or log records, or a collection of metrics, with its secrets masked."""
    if isinstance(batch, MetricsData):
        return metrics(batch)
    return [
        span(item)
        if isinstance(item, ReadableSpan)
        else log(item)
        if isinstance(item, ReadableLogRecord)
        else item
        for item in batch
    ]


def span(found: ReadableSpan) -> ReadableSpan:
    """A finished span."""
    # Of these, the SDK makes a new object each time it is asked.
    attributes, events, links = found.attributes, found.events, found.links
    before: dict[str, Any] = {
        "_name": found.name,
        "_context": found.context,
        "_attributes": attributes,
        "_events": events,
        "_links": links,
        "_status": found.status,
        "_resource": found.resource,
        "_instrumentation_scope": found.instrumentation_scope,
    }
    after: dict[str, Any] = {
        "_name": _text(found.name),
        "_context": _context(found.context),
        "_attributes": _attributes(attributes),
        "_events": _each(events, _event),
        "_links": _each(links, _link),
        "_status": _status(found.status),
        "_resource": resource(found.resource),
        "_instrumentation_scope": scope(found.instrumentation_scope),
    }
    changed = {name: after[name] for name in after if after[name] is not before[name]}
    if not changed:
        return found
    if "_attributes" in changed:
        changed["_attributes"] = _counted(after["_attributes"], found.dropped_attributes)
    for name, dropped in (("_events", found.dropped_events), ("_links", found.dropped_links)):
        if name in changed:
            changed[name] = _bounded(after[name], dropped)
    return _changed(found, changed)


def log(found: ReadableLogRecord) -> ReadableLogRecord:
    """A log record; its body and attributes become what OTLP can carry."""
    record = found.log_record
    changes = {
        "body": _redact.attribute("", record.body),
        "attributes": _attributes(record.attributes),
        "severity_text": _text(record.severity_text),
        "event_name": _text(record.event_name),
    }
    changed = {name: one for name, one in changes.items() if one is not getattr(record, name)}
    of, by = resource(found.resource), scope(found.instrumentation_scope)
    if not changed and of is found.resource and by is found.instrumentation_scope:
        return found
    return ReadableLogRecord(
        log_record=_changed(record, changed),
        resource=of,
        instrumentation_scope=by,
        limits=found.limits,
    )


def metrics(found: MetricsData) -> MetricsData:
    """A collection of metrics; numbers, names and bounds stay."""
    return _with(found, resource_metrics=_each(found.resource_metrics, _resource_metrics))


class _Known(Generic[T]):
    """What a few objects that come again and again are once they are masked, by their identity."""

    def __init__(self, change: Callable[[T], T]) -> None:
        self._change = change
        self._found: dict[int, tuple[T, T, int]] = {}

    def __call__(self, item: T) -> T:
        known = self._found.get(id(item))
        if known is not None and known[0] is item and known[2] == _redact.texts.epoch():
            return known[1]
        if len(self._found) >= _KNOWN:
            self._found.clear()
        changed = self._change(item)
        self._found[id(item)] = item, changed, _redact.texts.epoch()
        return changed


def _resource(found: Resource) -> Resource:
    attributes = _attributes(found.attributes)
    if attributes is found.attributes:
        return found
    return Resource(dict(attributes or {}), found.schema_url)


def _scope(found: InstrumentationScope | None) -> InstrumentationScope | None:
    if found is None:
        return None
    name, version, attributes = _text(found.name), _text(found.version), found.attributes
    masked = _attributes(attributes)
    if name is found.name and version is found.version and masked is attributes:
        return found
    return InstrumentationScope(name or "", version, found.schema_url, masked)


resource: Final = _Known(_resource)
"""What produced the telemetry: its command line, for one, may hold a secret."""
scope: Final = _Known(_scope)
"""Who measured: the name of a logger is the application's own text."""


def _resource_metrics(found: Any) -> Any:
    return _with(
        found,
        resource=resource(found.resource),
        scope_metrics=_each(found.scope_metrics, _scope_metrics),
    )


def _scope_metrics(found: Any) -> Any:
    return _with(found, scope=scope(found.scope), metrics=_each(found.metrics, _metric))


def _metric(found: Any) -> Any:
    points = _each(found.data.data_points, _point)
    return _with(
        found,
        name=_text(found.name),
        description=_text(found.description),
        unit=_text(found.unit),
        data=_with(found.data, data_points=points),
    )


def _point(found: Any) -> Any:
    exemplars = found.exemplars
    return _with(
        found,
        attributes=_attributes(found.attributes),
        exemplars=_each(exemplars, _exemplar) if exemplars else exemplars,
    )


def _exemplar(found: Any) -> Any:
    return _with(found, filtered_attributes=_attributes(found.filtered_attributes))


def _event(found: Any) -> Any:
    name, attributes = _text(found.name), _attributes(found.attributes)
    if name is found.name and attributes is found.attributes:
        return found
    return _changed(found, {"_name": name, "_attributes": attributes})


def _link(found: Link) -> Link:
    context, attributes = _context(found.context), _attributes(found.attributes)
    if context is found.context and attributes is found.attributes:
        return found
    return Link(context, attributes)


def _context(found: Any) -> Any:
    """A span's ids; its trace state came from elsewhere."""
    if found is None or not found.trace_state:
        return found
    state = found.trace_state
    masked = [(key, _redact.attribute(key, value)) for key, value in state.items()]
    if masked == list(state.items()):
        return found
    kept = [(key, value.replace("[", "").replace("]", "")) for key, value in masked]
    return SpanContext(
        found.trace_id, found.span_id, found.is_remote, found.trace_flags, TraceState(kept)
    )


def _status(found: Status) -> Status:
    description = _text(found.description)
    if description is found.description:
        return found
    return _changed(found, {"_description": description})


def _text(found: str | None) -> str | None:
    # Whoever names a span or a severity may give anything.
    return _redact.mask(_redact.safe_text(found)) if found else found


def _attributes(found: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    masked = _redact.attributes(found) if found else found
    if masked is found or not isinstance(found, BoundedAttributes):
        return masked
    return _counted(masked, found.dropped)


def _counted(attributes: Mapping[str, Any] | None, dropped: int) -> BoundedAttributes:
    kept = BoundedAttributes(attributes=attributes)
    kept.dropped = dropped
    return kept


def _each(found: Sequence[T], change: Callable[[T], T]) -> Sequence[T]:
    """All of a sequence changed; the same sequence if none is."""
    changed = [change(one) for one in found]
    return found if all(map(_same, changed, found)) else changed


def _same(one: object, other: object) -> bool:
    return one is other


def _with(found: T, **parts: object) -> T:
    """A dataclass with other parts; the same object if they are the same."""
    if all(getattr(found, name) is part for name, part in parts.items()):
        return found
    data: Any = found
    return cast("T", dataclasses.replace(data, **parts))


def _changed(found: T, parts: Mapping[str, object]) -> T:
    """A copy of an object of the SDK with other parts."""
    made = copy.copy(found)
    for name, part in parts.items():
        setattr(made, name, part)
    return made


def _bounded(items: Any, dropped: int) -> BoundedList[Any]:
    kept: BoundedList[Any] = BoundedList(max(1, len(items)))
    kept.extend(items)
    kept.dropped = dropped
    return kept
