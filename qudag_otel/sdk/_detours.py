"""Why spans of calls go round the fast path: each reason in words that a user can act on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

from qudag_otel._otel.spans import root_bound, supported
from qudag_otel.sdk._following import follows

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

NOT_OURS: Final = "the application has set its own provider of {}"
CONFIG_FILE: Final = "OTEL_CONFIG_FILE makes the providers"


def of_processor(processor: SpanProcessor) -> str | None:
    """Why a processor needs the SDK's spans; None if it only wants ended ones."""
    if follows(processor):
        return None
    return (
        f"the span processor {type(processor).__name__} sees spans start, or exports each at once"
    )


def of_spans(provider: TracerProvider, processors: Iterable[SpanProcessor]) -> list[str]:
    """Why a provider's spans have to be the SDK's.

    Args:
        provider: The tracer provider.
        processors: The application's.
    """
    found = [reason for one in processors if (reason := of_processor(one))]
    if root_bound(provider.sampler) is None:
        found.append(f"the sampler {type(provider.sampler).__name__} has to be asked each time")
    if type(provider.id_generator) is not RandomIdGenerator:
        found.append(f"the id generator {type(provider.id_generator).__name__} makes the ids")
    if not supported():
        found.append("this release of OpenTelemetry lacks names that fast spans need")
    return found
