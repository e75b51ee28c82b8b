"""Private names of the SDK that spans on the fast path use, and the check that they are there.

`supported()` is asked once, at set-up. Where it says no, calls go through the public API alone,
slower and otherwise the same.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    ParentBased,
    Sampler,
    TraceIdRatioBased,
)

from qudag_otel._otel.context import SUPPORTED
from qudag_otel._otel.names import find, has

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, Tracer
    from opentelemetry.trace import Link, SpanContext, SpanKind
    from opentelemetry.util.types import Attributes

# ruff: noqa: SLF001 - private names are what this room is about

_EVERY_ID: Final = 1 << 64
_ORDINARY: Final = 64  # attributes
_LENGTHS: Final = ("max_span_attribute_length", "max_attribute_length")
_NUMBERS: Final = ("max_span_attributes", "max_events", "max_event_attributes")
_ARGUMENTS: Final = frozenset({
    "name", "context", "parent", "sampler", "resource", "attributes", "span_processor", "kind",
    "links", "instrumentation_info", "limits", "instrumentation_scope",
})  # fmt: skip
_PARTS: Final = (
    "_root",
    "_remote_parent_sampled",
    "_local_parent_sampled",
    "_remote_parent_not_sampled",
    "_local_parent_not_sampled",
)


def supported() -> bool:
    """Whether OpenTelemetry has what the fast path needs, by the names that it needs."""
    return SUPPORTED and _span_class() is not None


@functools.cache
def _span_class() -> Any:
    """The SDK's class of spans, if it can be made as it is made here."""
    found = find("opentelemetry.sdk.trace", "_Span")
    if found is None or not inspect.signature(found[0].__init__).parameters.keys() >= _ARGUMENTS:
        return None
    bare = TracerProvider(resource=Resource.get_empty(), shutdown_on_exit=False)
    tracer = bare.get_tracer("probe")
    return found[0] if has(tracer, "_span_limits", "_instrumentation_scope") else None


def forget() -> None:
    """Look for the SDK's names again; for tests that hide one."""
    _span_class.cache_clear()


def root_bound(sampler: Sampler) -> tuple[int, bool] | None:
    """A sampler as arithmetic: sample a root if the low 64 bits of its trace id are below this.

    Returns:
        The bound, and whether a parent's decision takes precedence; None if the sampler has to be
        asked each time.
    """
    if type(sampler) is TraceIdRatioBased:
        return sampler.bound, False
    if sampler is ALWAYS_ON or sampler is ALWAYS_OFF:
        return (_EVERY_ID if sampler is ALWAYS_ON else 0), False
    if (
        isinstance(sampler, ParentBased)
        and type(sampler).should_sample is ParentBased.should_sample
        and has(sampler, *_PARTS)
    ):
        parts = cast("Any", sampler)
        inner = root_bound(parts._root)
        follows = (
            parts._remote_parent_sampled is ALWAYS_ON
            and parts._local_parent_sampled is ALWAYS_ON
            and parts._remote_parent_not_sampled is ALWAYS_OFF
            and parts._local_parent_not_sampled is ALWAYS_OFF
        )
        if follows and inner is not None and not inner[1]:
            return inner[0], True
    return None


def sdk_span(
    tracer: Tracer,
    *,
    name: str,
    context: SpanContext,
    parent: SpanContext | None,
    kind: SpanKind,
    attributes: Attributes,
    links: tuple[Link, ...],
    processor: SpanProcessor | None = None,
) -> Span:
    """A span as the tracer would have made it, with ids that are decided already.

    Args:
        tracer: The tracer.
        name: The span's name.
        context: Its own ids.
        parent: Its parent's.
        kind: Its kind.
        attributes: Its first attributes.
        links: Its first links.
        processor: Who is told of it; the tracer's own processors by default.
    """
    parts = cast("Any", tracer)
    made: Span = _span_class()(
        name=name,
        context=context,
        parent=parent,
        sampler=tracer.sampler,
        resource=tracer.resource,
        attributes=attributes,
        span_processor=processor or tracer.span_processor,
        kind=kind,
        links=links,
        instrumentation_info=tracer.instrumentation_info,
        limits=parts._span_limits,
        instrumentation_scope=parts._instrumentation_scope,
    )
    return made


def readable(span: Span) -> ReadableSpan:
    """A span as it is now, which does not change when the span does."""
    parts = cast("Any", span)
    return cast("ReadableSpan", parts._readable_span()) if has(span, "_readable_span") else span


def unlimited(tracer: Tracer) -> bool:
    """Whether a tracer's limits leave the few attributes of an ordinary span as they are.

    Likewise the event of its exception, and that event's attributes.
    """
    limits: Any = getattr(tracer, "_span_limits", None)
    lengths = (getattr(limits, name, 0) for name in _LENGTHS)
    numbers = (getattr(limits, name, 0) for name in _NUMBERS)
    return all(longest is None for longest in lengths) and all(
        most is None or most >= _ORDINARY for most in numbers
    )
