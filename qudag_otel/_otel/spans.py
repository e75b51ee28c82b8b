"""Private names of the SDK that spans on the fast path use, and the check that they are there.

`supported()` is asked once, at set-up. Where it says no, calls go through the public API alone,
slower and otherwise the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry.sdk.trace import _Span  # pyright: ignore[reportPrivateUsage]
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    ParentBased,
    Sampler,
    TraceIdRatioBased,
)
from opentelemetry.version import __version__ as api_version

from qudag_otel._otel.context import SUPPORTED

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, Tracer
    from opentelemetry.trace import Link, SpanContext, SpanKind
    from opentelemetry.util.types import Attributes

_TESTED: Final = ("1.45",)
_EVERY_ID: Final = 1 << 64


def supported() -> bool:
    """Whether this release of OpenTelemetry has what the fast path needs, as it was tested."""
    return SUPPORTED and api_version.startswith(_TESTED)


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
    ):
        parts = cast("Any", sampler)
        inner = root_bound(parts._root)  # noqa: SLF001 - this module's purpose
        follows = (
            parts._remote_parent_sampled is ALWAYS_ON  # noqa: SLF001
            and parts._local_parent_sampled is ALWAYS_ON  # noqa: SLF001
            and parts._remote_parent_not_sampled is ALWAYS_OFF  # noqa: SLF001
            and parts._local_parent_not_sampled is ALWAYS_OFF  # noqa: SLF001
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
    return _Span(
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
        limits=parts._span_limits,  # noqa: SLF001
        instrumentation_scope=parts._instrumentation_scope,  # noqa: SLF001
    )


def readable(span: Span) -> ReadableSpan:
    """A span as it is now, which does not change when the span does."""
    parts = cast("Any", span)
    take = getattr(parts, "_readable_span", None)
    return span if take is None else cast("ReadableSpan", take())
