"""Samplers, limits, ids, exemplar filters and propagators, as the variables name them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from opentelemetry.sdk.metrics import (
    AlwaysOffExemplarFilter,
    AlwaysOnExemplarFilter,
    TraceBasedExemplarFilter,
)
from opentelemetry.sdk.trace import SpanLimits
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    ParentBasedTraceIdRatio,
    Sampler,
    TraceIdRatioBased,
)

from qudag_otel._foreign import interrupts
from qudag_otel._redact.values import safe_text
from qudag_otel._warnings import warn_once
from qudag_otel.sdk.settings import plugins
from qudag_otel.sdk.settings import variables as v
from qudag_otel.sdk.settings.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.propagators.textmap import TextMapPropagator
    from opentelemetry.sdk._logs import LogRecordLimits
    from opentelemetry.sdk.metrics import ExemplarFilter

    from qudag_otel.sdk.settings.settings import Settings

_FIXED: Final = {
    "always_on": ALWAYS_ON,
    "always_off": ALWAYS_OFF,
    "parentbased_always_on": DEFAULT_ON,
    "parentbased_always_off": DEFAULT_OFF,
}
_RATIO: Final = {
    "traceidratio": TraceIdRatioBased,
    "parentbased_traceidratio": ParentBasedTraceIdRatio,
}


def sampler(settings: Settings) -> Sampler:
    """Make the sampler.

    Raises:
        ConfigurationError: It is unknown, or cannot be made.
    """
    name = settings[v.TRACES_SAMPLER].lower()
    argument = settings[v.TRACES_SAMPLER_ARG]
    if name in _FIXED:
        return _FIXED[name]
    if name in _RATIO:
        return _RATIO[name](_ratio(settings))
    factory = plugins.load(
        "opentelemetry_traces_sampler", name, v.TRACES_SAMPLER.name, [*_FIXED, *_RATIO]
    )
    try:
        made = factory(argument or None)
    except BaseException as error:
        if interrupts(error):
            raise
        said = safe_text(error, repr)
        if not argument:
            raise ConfigurationError(
                v.TRACES_SAMPLER.name, name, f"the package that adds it fails: {said}",
                "See its documentation.",
            ) from error  # fmt: skip
        _ignore(settings, f"the sampler {name} refuses it ({said})")
        made = factory(None)
    if not isinstance(made, Sampler):
        raise ConfigurationError(
            v.TRACES_SAMPLER.name, name, "the package that adds it returns no sampler",
            "Repair or remove that package.",
        )  # fmt: skip
    return made


def _ratio(settings: Settings) -> float:
    try:
        ratio = float(settings[v.TRACES_SAMPLER_ARG] or 1)
    except ValueError:
        ratio = -1
    if 0 <= ratio <= 1:
        return ratio
    _ignore(settings, "not a ratio from 0 to 1")
    return 1.0


def _ignore(settings: Settings, problem: str) -> None:
    """Go on without the sampler's argument, as the specification asks, and say so."""
    name, argument = v.TRACES_SAMPLER_ARG.name, settings[v.TRACES_SAMPLER_ARG]
    warn_once(f"variable:{name}", "%s=%s is ignored: %s", name, argument, problem)
    settings.put(v.TRACES_SAMPLER_ARG, "", "default")


def id_generator(settings: Settings) -> IdGenerator:
    """Make the generator of trace and span ids.

    Raises:
        ConfigurationError: It is unknown.
    """
    name = settings[v.ID_GENERATOR]
    if name == v.ID_GENERATOR.default:
        return RandomIdGenerator()
    made = plugins.load(
        "opentelemetry_id_generator", name, v.ID_GENERATOR.name, [v.ID_GENERATOR.default]
    )()
    return cast("IdGenerator", made)


def _or_unset(limit: int | None) -> int:
    return SpanLimits.UNSET if limit is None else limit


def span_limits(settings: Settings) -> SpanLimits:
    """Make the limits of spans, events and links."""
    count = settings[v.ATTRIBUTE_COUNT]
    count = 128 if count is None else count
    length = settings[v.ATTRIBUTE_LENGTH]

    def first(own: int | None, general: int | None) -> int:
        return _or_unset(general if own is None else own)

    return SpanLimits(
        max_attributes=count,
        max_events=settings[v.SPAN_EVENT_COUNT],
        max_links=settings[v.SPAN_LINK_COUNT],
        max_span_attributes=first(settings[v.SPAN_ATTRIBUTE_COUNT], count),
        max_event_attributes=first(settings[v.EVENT_ATTRIBUTE_COUNT], count),
        max_link_attributes=first(settings[v.LINK_ATTRIBUTE_COUNT], count),
        max_attribute_length=_or_unset(length),
        max_span_attribute_length=first(settings[v.SPAN_ATTRIBUTE_LENGTH], length),
    )


def log_limits(settings: Settings) -> LogRecordLimits:
    """Make the limits of log records."""
    from opentelemetry.sdk._logs import LogRecordLimits

    count = settings[v.ATTRIBUTE_COUNT]
    count = 128 if count is None else count
    length = settings[v.ATTRIBUTE_LENGTH]
    own_count, own_length = settings[v.LOG_ATTRIBUTE_COUNT], settings[v.LOG_ATTRIBUTE_LENGTH]
    # Releases differ in how "no limit" is said to them, not in what they keep.
    limits = LogRecordLimits(max_attributes=0, max_attribute_length=0)
    limits.max_attributes = count if own_count is None else own_count
    limits.max_attribute_length = length if own_length is None else own_length
    limits.max_log_record_attributes = limits.max_attributes
    limits.max_log_record_attribute_length = limits.max_attribute_length
    return limits


def exemplar_filter(settings: Settings) -> ExemplarFilter:
    """Make the exemplar filter."""
    filters: dict[str, Callable[[], ExemplarFilter]] = {
        "trace_based": TraceBasedExemplarFilter,
        "always_on": AlwaysOnExemplarFilter,
        "always_off": AlwaysOffExemplarFilter,
    }
    return filters[settings[v.EXEMPLAR_FILTER]]()


def propagator(settings: Settings) -> TextMapPropagator:
    """Make the propagator that carries context across processes.

    Raises:
        ConfigurationError: One of them is unknown.
    """
    from opentelemetry.propagators.composite import CompositePropagator

    names = settings[v.PROPAGATORS]
    if "none" in names:
        return CompositePropagator([])
    return CompositePropagator(
        [
            plugins.load("opentelemetry_propagator", name, v.PROPAGATORS.name, ["none"])()
            for name in names
        ]
    )
